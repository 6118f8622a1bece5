#include "CPicoquicShims.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <picoquic_internal.h>
#include <tls_api.h>

void cpq_prepare_library(void) {
    picoquic_tls_api_init();
    picoquic_register_all_congestion_control_algorithms();
}

void cpq_claim_thread(picoquic_quic_t *quic) {
    (void)quic;
    PICOQUIC_THREAD_SET_CHECK(quic);
}

uint8_t cpq_ecn_mark(picoquic_quic_t *quic) {
    return quic->default_congestion_alg == NULL ? 0 : quic->default_congestion_alg->ecn_mark;
}

/// Called by the library with an ID that is random already. `context` holds two numbers in place of a pointer.
static void mark_connection_id(picoquic_quic_t *quic, picoquic_connection_id_t local, picoquic_connection_id_t remote,
                               void *context, picoquic_connection_id_t *returned) {
    unsigned index = (unsigned)((uintptr_t)context & 0xff);
    unsigned count = (unsigned)((uintptr_t)context >> 8);
    unsigned first = returned->id[0];
    (void)quic;
    (void)local;
    (void)remote;
    if (returned->id_len > 0) {
        first = first - first % count + index;
        returned->id[0] = (uint8_t)(first > 0xff ? first - count : first);
    }
}

void cpq_mark_connection_ids(picoquic_quic_t *quic, unsigned index, unsigned count) {
    if (count >= 2 && count <= 256 && index < count) {
        quic->cnx_id_callback_ctx = (void *)((uintptr_t)count << 8 | index);
        quic->cnx_id_callback_fn = mark_connection_id;
    }
}

int cpq_spare_packets(picoquic_quic_t *quic) {
    return quic->nb_packets_in_pool;
}

void cpq_trim_packets(picoquic_quic_t *quic, int least) {
    int excess = quic->nb_packets_in_pool - least;
    int kept = quic->nb_packets_in_pool - (excess + 1) / 2;
    while (excess > 0 && quic->nb_packets_in_pool > kept && quic->p_first_packet != NULL) {
        picoquic_packet_t *packet = quic->p_first_packet;
        quic->p_first_packet = packet->packet_previous;
        quic->nb_packets_in_pool--;
        quic->nb_packets_allocated--;
        free(packet);
    }
}

const char *cpq_compiled_version(void) {
    return PICOQUIC_VERSION;
}

const char *cpq_congestion_options(picoquic_cnx_t *cnx) {
    return cnx->congestion_alg_option_string;
}

int cpq_has_ack_frequency(picoquic_cnx_t *cnx) {
    return cnx->is_ack_frequency_negotiated;
}

const char *cpq_remote_reason(picoquic_cnx_t *cnx) {
    return cnx->remote_error_reason;
}

void cpq_look_again(picoquic_cnx_t *cnx) {
    picoquic_reinsert_by_wake_time(cnx->quic, cnx, picoquic_get_quic_time(cnx->quic));
}

uint64_t cpq_stream_limit(picoquic_cnx_t *cnx, int is_unidirectional) {
    return is_unidirectional ? cnx->max_streams_unidir_remote : cnx->max_streams_bidir_remote;
}

uint64_t cpq_streams_taken(picoquic_cnx_t *cnx, int is_unidirectional) {
    return picoquic_get_next_local_stream_id(cnx, is_unidirectional) >> 2;
}

void cpq_expect_stateless_reset(picoquic_cnx_t *cnx) {
    if (cnx->client_mode) {
        // Without the token of the server there are random bytes in its place, which nobody sends.
        (void)picoquic_register_net_secret(cnx);
    }
}

int cpq_send_state(picoquic_cnx_t *cnx, uint64_t stream_id) {
    const picoquic_stream_head_t *stream = picoquic_find_stream(cnx, stream_id);
    if (stream == NULL) {
        return CPQ_SEND_NO_STREAM;
    }
    if (stream->reset_requested) {
        return CPQ_SEND_RESET;
    }
    return stream->fin_requested ? CPQ_SEND_FINISHED : CPQ_SEND_OPEN;
}

int cpq_raise_stream_window(picoquic_cnx_t *cnx, uint64_t stream_id, uint64_t limit) {
    picoquic_stream_head_t *stream = picoquic_find_stream(cnx, stream_id);
    if (stream == NULL) {
        return PICOQUIC_ERROR_INVALID_STREAM_ID;
    }
    if (stream->fin_received || stream->reset_received || limit <= stream->maxdata_local ||
        limit <= stream->consumed_offset) {
        return 0;
    }
    return picoquic_open_flow_control(cnx, stream_id, limit - stream->consumed_offset);
}

int cpq_raise_connection_window(picoquic_cnx_t *cnx, uint64_t limit) {
    uint8_t frame[32];
    int more_data = 0;
    int is_pure_ack = 1;
    uint8_t *end;
    if (cnx->cnx_state != picoquic_state_ready) {
        return PICOQUIC_ERROR_UNEXPECTED_STATE;
    }
    if (limit <= cnx->maxdata_local) {
        return 0;
    }
    end = picoquic_format_max_data_frame(cnx, frame, frame + sizeof(frame), &more_data, &is_pure_ack,
                                         limit - cnx->maxdata_local);
    if (end == NULL || end == frame) {
        return PICOQUIC_ERROR_UNEXPECTED_ERROR;
    }
    return picoquic_queue_misc_frame(cnx, frame, (size_t)(end - frame), is_pure_ack,
                                     picoquic_packet_context_application);
}

int cpq_attach_stream_context(picoquic_cnx_t *cnx, uint64_t stream_id, void *stream_ctx) {
    picoquic_stream_head_t *stream = picoquic_find_stream(cnx, stream_id);
    if (stream == NULL) {
        return -1;
    }
    stream->app_stream_ctx = stream_ctx;
    return 0;
}

size_t cpq_maximum_datagram(picoquic_cnx_t *cnx) {
    // Short header, longest packet number, authentication tag, frame type and a two-byte length.
    const size_t frame_overhead = 3;
    size_t by_peer = cnx->remote_parameters.max_datagram_frame_size;
    size_t overhead = 1 + 20 + 4 + 16 + frame_overhead;
    size_t by_path = 0;
    if (by_peer <= frame_overhead || cnx->path == NULL || cnx->nb_paths <= 0) {
        return 0;
    }
    if (cnx->path[0]->send_mtu > overhead) {
        by_path = cnx->path[0]->send_mtu - overhead;
    }
    by_peer -= frame_overhead;
    return by_peer < by_path ? by_peer : by_path;
}

int cpq_has_received(picoquic_cnx_t *cnx) {
    return cnx->nb_packets_received > 0;
}

int cpq_format_address(const struct sockaddr *address, char *text, size_t text_size, uint16_t *port) {
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        *port = ntohs(v4->sin_port);
        return inet_ntop(AF_INET, &v4->sin_addr, text, (socklen_t)text_size) == NULL ? -1 : 0;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        char name[IF_NAMESIZE];
        size_t used;
        *port = ntohs(v6->sin6_port);
        if (inet_ntop(AF_INET6, &v6->sin6_addr, text, (socklen_t)text_size) == NULL) {
            return -1;
        }
        if (v6->sin6_scope_id != 0 && if_indextoname(v6->sin6_scope_id, name) != NULL) {
            used = strlen(text);
            snprintf(text + used, text_size - used, "%%%s", name);
        }
        return 0;
    }
    return -1;
}

int cpq_parse_address(const char *text, uint16_t port, struct sockaddr_storage *address) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    char bare[128];
    const char *scope = strchr(text, '%');
    size_t length = scope == NULL ? strlen(text) : (size_t)(scope - text);
    memset(address, 0, sizeof(*address));
    if (length >= sizeof(bare)) {
        return -1;
    }
    memcpy(bare, text, length);
    bare[length] = 0;
    if (scope == NULL && inet_pton(AF_INET, bare, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return 0;
    }
    if (inet_pton(AF_INET6, bare, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        if (scope != NULL) {
            v6->sin6_scope_id = if_nametoindex(scope + 1);
            return v6->sin6_scope_id == 0 ? -1 : 0;
        }
        return 0;
    }
    return -1;
}

static socklen_t address_length(const struct sockaddr *address) {
    return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/// A UDP socket that no process inherits which somebody starts meanwhile.
static int open_udp(int family) {
#ifdef SOCK_CLOEXEC
    return socket(family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
#else
    int fd = socket(family, SOCK_DGRAM, IPPROTO_UDP);
    if (fd >= 0) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    return fd;
#endif
}

static int probe(const struct sockaddr *address, int is_bind) {
    int outcome = 0;
    int one = 1;
    int fd = open_udp(address->sa_family);
    if (fd < 0) {
        return errno;
    }
    if (address->sa_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    }
    if ((is_bind ? bind(fd, address, address_length(address)) : connect(fd, address, address_length(address))) != 0) {
        outcome = errno;
    }
    close(fd);
    return outcome;
}

int cpq_reserve_port(const struct sockaddr *address, uint16_t *port) {
    struct sockaddr_storage bound = {0};
    socklen_t length = sizeof(bound);
    int one = 1;
    int fd = open_udp(address->sa_family);
    if (fd < 0) {
        return -1;
    }
    // The port is shared only once it is had: a socket that shares from the beginning is given one that another server shares.
    if ((address->sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0) ||
        bind(fd, address, address_length(address)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &length) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    *port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                              : ((struct sockaddr_in *)&bound)->sin_port);
    return fd;
}

int cpq_probe_bind(const struct sockaddr *address) {
    return probe(address, 1);
}

int cpq_probe_route(const struct sockaddr *address) {
    return probe(address, 0);
}

int cpq_open_knocker(const struct sockaddr *address) {
    int fd = open_udp(address->sa_family);
    if (fd < 0) {
        return -1;
    }
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || connect(fd, address, address_length(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int cpq_knock(int fd) {
    // A header of QUIC has its second or its highest bit set (RFC 9000 section 17).
    static const uint8_t nothing = 0;
    int outcome = 0;
    socklen_t size = sizeof(outcome);
    if (send(fd, &nothing, sizeof(nothing), 0) < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        return errno;
    }
    // On the same host the answer is there already.
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &outcome, &size) != 0) {
        return errno;
    }
    return outcome;
}
