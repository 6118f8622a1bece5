// What Swift cannot import of picoquic: function-like macros, variadic functions, private fields. And what it needs of
// OpenSSL, so that Swift never sees OpenSSL's types: credentials, self-signed certificates, certificate verification.
#ifndef MOQINGBIRD_CPICOQUIC_SHIMS_H
#define MOQINGBIRD_CPICOQUIC_SHIMS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <picoquic.h>
#include <picoquic_packet_loop.h>

// MARK: - The library

/// Fills the library's tables of cryptography and of congestion control, which all contexts share. To be called once,
/// before the first context: the library would do the former in the first context, unguarded against a second thread.
void cpq_prepare_library(void);

// MARK: - Loops of ours

/// Makes the calling thread the one that may call the library with this context, for a library that checks it.
void cpq_claim_thread(picoquic_quic_t *quic);

/// The ECN bits that the context's congestion control wants on all packets.
uint8_t cpq_ecn_mark(picoquic_quic_t *quic);

/// Has each connection ID that the context gives out from now on begin with a byte that is `index` modulo `count`, which is
/// 2 to 256. Everything else about it stays random.
void cpq_mark_connection_ids(picoquic_quic_t *quic, unsigned index, unsigned count);

/// For how many packets to come the library keeps memory. It keeps that of each one that has been acknowledged, up to
/// 14 MB, as long as there is the context.
int cpq_spare_packets(picoquic_quic_t *quic);

/// Gives half of that back, as far as it is for more than `least` packets. Not from inside the library's callbacks.
void cpq_trim_packets(picoquic_quic_t *quic, int least);

// MARK: - Connections

/// The version of picoquic that these shims were compiled against, as in its header ("1.1.53.0").
const char *cpq_compiled_version(void);

/// The options that a connection's congestion control was given, or NULL. Valid as long as the context.
const char *cpq_congestion_options(picoquic_cnx_t *cnx);

/// Whether both sides take part in the ACK frequency extension. Known when the handshake is complete.
int cpq_has_ack_frequency(picoquic_cnx_t *cnx);

/// The words that the peer gave with its close, or NULL. Valid as long as the connection.
const char *cpq_remote_reason(picoquic_cnx_t *cnx);

/// Has the library look for something to send as soon as it has its turn. Not from inside its callbacks.
void cpq_look_again(picoquic_cnx_t *cnx);

/// How many streams of a kind the peer allows altogether, and how many have been taken so far.
uint64_t cpq_stream_limit(picoquic_cnx_t *cnx, int is_unidirectional);
uint64_t cpq_streams_taken(picoquic_cnx_t *cnx, int is_unidirectional);

enum {
    CPQ_SEND_NO_STREAM = 0,
    CPQ_SEND_OPEN = 1,
    CPQ_SEND_FINISHED = 2,
    CPQ_SEND_RESET = 3
};

/// How far sending on a stream has come: one of the values above.
int cpq_send_state(picoquic_cnx_t *cnx, uint64_t stream_id);

/// Whether the first `count` bytes that were sent on a stream were acknowledged; 1 as well when there is no such stream.
int cpq_is_acknowledged(picoquic_cnx_t *cnx, uint64_t stream_id, uint64_t count);

/// Lets the peer send on a stream up to an absolute offset. Returns 0, or picoquic's error.
int cpq_raise_stream_window(picoquic_cnx_t *cnx, uint64_t stream_id, uint64_t limit);

/// Lets the peer send up to so many bytes over all streams. Returns 0, or picoquic's error.
int cpq_raise_connection_window(picoquic_cnx_t *cnx, uint64_t limit);

/// Attaches a context to a stream that exists, whatever its state. Returns 0, or -1 when there is no such stream.
int cpq_attach_stream_context(picoquic_cnx_t *cnx, uint64_t stream_id, void *stream_ctx);

/// How much of a stream of the peer was taken in order, and the highest offset that the peer used. What a reset stream
/// misses counts as taken from then on, so that the peer is allowed another stream. Returns 0, or -1 without a stream.
int cpq_settle_receiving(picoquic_cnx_t *cnx, uint64_t stream_id, uint64_t *delivered, uint64_t *highest);

/// The largest datagram payload that fits the path as it is known now and that the peer takes; 0 when it takes none.
size_t cpq_maximum_datagram(picoquic_cnx_t *cnx);

/// How many packets of the peer were handled.
uint64_t cpq_packets_received(picoquic_cnx_t *cnx);

/// Whether the first flight towards an unreachable peer is all that ever happened on a connection.
int cpq_has_received(picoquic_cnx_t *cnx);

/// Lets a client recognise a stateless reset as soon as it can send. The library itself would not before the server has
/// confirmed the handshake, and a server that is gone by then never does.
void cpq_expect_stateless_reset(picoquic_cnx_t *cnx);

// MARK: - Coming back

/// A ticket of a server (RFC 8446 section 4.6.1) and what the connection that got it knew.
typedef struct {
    /// The application protocol.
    const char *protocol;
    /// The version of QUIC.
    uint32_t version;
    /// What the server allowed to be sent (RFC 9000 section 7.4.1): altogether, on bidirectional streams of its own and of
    /// ours, on unidirectional streams; how many streams of each kind.
    uint64_t limits[6];
    /// The ticket, as picotls writes it.
    const uint8_t *bytes;
    size_t count;
} cpq_ticket;

/// Called on the loop's thread when a server has sent a ticket, which is valid during the call.
typedef void (*cpq_ticket_fn)(picoquic_cnx_t *cnx, const cpq_ticket *ticket);

/// Has the tickets that a context receives given to a function instead of being kept. Returns 0, or -1 without memory.
int cpq_receive_tickets(picoquic_quic_t *quic, cpq_ticket_fn received);

/// Lets the next connection to a server use a ticket. To be called before it is started, and withdrawn when it is over.
/// Returns NULL when the ticket cannot be used.
void *cpq_offer_ticket(picoquic_quic_t *quic, const char *server_name, const cpq_ticket *ticket);
void cpq_withdraw_ticket(picoquic_quic_t *quic, void *offered);

/// Gives a connection that is not started yet the address token (RFC 9000 section 8.1.3) of an earlier one. Returns 0, or
/// -1 when it cannot be used.
int cpq_offer_address_token(picoquic_cnx_t *cnx, const uint8_t *bytes, size_t count);

/// Moves the newest address token that the server of a connection has sent into a buffer and forgets all others of it.
/// Returns its length; 0 when there is none, or none that fits.
size_t cpq_take_address_token(picoquic_cnx_t *cnx, uint8_t *buffer, size_t capacity);

/// Makes a server refuse 0-RTT data, and say so in its tickets.
void cpq_refuse_early_data(picoquic_quic_t *quic);

enum {
    CPQ_EARLY_DATA_NONE = 0,
    CPQ_EARLY_DATA_REFUSED = 1,
    CPQ_EARLY_DATA_ACCEPTED = 2
};

/// What became of 0-RTT data; final when the handshake is complete.
int cpq_early_data(picoquic_cnx_t *cnx);

/// Replaces the limits that a client remembered by those that the server has now, when it has refused 0-RTT data. The
/// library would go on with the larger ones, and break the smaller ones.
void cpq_forget_early_limits(picoquic_cnx_t *cnx);

// MARK: - Addresses

/// Writes "1.2.3.4" or "::1" (with %scope where there is one) and the port. Returns 0, or -1 for another family.
int cpq_format_address(const struct sockaddr *address, char *text, size_t text_size, uint16_t *port);

/// Reads a numeric address. Returns 0, or -1 when the text is none.
int cpq_parse_address(const char *text, uint16_t port, struct sockaddr_storage *address);

/// Tries to bind a UDP socket to an address and closes it again. Returns 0, or errno.
int cpq_probe_bind(const struct sockaddr *address);

/// Takes a UDP port that nobody else has, for sockets of this process to share: binds one that then lets others in. With
/// port 0 the system chooses. Returns the descriptor, which the caller closes, and the port; or -1 with errno set.
int cpq_reserve_port(const struct sockaddr *address, uint16_t *port);

/// Asks the kernel whether it has a route to an address, without sending anything. Returns 0, or errno.
int cpq_probe_route(const struct sockaddr *address);

/// Opens a UDP socket that is connected to an address and never blocks, for `cpq_knock`. Returns -1 when there is none.
/// The caller closes it.
int cpq_open_knocker(const struct sockaddr *address);

/// Sends one byte, which no QUIC endpoint takes for a packet, and returns what the system has been told of the address
/// since: 0, or an error number, ECONNREFUSED when nobody has the port.
int cpq_knock(int fd);

// MARK: - The network thread

/// Called on the network thread when it ends, for whatever reason, with picoquic's return code. It may free the QUIC
/// context, which the loop is done with.
typedef void (*cpq_thread_ended_fn)(void *context, int return_code);

typedef struct cpq_network_thread cpq_network_thread;

/// Starts picoquic's packet loop on a thread of its own that takes no signals. `param` and `context` must stay valid
/// until `cpq_join_network_thread` has returned. `ended` is called exactly once if this returns non-NULL.
cpq_network_thread *cpq_start_network_thread(picoquic_quic_t *quic, picoquic_packet_loop_param_t *param,
                                             const char *name, picoquic_packet_loop_cb_fn callback, void *context,
                                             cpq_thread_ended_fn ended);

/// Wakes the loop. Callable from any thread until `cpq_join_network_thread`.
void cpq_wake_network_thread(cpq_network_thread *thread);

/// Ends the loop if it still runs, waits for the thread and frees the handle. Never called on the network thread.
void cpq_join_network_thread(cpq_network_thread *thread);

// MARK: - Certificates

enum {
    CPQ_CREDENTIALS_OK = 0,
    CPQ_CERTIFICATE_UNREADABLE = 1,
    CPQ_KEY_UNREADABLE = 2,
    CPQ_CREDENTIALS_MISMATCH = 3
};

/// Whether two PEM files hold a certificate and the key that belongs to it. Never asks for a pass phrase.
int cpq_check_credentials(const char *certificate_file, const char *key_file);

/// Whether a PEM file holds at least one certificate. Returns 1 or 0.
int cpq_has_certificates(const char *file);

/// Makes an ECDSA P-256 key and a certificate for it that is signed with the same key, valid for `days` days.
/// `alternative_names` is a list as OpenSSL writes it ("DNS:localhost,IP:127.0.0.1"). The texts are PEM, to be given
/// back with `cpq_free_text`. Returns 0, or -1.
int cpq_make_self_signed(int days, const char *common_name, const char *alternative_names, char **certificate,
                         char **key, uint8_t sha256[32]);
void cpq_free_text(char *text);

/// The SHA-256 of the first certificate (DER) of a PEM text. Returns 0, or -1.
int cpq_certificate_digest(const void *pem, size_t count, uint8_t sha256[32]);

enum {
    CPQ_VERIFY_SYSTEM = 0,
    CPQ_VERIFY_FILE = 1,
    CPQ_VERIFY_PINNED = 2,
    CPQ_VERIFY_NOTHING = 3
};

/// Installs how a context verifies its peers' certificates. In every mode the peer has to prove that it holds the
/// certificate's key. `ca_file` is for CPQ_VERIFY_FILE; `digests` holds `digest_count` times 32 bytes for
/// CPQ_VERIFY_PINNED. Returns 0, or -1 when the roots cannot be loaded.
int cpq_install_verifier(picoquic_quic_t *quic, int mode, const char *ca_file, const uint8_t *digests,
                         size_t digest_count);

#endif
