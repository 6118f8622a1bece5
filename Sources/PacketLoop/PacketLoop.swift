// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

// The loop that everything of a shard runs on: executors, timers, wake-up and the two doors.
