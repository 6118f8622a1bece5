// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

// WebTransport sessions over a simulated link in virtual time.
