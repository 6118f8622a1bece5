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

/// What a system may have, and does without when it has not: bits of a set.
enum {
    /// The kernel joins datagrams of one sender that arrive together (UDP_GRO).
    CLS_JOINS_DATAGRAMS = 1,
    /// The kernel cuts one large message into datagrams (UDP_SEGMENT).
    CLS_CUTS_MESSAGES = 2,
    /// It tells the ECN bits of a datagram (IP_RECVTOS, IPV6_RECVTCLASS).
    CLS_TELLS_ECN = 4,
    /// It sets them in what is sent (IP_TOS, IPV6_TCLASS).
    CLS_MARKS_ECN = 8,
    /// It tells which address a datagram was sent to, and takes the one to send from (IP_PKTINFO, IPV6_RECVPKTINFO).
    CLS_TELLS_DESTINATION = 16,
    /// It tells how many messages it had no room for (SO_RXQ_OVFL).
    CLS_TELLS_OVERFLOW = 32,
    /// It waits for a socket in nanoseconds (epoll_pwait2).
    CLS_WAITS_PRECISELY = 64,
    /// It wakes a thread within a microsecond (PR_SET_TIMERSLACK).
    CLS_WAKES_PRECISELY = 128,
    /// It chooses among sockets at one port by a program (SO_ATTACH_REUSEPORT_CBPF).
    CLS_STEERS = 256
};

/// Asks the kernel to wake the calling thread within a microsecond of the time it asked for (Linux; elsewhere nothing).
/// Returns 0 or a negative error number.
int cls_use_precise_timers(void);

/// Has all threads allocate from one arena, where the C library would give each thread one of its own; blocks of at least
/// `large` bytes come from the system and go back to it, and so does what is free at the end of the arena beyond `spare`
/// bytes, however long the process runs (glibc; elsewhere nothing). What the environment says of any of this stands.
/// For the time before there are threads.
void cls_steady_memory(size_t large, size_t spare);

/// How many blocks there are that came from the system by themselves (glibc; elsewhere 0).
size_t cls_large_blocks(void);

/// How many bytes the arena has, those that are free included (glibc; elsewhere 0).
size_t cls_arena_size(void);

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
