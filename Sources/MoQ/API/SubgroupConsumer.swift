// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire
public import WebTransport

/// Takes the objects of one subgroup, in order, as they arrive.
///
/// Used on the loop only. ``finish()`` or ``reset(_:)`` comes once and last. A consumer may close the session or cancel
/// the subscription from inside any of these calls.
public protocol SubgroupConsumer: AnyObject {
    /// An object begins. `payloadLength` bytes follow in any number of calls of ``receive(payload:)``, none if it is 0.
    func beginObject(_ object: ObjectHeader)
    /// The next part of the object that began last. The bytes are shared, not copied.
    func receive(payload: Bytes)
    /// The subgroup is complete.
    func finish()
    /// The subgroup ends early; the object that began last may be incomplete.
    func reset(_ code: StreamResetCode)
}
