#include "CLoopSupport.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#include <sys/prctl.h>
#endif

void cls_set_thread_name(const char *name) {
    char kept[16];
    strncpy(kept, name, sizeof(kept) - 1);
    kept[sizeof(kept) - 1] = 0;
#if defined(__APPLE__)
    pthread_setname_np(kept);
#else
    pthread_setname_np(pthread_self(), kept);
#endif
}

static _Thread_local char identity;

uintptr_t cls_thread_identity(void) {
    return (uintptr_t)&identity;
}

uint64_t cls_monotonic_microseconds(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
        return 0;
    }
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)(now.tv_nsec / 1000);
}

int cls_use_precise_timers(void) {
#if defined(__linux__)
    if (prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL) != 0) {
        return -errno;
    }
#endif
    return 0;
}

static int open_anonymous(const char *name) {
#if defined(__linux__)
    return memfd_create(name, MFD_CLOEXEC);
#else
    FILE *file = tmpfile();
    int fd = -1;
    (void)name;
    if (file != NULL) {
        fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
        fclose(file);
    }
    return fd;
#endif
}

#if defined(__GLIBC__)
static int environment_sets(const char *variable, const char *tunable) {
    const char *tunables = getenv("GLIBC_TUNABLES");
    return getenv(variable) != NULL || (tunables != NULL && strstr(tunables, tunable) != NULL);
}
#endif

void cls_steady_memory(size_t large, size_t spare) {
#if defined(__GLIBC__)
    if (!environment_sets("MALLOC_ARENA_MAX", "glibc.malloc.arena_max")) {
        mallopt(M_ARENA_MAX, 1);
    }
    if (!environment_sets("MALLOC_MMAP_THRESHOLD_", "glibc.malloc.mmap_threshold")) {
        mallopt(M_MMAP_THRESHOLD, (int)large);
    }
    if (!environment_sets("MALLOC_TRIM_THRESHOLD_", "glibc.malloc.trim_threshold")) {
        mallopt(M_TRIM_THRESHOLD, (int)spare);
    }
#else
    (void)large;
    (void)spare;
#endif
}

#if !defined(__GLIBC__)
#define MEMORY_FIGURE(name) 0
#elif __GLIBC_PREREQ(2, 33)
#define MEMORY_FIGURE(name) mallinfo2().name
#else
#define MEMORY_FIGURE(name) (size_t)mallinfo().name
#endif

size_t cls_large_blocks(void) { return MEMORY_FIGURE(hblks); }

size_t cls_arena_size(void) { return MEMORY_FIGURE(arena); }

int cls_anonymous_file(const char *name, const void *bytes, size_t count) {
    int fd = open_anonymous(name);
    size_t written = 0;
    if (fd < 0) {
        return -1;
    }
    while (written < count) {
        ssize_t step = write(fd, (const char *)bytes + written, count - written);
        if (step < 0 && errno == EINTR) {
            continue;
        }
        if (step <= 0) {
            int reason = errno;
            close(fd);
            errno = reason;
            return -1;
        }
        written += (size_t)step;
    }
    lseek(fd, 0, SEEK_SET);
    return fd;
}

// Not in the header: Swift's importer of C does not know that a sanitizer is on, the compiler of this file does.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CLS_TELLS_SANITIZER 1
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#endif
#endif

void cls_turn_begins(void *address) {
#ifdef CLS_TELLS_SANITIZER
    __tsan_acquire(address);
#else
    (void)address;
#endif
}

void cls_turn_ends(void *address) {
#ifdef CLS_TELLS_SANITIZER
    __tsan_release(address);
#else
    (void)address;
#endif
}
