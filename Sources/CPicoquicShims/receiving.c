#include "CPicoquicShims.h"

#include <picoquic_internal.h>

int cpq_settle_receiving(picoquic_cnx_t *cnx, uint64_t stream_id, uint64_t *delivered, uint64_t *highest) {
    picoquic_stream_head_t *stream = picoquic_find_stream(cnx, stream_id);
    if (stream == NULL) {
        return -1;
    }
    *delivered = stream->consumed_offset;
    *highest = stream->fin_offset;
    if (stream->reset_received && stream->consumed_offset < stream->fin_offset) {
        stream->consumed_offset = stream->fin_offset;
    }
    return 0;
}

int cpq_is_acknowledged(picoquic_cnx_t *cnx, uint64_t stream_id, uint64_t count) {
    picoquic_stream_head_t *stream = picoquic_find_stream(cnx, stream_id);
    if (stream == NULL || count == 0) {
        return 1;
    }
    return picoquic_check_sack_list(&stream->sack_list, 0, count - 1) != 0;
}

uint64_t cpq_packets_received(picoquic_cnx_t *cnx) {
    return cnx->nb_packets_received;
}
