#include "CPicoquicShims.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <picoquic_internal.h>
#include <picotls.h>
#include <tls_api.h>

// The library would keep the tickets that it receives in a list of its context, without a bound and under the server's
// name alone, and it would free an older one while a handshake may still point to it. So they go to their owner instead,
// and in the list is only what a connection was given, for as long as that connection exists.

/// How picotls writes a ticket: when it was obtained (8 bytes), key exchange (2), cipher suite (2), the message (3 bytes
/// of length, then 4 of lifetime, …).
enum { SHORTEST_TICKET = 19 };

typedef struct {
    ptls_save_ticket_t super;
    cpq_ticket_fn received;
} ticket_taker;

static int take_ticket(ptls_save_ticket_t *self, ptls_t *tls, ptls_iovec_t input,
                       const ptls_save_ticket_properties_t *properties) {
    const ticket_taker *taker = (const ticket_taker *)self;
    picoquic_cnx_t *cnx = (picoquic_cnx_t *)*ptls_get_data_ptr(tls);
    const char *protocol = ptls_get_negotiated_protocol(tls);
    cpq_ticket ticket;
    (void)properties;
    if (cnx == NULL || protocol == NULL || input.base == NULL || input.len < SHORTEST_TICKET) {
        return 0;
    }
    memset(&ticket, 0, sizeof(ticket));
    ticket.protocol = protocol;
    ticket.version = picoquic_supported_versions[cnx->version_index].version;
    ticket.limits[0] = cnx->remote_parameters.initial_max_data;
    ticket.limits[1] = cnx->remote_parameters.initial_max_stream_data_bidi_local;
    ticket.limits[2] = cnx->remote_parameters.initial_max_stream_data_bidi_remote;
    ticket.limits[3] = cnx->remote_parameters.initial_max_stream_data_uni;
    ticket.limits[4] = cnx->remote_parameters.initial_max_stream_id_bidir;
    ticket.limits[5] = cnx->remote_parameters.initial_max_stream_id_unidir;
    ticket.bytes = input.base;
    ticket.count = input.len;
    taker->received(cnx, &ticket);
    return 0;
}

int cpq_receive_tickets(picoquic_quic_t *quic, cpq_ticket_fn received) {
    ptls_context_t *tls = (ptls_context_t *)quic->tls_master_ctx;
    // The library frees it with the TLS context.
    ticket_taker *taker = malloc(sizeof(ticket_taker));
    if (taker == NULL) {
        return -1;
    }
    taker->super.cb = take_ticket;
    taker->received = received;
    free(tls->save_ticket);
    tls->save_ticket = &taker->super;
    return 0;
}

void *cpq_offer_ticket(picoquic_quic_t *quic, const char *server_name, const cpq_ticket *ticket) {
    picoquic_stored_ticket_t *stored;
    char *rest;
    size_t name_length = strlen(server_name);
    size_t protocol_length = strlen(ticket->protocol);
    size_t i;
    if (ticket->count < SHORTEST_TICKET || ticket->count > UINT16_MAX || name_length > UINT16_MAX ||
        protocol_length > UINT16_MAX) {
        return NULL;
    }
    // One piece of memory, since the library frees it as one. The places for addresses are written to by the library.
    stored = calloc(1, sizeof(*stored) + name_length + 1 + protocol_length + 1 + 2 * PICOQUIC_STORED_IP_MAX +
                           ticket->count);
    if (stored == NULL) {
        return NULL;
    }
    rest = (char *)(stored + 1);
    stored->sni = memcpy(rest, server_name, name_length);
    stored->sni_length = (uint16_t)name_length;
    rest += name_length + 1;
    stored->alpn = memcpy(rest, ticket->protocol, protocol_length);
    stored->alpn_length = (uint16_t)protocol_length;
    rest += protocol_length + 1;
    stored->ip_addr = (uint8_t *)rest;
    rest += PICOQUIC_STORED_IP_MAX;
    stored->ip_addr_client = (uint8_t *)rest;
    rest += PICOQUIC_STORED_IP_MAX;
    stored->ticket = memcpy(rest, ticket->bytes, ticket->count);
    stored->ticket_length = (uint16_t)ticket->count;
    stored->version = ticket->version;
    for (i = 0; i < 6; i++) {
        stored->tp_0rtt[picoquic_tp_0rtt_max_data + i] = ticket->limits[i];
    }
    // Its owner has checked that it is still valid.
    stored->time_valid_until = UINT64_MAX;
    // The library takes the first that fits.
    stored->next_ticket = quic->p_first_ticket;
    quic->p_first_ticket = stored;
    return stored;
}

void cpq_withdraw_ticket(picoquic_quic_t *quic, void *offered) {
    picoquic_stored_ticket_t **link = &quic->p_first_ticket;
    while (*link != NULL && *link != offered) {
        link = &(*link)->next_ticket;
    }
    if (*link != NULL) {
        picoquic_stored_ticket_t *stored = *link;
        *link = stored->next_ticket;
        ptls_clear_memory(stored->ticket, stored->ticket_length);
        free(stored);
    }
}

int cpq_offer_address_token(picoquic_cnx_t *cnx, const uint8_t *bytes, size_t count) {
    uint8_t *copy;
    if (count == 0 || count > UINT16_MAX || cnx->retry_token != NULL) {
        return -1;
    }
    copy = malloc(count);
    if (copy == NULL) {
        return -1;
    }
    memcpy(copy, bytes, count);
    // The library frees it with the connection.
    cnx->retry_token = copy;
    cnx->retry_token_length = (uint16_t)count;
    return 0;
}

size_t cpq_take_address_token(picoquic_cnx_t *cnx, uint8_t *buffer, size_t capacity) {
    picoquic_stored_token_t **link = &cnx->quic->p_first_token;
    size_t count = 0;
    size_t name_length = cnx->sni == NULL ? 0 : strlen(cnx->sni);
    while (*link != NULL) {
        picoquic_stored_token_t *stored = *link;
        if (stored->sni_length != name_length || memcmp(stored->sni, cnx->sni, name_length) != 0) {
            link = &stored->next_token;
            continue;
        }
        // The newest comes first.
        if (count == 0 && stored->was_used == 0 && stored->token_length <= capacity) {
            count = stored->token_length;
            memcpy(buffer, stored->token, count);
        }
        *link = stored->next_token;
        free(stored);
    }
    return count;
}

void cpq_refuse_early_data(picoquic_quic_t *quic) {
    ptls_context_t *tls = (ptls_context_t *)quic->tls_master_ctx;
    tls->max_early_data_size = 0;
}

int cpq_early_data(picoquic_cnx_t *cnx) {
    if (!cnx->client_mode) {
        return cnx->nb_zero_rtt_received > 0 ? CPQ_EARLY_DATA_ACCEPTED : CPQ_EARLY_DATA_NONE;
    }
    if (cnx->nb_zero_rtt_sent == 0) {
        return CPQ_EARLY_DATA_NONE;
    }
    return cnx->zero_rtt_data_accepted ? CPQ_EARLY_DATA_ACCEPTED : CPQ_EARLY_DATA_REFUSED;
}

void cpq_forget_early_limits(picoquic_cnx_t *cnx) {
    const picoquic_tp_t *now = &cnx->remote_parameters;
    picoquic_stream_head_t *stream;
    if (!cnx->client_mode || cnx->zero_rtt_data_accepted) {
        return;
    }
    cnx->maxdata_remote = now->initial_max_data > cnx->data_sent ? now->initial_max_data : cnx->data_sent;
    for (stream = picoquic_first_stream(cnx); stream != NULL; stream = picoquic_next_stream(stream)) {
        uint64_t limit;
        if (!IS_CLIENT_STREAM_ID(stream->stream_id)) {
            continue;
        }
        limit = IS_BIDIR_STREAM_ID(stream->stream_id) ? now->initial_max_stream_data_bidi_remote
                                                      : now->initial_max_stream_data_uni;
        stream->maxdata_remote = limit > stream->sent_offset ? limit : stream->sent_offset;
    }
}
