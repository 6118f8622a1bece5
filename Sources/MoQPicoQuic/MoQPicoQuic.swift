// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

// MoQ servers and clients on picoquic.
