// What the packet loop needs of the operating system and Swift does not import.
#ifndef MOQINGBIRD_CLOOP_SUPPORT_H
#define MOQINGBIRD_CLOOP_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

/// Names the calling thread as debuggers and /proc show it (at most 15 bytes are kept).
void cls_set_thread_name(const char *name);

/// A number that no other living thread has, never 0. Cheaper than asking the thread library: one address of
/// thread-local storage.
uintptr_t cls_thread_identity(void);

/// Microseconds of the clock that never jumps (CLOCK_MONOTONIC).
uint64_t cls_monotonic_microseconds(void);

/// Asks the kernel to wake the calling thread within a microsecond of the time it asked for (Linux; elsewhere nothing).
void cls_use_precise_timers(void);

/// Opens an anonymous file that is closed on exec, and writes all of `bytes` into it.
/// Returns the descriptor, or -1 with errno set. Where the kernel has no memfd, an unlinked temporary file is used.
int cls_anonymous_file(const char *name, const void *bytes, size_t count);

/// Tells the thread sanitizer that the calling thread now has the value at `address` to itself, and that it sees
/// everything that was done before ``cls_turn_ends`` was last called for this address. Nothing in other builds.
void cls_turn_begins(void *address);

/// Tells the thread sanitizer that the calling thread's turn with the value at `address` is over.
void cls_turn_ends(void *address);

#include "CLoopSupportUDP.h"

#endif
