// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#define _GNU_SOURCE
#include "CReferenceCounter.h"

#include <CAllocationCounter.h>
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__linux__)

// A program that defines these functions of the Swift runtime gets the calls of everything that was compiled into it. (The
// runtime's own hooks, which are for Instruments, do not tell the text in a short string from a reference on Linux.)

static void *(*runtime_retain)(void *);
static void *(*runtime_retain_n)(void *, uint32_t);
static void (*runtime_release)(void *);
static void (*runtime_release_n)(void *, uint32_t);
static void *(*runtime_bridge_retain)(void *);
static void (*runtime_bridge_release)(void *);
static void *(*runtime_weak_load_strong)(void *);

__attribute__((constructor)) static void find_runtime(void) {
    runtime_retain = (void *(*)(void *))dlsym(RTLD_NEXT, "swift_retain");
    runtime_retain_n = (void *(*)(void *, uint32_t))dlsym(RTLD_NEXT, "swift_retain_n");
    runtime_release = (void (*)(void *))dlsym(RTLD_NEXT, "swift_release");
    runtime_release_n = (void (*)(void *, uint32_t))dlsym(RTLD_NEXT, "swift_release_n");
    runtime_bridge_retain = (void *(*)(void *))dlsym(RTLD_NEXT, "swift_bridgeObjectRetain");
    runtime_bridge_release = (void (*)(void *))dlsym(RTLD_NEXT, "swift_bridgeObjectRelease");
    runtime_weak_load_strong = (void *(*)(void *))dlsym(RTLD_NEXT, "swift_weakLoadStrong");
}

/// Neither nil nor the text of a short string.
static bool is_instance(void *object) {
    return (intptr_t)object > 0;
}

void *swift_retain(void *object) {
    operation_counter_note_retains(is_instance(object) ? 1 : 0);
    return runtime_retain(object);
}

void *swift_retain_n(void *object, uint32_t number) {
    operation_counter_note_retains(is_instance(object) ? number : 0);
    return runtime_retain_n(object, number);
}

void swift_release(void *object) {
    operation_counter_note_releases(is_instance(object) ? 1 : 0);
    runtime_release(object);
}

void swift_release_n(void *object, uint32_t number) {
    operation_counter_note_releases(is_instance(object) ? number : 0);
    runtime_release_n(object, number);
}

// The runtime goes on with the functions above or with its own of the same name, depending on how it was linked: so that nothing
// is counted twice, they are called from here for instances.
void *swift_bridgeObjectRetain(void *object) {
    if (is_instance(object)) {
        operation_counter_note_retains(1);
        runtime_retain((void *)((uintptr_t)object & ~(uintptr_t)7));
        return object;
    }
    return runtime_bridge_retain(object);
}

void swift_bridgeObjectRelease(void *object) {
    if (is_instance(object)) {
        operation_counter_note_releases(1);
        runtime_release((void *)((uintptr_t)object & ~(uintptr_t)7));
        return;
    }
    runtime_bridge_release(object);
}

// A weak reference gives a strong one, which is given back as others are.
void *swift_weakLoadStrong(void *reference) {
    void *object = runtime_weak_load_strong(reference);
    operation_counter_note_retains(object ? 1 : 0);
    return object;
}

bool reference_counter_is_available(void) {
    return runtime_retain && runtime_retain_n && runtime_release && runtime_release_n && runtime_bridge_retain
        && runtime_bridge_release && runtime_weak_load_strong;
}

#else

bool reference_counter_is_available(void) {
    return false;
}

#endif
