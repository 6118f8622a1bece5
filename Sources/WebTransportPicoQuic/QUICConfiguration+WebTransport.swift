// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import PicoQuic
public import WebTransport

extension QUICConfiguration {
    /// Takes over the windows and stream limits of the sessions that the endpoint's connections will carry, and lets these
    /// open the windows as they consume.
    ///
    /// Without it a session would close connections whose peers send as much as the library allows them.
    public mutating func adopt(_ transport: WebTransportConfiguration) {
        self.flowControl = .application
        self.streamReceiveWindow = UInt64(clamping: transport.streamReceiveWindow)
        self.connectionReceiveWindow = UInt64(clamping: transport.sessionReceiveWindow)
        self.maximumIncomingUnidirectionalStreams = UInt64(clamping: transport.maximumIncomingUnidirectionalStreams)
        self.maximumIncomingBidirectionalStreams = UInt64(clamping: transport.maximumIncomingBidirectionalStreams)
    }
}
