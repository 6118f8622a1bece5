// UDP sockets in batches, and the wait for them: what a packet loop of our own needs of Linux. Include CLoopSupport.h.
#ifndef MOQINGBIRD_CLOOP_SUPPORT_UDP_H
#define MOQINGBIRD_CLOOP_SUPPORT_UDP_H

#if defined(__linux__)

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

// MARK: - Sockets

/// Opens a UDP socket that never blocks, is closed on exec, and is bound to `address`.
///
/// It never fragments, and an IPv6 socket takes no IPv4. `is_port_shared` lets others of this user bind to the same
/// port. The kernel may grant less than `buffer_size`. Of the features CLS_JOINS_DATAGRAMS to CLS_TELLS_OVERFLOW it has
/// those in `wanted` that the kernel has, and says in `features` which; it sends with `ecn` in the ECN bits. Returns
/// the descriptor, or a negative error number.
int cls_udp_open(const struct sockaddr *address, int is_port_shared, int buffer_size, uint8_t ecn, unsigned wanted,
                 unsigned *features);

/// Where the socket is bound to. Returns 0 or a negative error number.
int cls_udp_address(int descriptor, struct sockaddr_storage *address);

/// Has the kernel choose among the sockets of this user that are bound to the same address with a shared port, in the order
/// in which they were bound: by the byte at which the connection ID of a QUIC datagram begins (byte 6 of a long header, byte
/// 1 of a short one, RFC 8999 section 5), modulo `members`. What is shorter goes to the first. One call is for all of them, and
/// needs no privilege.
/// Returns 0 or a negative error number.
int cls_udp_steer(int descriptor, unsigned members);

// MARK: - Receiving

/// Datagrams of one sender that arrived together: all as long as `segment`, but for the last, which may be shorter.
typedef struct {
    uint8_t *bytes;
    size_t count;
    size_t segment;
    struct sockaddr_storage from;
    /// Where they were sent to; where the socket is bound if the kernel did not say.
    struct sockaddr_storage to;
    int interface;
    uint8_t ecn;
    /// Whether the kernel had to cut something off.
    uint8_t is_truncated;
    /// Whether the kernel said how many messages it has dropped at this socket until this one came, because the
    /// socket's buffer was full; and how many, a count that wraps.
    uint8_t tells_overflow;
    uint32_t overflow;
} cls_received;

typedef struct cls_receiver cls_receiver;

/// Makes room for so many `cls_received` at a time, 64 KiB each. NULL without memory.
cls_receiver *cls_receiver_create(unsigned slots);
void cls_receiver_free(cls_receiver *receiver);

/// Takes what has arrived at a socket that is bound to `bound`. What was taken before becomes invalid. `is_last` says
/// whether nothing more waited. Returns how many there are, or a negative error number.
int cls_receive(cls_receiver *receiver, int descriptor, const struct sockaddr_storage *bound, int *is_last);

/// One of those; `index` below what `cls_receive` returned. Its bytes may be changed.
cls_received *cls_receiver_at(const cls_receiver *receiver, unsigned index);

// MARK: - Sending

/// A message to one peer, which is cut into datagrams of `segment` bytes unless that is 0 or not below `count`.
typedef struct {
    const uint8_t *bytes;
    size_t count;
    size_t segment;
    struct sockaddr_storage to;
    /// The address to send from; of the family AF_UNSPEC to leave it to the kernel.
    struct sockaddr_storage from;
    int interface;
} cls_message;

enum { CLS_MESSAGES_AT_ONCE = 64 };

/// Sends messages in order, at most CLS_MESSAGES_AT_ONCE. Returns how many the kernel took, which may be fewer, or a
/// negative error number when it did not take the first.
int cls_send(int descriptor, const cls_message *messages, unsigned count);

// MARK: - Waiting

/// Sockets that are waited for, and a way to end the wait from another thread.
typedef struct {
    int epoll;
    int event;
    /// Whether it waits in milliseconds.
    int is_coarse;
} cls_poller;

/// Opens one, which waits in nanoseconds if `wants_precision` and the kernel can. Returns 0 or a negative error number.
int cls_poller_open(cls_poller *poller, int wants_precision);
void cls_poller_close(cls_poller *poller);

/// Waits for a socket from now on, under a number below 31. Returns 0 or a negative error number.
int cls_poller_add(const cls_poller *poller, int descriptor, unsigned number);

/// Whether to wait for room to send as well. Returns 0 or a negative error number.
int cls_poller_watch_room(const cls_poller *poller, int descriptor, unsigned number, int watches);

/// Ends the wait, or the next one if there is none. Callable from any thread.
void cls_poller_wake(const cls_poller *poller);

/// What was waited for: bit n for data at socket n, and for room there.
typedef struct {
    uint32_t readable;
    uint32_t writable;
    /// Whether somebody wanted the wait to end.
    int was_woken;
    /// How often it was looked for without sleeping, and whether the thread slept.
    unsigned polls;
    int has_slept;
} cls_ready;

/// Waits until something happens, but no longer than `microseconds`. Of these the first `busy_microseconds` are spent
/// looking again and again instead of sleeping. Returns 0 or a negative error number; a signal is no error.
int cls_poller_wait(const cls_poller *poller, uint64_t microseconds, uint64_t busy_microseconds, cls_ready *ready);

// MARK: - The thread

typedef struct cls_thread cls_thread;

/// Starts a thread that no signal is delivered to. Returns NULL if there cannot be one.
cls_thread *cls_thread_start(const char *name, void (*body)(void *), void *context);

/// Waits for its end, and lets go of it.
void cls_thread_join(cls_thread *thread);

#endif
#endif
