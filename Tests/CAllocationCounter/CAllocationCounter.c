// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#include "CAllocationCounter.h"

#include <stddef.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_OTHER_ALLOCATOR 1
#endif
#endif

static _Thread_local bool is_counting;
static _Thread_local operation_counts counts;

void allocation_counter_begin(void) {
    operation_counter_reset();
    is_counting = true;
}

uint64_t allocation_counter_end(void) {
    is_counting = false;
    return counts.allocations;
}

void operation_counter_reset(void) {
    is_counting = false;
    counts = (operation_counts){0, 0, 0};
}

void operation_counter_resume(void) {
    is_counting = true;
}

void operation_counter_pause(void) {
    is_counting = false;
}

operation_counts operation_counter_read(void) {
    return counts;
}

void operation_counter_note_retains(uint64_t number) {
    if (is_counting) {
        counts.retains += number;
    }
}

void operation_counter_note_releases(uint64_t number) {
    if (is_counting) {
        counts.releases += number;
    }
}

#if defined(__GLIBC__) && !defined(HAS_OTHER_ALLOCATOR)

bool allocation_counter_is_available(void) {
    return true;
}

// The names under which glibc has its own functions. A program that defines malloc gets the calls of all libraries; memory
// comes from the same place as ever, so that free, and what is not counted here, stay as they are.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t number, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static void note(void) {
    if (is_counting) {
        counts.allocations += 1;
    }
}

void *malloc(size_t size) {
    note();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    note();
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
    note();
    return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    note();
    return __libc_memalign(alignment, size);
}

#else

bool allocation_counter_is_available(void) {
    return false;
}

#endif
