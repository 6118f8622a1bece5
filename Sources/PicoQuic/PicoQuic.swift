// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

// The one safe wall around the C QUIC stack: contexts, connections, streams and datagrams.
