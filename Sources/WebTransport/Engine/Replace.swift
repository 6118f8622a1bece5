// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Puts a new value in place and returns the old one, so that nothing is accessed any more when the old one is used.
func replace<Value>(_ place: inout Value, with value: Value) -> Value {
    let old = place
    place = value
    return old
}
