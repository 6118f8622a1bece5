// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

// Sessions, streams and datagrams as the layers above see them, independent of what carries them.
