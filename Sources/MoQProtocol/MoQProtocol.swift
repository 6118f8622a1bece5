// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

// The state machines of a MoQ session, free of clocks, threads and sockets.
