// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

// WebTransport sessions over picoquic: raw QUIC.
