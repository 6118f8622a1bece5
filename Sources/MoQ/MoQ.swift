// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

// Sessions, publishers and subscribers of Media over QUIC Transport.
