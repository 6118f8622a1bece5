#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CLoopSupport.h"

#if defined(__linux__)

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#ifndef SO_RXQ_OVFL
#define SO_RXQ_OVFL 40
#endif
#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif

#define SLOT_SIZE 65536
/// Room for what the kernel says of a message: its destination, its ECN bits, the size of its segments, what was
/// dropped.
#define CONTROL_SIZE 256

// MARK: - Sockets

static socklen_t length_of(const struct sockaddr *address) {
    return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static int set(int descriptor, int level, int option, int value) {
    return setsockopt(descriptor, level, option, &value, sizeof(value));
}

/// Sets an option for the sake of a feature. Returns the feature if it is wanted and could be had, and 0 if not.
static unsigned enable(int descriptor, int level, int option, int value, unsigned feature) {
    return feature != 0 && set(descriptor, level, option, value) == 0 ? feature : 0;
}

static int set_up(int descriptor, const struct sockaddr *address, int is_port_shared) {
    if (is_port_shared && set(descriptor, SOL_SOCKET, SO_REUSEPORT, 1) != 0) {
        return -1;
    }
    if (address->sa_family == AF_INET6) {
        if (set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1) != 0 ||
            set(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE) != 0) {
            return -1;
        }
    } else if (set(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE) != 0) {
        return -1;
    }
    return 0;
}

static unsigned enable_all(int descriptor, int family, uint8_t ecn, unsigned wanted) {
    int segment = 0;
    socklen_t size = sizeof(segment);
    unsigned marks = wanted & CLS_MARKS_ECN;
    unsigned features;
    if (family == AF_INET6) {
        features = enable(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, wanted & CLS_TELLS_DESTINATION) |
                   enable(descriptor, IPPROTO_IPV6, IPV6_RECVTCLASS, 1, wanted & CLS_TELLS_ECN) |
                   (ecn == 0 ? marks : enable(descriptor, IPPROTO_IPV6, IPV6_TCLASS, ecn, marks));
    } else {
        features = enable(descriptor, IPPROTO_IP, IP_PKTINFO, 1, wanted & CLS_TELLS_DESTINATION) |
                   enable(descriptor, IPPROTO_IP, IP_RECVTOS, 1, wanted & CLS_TELLS_ECN) |
                   (ecn == 0 ? marks : enable(descriptor, IPPROTO_IP, IP_TOS, ecn, marks));
    }
    features |= enable(descriptor, SOL_SOCKET, SO_RXQ_OVFL, 1, wanted & CLS_TELLS_OVERFLOW) |
                enable(descriptor, IPPROTO_UDP, UDP_GRO, 1, wanted & CLS_JOINS_DATAGRAMS);
    if ((wanted & CLS_CUTS_MESSAGES) && getsockopt(descriptor, IPPROTO_UDP, UDP_SEGMENT, &segment, &size) == 0) {
        features |= CLS_CUTS_MESSAGES;
    }
    return features;
}

int cls_udp_open(const struct sockaddr *address, int is_port_shared, int buffer_size, uint8_t ecn, unsigned wanted,
                 unsigned *features) {
    int descriptor = socket(address->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
    if (descriptor < 0) {
        return -errno;
    }
    *features = 0;
    if (set_up(descriptor, address, is_port_shared) == 0) {
        *features = enable_all(descriptor, address->sa_family, ecn, wanted);
        if (bind(descriptor, address, length_of(address)) == 0) {
            (void)set(descriptor, SOL_SOCKET, SO_SNDBUF, buffer_size);
            (void)set(descriptor, SOL_SOCKET, SO_RCVBUF, buffer_size);
            return descriptor;
        }
    }
    int error = errno;
    close(descriptor);
    return -error;
}

int cls_udp_address(int descriptor, struct sockaddr_storage *address) {
    socklen_t size = sizeof(*address);
    return getsockname(descriptor, (struct sockaddr *)address, &size) == 0 ? 0 : -errno;
}

int cls_udp_steer(int descriptor, unsigned members) {
    // The program sees the payload of the datagram. Where there is no such byte, the kernel ends it with 0.
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x80, 0, 2),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
        BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 1),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, members),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    struct sock_fprog program = {.len = sizeof(steps) / sizeof(steps[0]), .filter = steps};
    return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) == 0 ? 0 : -errno;
}

// MARK: - Receiving

struct cls_receiver {
    unsigned slots;
    cls_received *received;
    struct mmsghdr *headers;
    struct iovec *vectors;
    uint8_t *controls;
    uint8_t *bytes;
};

cls_receiver *cls_receiver_create(unsigned slots) {
    cls_receiver *receiver = calloc(1, sizeof(*receiver));
    if (receiver == NULL) {
        return NULL;
    }
    receiver->slots = slots;
    receiver->received = calloc(slots, sizeof(*receiver->received));
    receiver->headers = calloc(slots, sizeof(*receiver->headers));
    receiver->vectors = calloc(slots, sizeof(*receiver->vectors));
    receiver->controls = calloc(slots, CONTROL_SIZE);
    receiver->bytes = malloc((size_t)slots * SLOT_SIZE);
    if (receiver->received == NULL || receiver->headers == NULL || receiver->vectors == NULL ||
        receiver->controls == NULL || receiver->bytes == NULL) {
        cls_receiver_free(receiver);
        return NULL;
    }
    for (unsigned i = 0; i < slots; i++) {
        receiver->received[i].bytes = receiver->bytes + (size_t)i * SLOT_SIZE;
        receiver->vectors[i].iov_base = receiver->received[i].bytes;
        receiver->vectors[i].iov_len = SLOT_SIZE;
        receiver->headers[i].msg_hdr.msg_iov = &receiver->vectors[i];
        receiver->headers[i].msg_hdr.msg_iovlen = 1;
        receiver->headers[i].msg_hdr.msg_name = &receiver->received[i].from;
    }
    return receiver;
}

void cls_receiver_free(cls_receiver *receiver) {
    if (receiver == NULL) {
        return;
    }
    free(receiver->received);
    free(receiver->headers);
    free(receiver->vectors);
    free(receiver->controls);
    free(receiver->bytes);
    free(receiver);
}

static int integer_in(const struct cmsghdr *control) {
    int value = 0;
    size_t available = control->cmsg_len - CMSG_LEN(0);
    if (available >= sizeof(value)) {
        memcpy(&value, CMSG_DATA(control), sizeof(value));
    } else if (available >= 1) {
        value = *CMSG_DATA(control);
    }
    return value;
}

static void read_control(struct msghdr *header, cls_received *received) {
    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL; control = CMSG_NXTHDR(header, control)) {
        if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_GRO) {
            int segment = integer_in(control);
            if (segment > 0 && (size_t)segment < received->count) {
                received->segment = (size_t)segment;
            }
        } else if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_RXQ_OVFL &&
                   control->cmsg_len >= CMSG_LEN(sizeof(received->overflow))) {
            memcpy(&received->overflow, CMSG_DATA(control), sizeof(received->overflow));
            received->tells_overflow = 1;
        } else if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_TOS) {
            received->ecn = (uint8_t)integer_in(control) & 3;
        } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_TCLASS) {
            received->ecn = (uint8_t)integer_in(control) & 3;
        } else if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO &&
                   control->cmsg_len >= CMSG_LEN(sizeof(struct in_pktinfo))) {
            struct in_pktinfo info;
            struct sockaddr_in *to = (struct sockaddr_in *)&received->to;
            memcpy(&info, CMSG_DATA(control), sizeof(info));
            to->sin_addr = info.ipi_addr;
            received->interface = info.ipi_ifindex;
        } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO &&
                   control->cmsg_len >= CMSG_LEN(sizeof(struct in6_pktinfo))) {
            struct in6_pktinfo info;
            struct sockaddr_in6 *to = (struct sockaddr_in6 *)&received->to;
            memcpy(&info, CMSG_DATA(control), sizeof(info));
            to->sin6_addr = info.ipi6_addr;
            received->interface = (int)info.ipi6_ifindex;
        }
    }
}

int cls_receive(cls_receiver *receiver, int descriptor, const struct sockaddr_storage *bound, int *is_last) {
    int count;
    for (unsigned i = 0; i < receiver->slots; i++) {
        struct msghdr *header = &receiver->headers[i].msg_hdr;
        header->msg_namelen = sizeof(receiver->received[i].from);
        header->msg_control = receiver->controls + (size_t)i * CONTROL_SIZE;
        header->msg_controllen = CONTROL_SIZE;
        header->msg_flags = 0;
    }
    do {
        count = recvmmsg(descriptor, receiver->headers, receiver->slots, 0, NULL);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        int error = errno;
        *is_last = 1;
        return error == EAGAIN || error == EWOULDBLOCK ? 0 : -error;
    }
    *is_last = (unsigned)count < receiver->slots;
    for (int i = 0; i < count; i++) {
        cls_received *received = &receiver->received[i];
        struct msghdr *header = &receiver->headers[i].msg_hdr;
        received->count = receiver->headers[i].msg_len;
        received->segment = received->count;
        memcpy(&received->to, bound, sizeof(received->to));
        received->interface = 0;
        received->ecn = 0;
        received->tells_overflow = 0;
        received->overflow = 0;
        received->is_truncated = (header->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
        if (header->msg_namelen == 0) {
            received->from.ss_family = AF_UNSPEC;
        }
        read_control(header, received);
    }
    return count;
}

cls_received *cls_receiver_at(const cls_receiver *receiver, unsigned index) {
    return &receiver->received[index];
}

// MARK: - Sending

typedef union {
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t))];
    struct cmsghdr aligned;
} send_control;

static void *add_control(struct msghdr *header, size_t *used, int level, int type, size_t size) {
    struct cmsghdr *control = (struct cmsghdr *)((char *)header->msg_control + *used);
    control->cmsg_level = level;
    control->cmsg_type = type;
    control->cmsg_len = CMSG_LEN(size);
    *used += CMSG_SPACE(size);
    return CMSG_DATA(control);
}

static void fill_header(struct msghdr *header, struct iovec *vector, send_control *control, const cls_message *message) {
    size_t used = 0;
    memset(header, 0, sizeof(*header));
    memset(control, 0, sizeof(*control));
    vector->iov_base = (void *)(uintptr_t)message->bytes;
    vector->iov_len = message->count;
    header->msg_name = (void *)(uintptr_t)&message->to;
    header->msg_namelen = length_of((const struct sockaddr *)&message->to);
    header->msg_iov = vector;
    header->msg_iovlen = 1;
    header->msg_control = control;
    if (message->from.ss_family == AF_INET) {
        struct in_pktinfo info = {0};
        info.ipi_spec_dst = ((const struct sockaddr_in *)&message->from)->sin_addr;
        info.ipi_ifindex = message->interface;
        memcpy(add_control(header, &used, IPPROTO_IP, IP_PKTINFO, sizeof(info)), &info, sizeof(info));
    } else if (message->from.ss_family == AF_INET6) {
        struct in6_pktinfo info = {0};
        info.ipi6_addr = ((const struct sockaddr_in6 *)&message->from)->sin6_addr;
        info.ipi6_ifindex = (unsigned)message->interface;
        memcpy(add_control(header, &used, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(info)), &info, sizeof(info));
    }
    if (message->segment > 0 && message->segment < message->count && message->segment <= UINT16_MAX) {
        uint16_t segment = (uint16_t)message->segment;
        memcpy(add_control(header, &used, IPPROTO_UDP, UDP_SEGMENT, sizeof(segment)), &segment, sizeof(segment));
    }
    header->msg_controllen = used;
    if (used == 0) {
        header->msg_control = NULL;
    }
}

int cls_send(int descriptor, const cls_message *messages, unsigned count) {
    struct mmsghdr headers[CLS_MESSAGES_AT_ONCE];
    struct iovec vectors[CLS_MESSAGES_AT_ONCE];
    send_control controls[CLS_MESSAGES_AT_ONCE];
    int sent;
    if (count > CLS_MESSAGES_AT_ONCE) {
        count = CLS_MESSAGES_AT_ONCE;
    }
    for (unsigned i = 0; i < count; i++) {
        fill_header(&headers[i].msg_hdr, &vectors[i], &controls[i], &messages[i]);
        headers[i].msg_len = 0;
    }
    do {
        sent = sendmmsg(descriptor, headers, count, 0);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

// MARK: - Waiting

/// What the event of another thread is filed under; sockets have smaller numbers.
#define EVENT_NUMBER 31

int cls_poller_open(cls_poller *poller, int wants_precision) {
    // Reported once for each time that somebody writes to it, so that it need not be read: a system call less between a
    // call from another thread and what it wants done. Its counter has room for 2^64 of them.
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.u32 = EVENT_NUMBER}};
    struct timespec none = {0};
    poller->is_coarse = !wants_precision;
    poller->event = -1;
    poller->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (poller->epoll < 0) {
        return -errno;
    }
    poller->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (poller->event < 0 || epoll_ctl(poller->epoll, EPOLL_CTL_ADD, poller->event, &event) != 0) {
        int error = errno;
        cls_poller_close(poller);
        return -error;
    }
    // A kernel before 5.11 does not know the call, and a filter of calls that is older may forbid it.
    if (!poller->is_coarse && epoll_pwait2(poller->epoll, &event, 1, &none, NULL) < 0) {
        poller->is_coarse = errno != EINTR;
    }
    return 0;
}

void cls_poller_close(cls_poller *poller) {
    if (poller->event >= 0) {
        close(poller->event);
    }
    if (poller->epoll >= 0) {
        close(poller->epoll);
    }
    poller->event = -1;
    poller->epoll = -1;
}

int cls_poller_add(const cls_poller *poller, int descriptor, unsigned number) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = number}};
    return epoll_ctl(poller->epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : -errno;
}

int cls_poller_watch_room(const cls_poller *poller, int descriptor, unsigned number, int watches) {
    struct epoll_event event = {.events = EPOLLIN | (watches ? EPOLLOUT : 0), .data = {.u32 = number}};
    return epoll_ctl(poller->epoll, EPOLL_CTL_MOD, descriptor, &event) == 0 ? 0 : -errno;
}

void cls_poller_wake(const cls_poller *poller) {
    uint64_t one = 1;
    ssize_t written;
    do {
        written = write(poller->event, &one, sizeof(one));
    } while (written < 0 && errno == EINTR);
}

#define EVENTS_AT_ONCE 8

/// Sleeps until something happens, but no longer than `microseconds`. Returns what epoll does.
static int sleep_for(const cls_poller *poller, struct epoll_event *events, uint64_t microseconds) {
    struct timespec timeout;
    if (poller->is_coarse) {
        // Rounded up: a wait that ends too early would be made again and again.
        int milliseconds = microseconds > 1000000u ? 1000 : (int)((microseconds + 999u) / 1000u);
        return epoll_wait(poller->epoll, events, EVENTS_AT_ONCE, milliseconds);
    }
    timeout.tv_sec = (time_t)(microseconds / 1000000u);
    timeout.tv_nsec = (long)(microseconds % 1000000u) * 1000;
    return epoll_pwait2(poller->epoll, events, EVENTS_AT_ONCE, &timeout, NULL);
}

/// Looks again and again for so long. Returns what epoll does.
static int poll_for(const cls_poller *poller, struct epoll_event *events, uint64_t microseconds, unsigned *polls) {
    uint64_t start = cls_monotonic_microseconds();
    int count;
    do {
        count = epoll_wait(poller->epoll, events, EVENTS_AT_ONCE, 0);
        *polls += 1;
    } while (count == 0 && cls_monotonic_microseconds() - start < microseconds);
    return count;
}

int cls_poller_wait(const cls_poller *poller, uint64_t microseconds, uint64_t busy_microseconds, cls_ready *ready) {
    struct epoll_event events[EVENTS_AT_ONCE];
    uint64_t busy = busy_microseconds < microseconds ? busy_microseconds : microseconds;
    int count = 0;
    memset(ready, 0, sizeof(*ready));
    if (busy > 0) {
        count = poll_for(poller, events, busy, &ready->polls);
    }
    if (count == 0 && (microseconds == 0 || microseconds > busy)) {
        ready->has_slept = microseconds > 0;
        count = sleep_for(poller, events, microseconds - busy);
    }
    if (count < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    for (int i = 0; i < count; i++) {
        unsigned number = events[i].data.u32;
        if (number == EVENT_NUMBER) {
            ready->was_woken = 1;
            continue;
        }
        if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
            ready->readable |= 1u << number;
        }
        if (events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
            ready->writable |= 1u << number;
        }
    }
    return 0;
}

// MARK: - The thread

struct cls_thread {
    pthread_t pthread;
    void (*body)(void *);
    void *context;
    char name[16];
};

static void *run(void *argument) {
    cls_thread *thread = argument;
    cls_set_thread_name(thread->name);
    thread->body(thread->context);
    return NULL;
}

cls_thread *cls_thread_start(const char *name, void (*body)(void *), void *context) {
    sigset_t all;
    sigset_t before;
    int outcome;
    cls_thread *thread = calloc(1, sizeof(*thread));
    if (thread == NULL) {
        return NULL;
    }
    thread->body = body;
    thread->context = context;
    strncpy(thread->name, name == NULL ? "" : name, sizeof(thread->name) - 1);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    outcome = pthread_create(&thread->pthread, NULL, run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (outcome != 0) {
        free(thread);
        return NULL;
    }
    return thread;
}

void cls_thread_join(cls_thread *thread) {
    pthread_join(thread->pthread, NULL);
    free(thread);
}

#endif
