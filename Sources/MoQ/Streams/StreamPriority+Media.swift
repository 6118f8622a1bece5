// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

extension StreamPriority {
    /// Where a media stream stands: by the subscriber's priority, then by the publisher's (draft-18 §7.2).
    ///
    /// The transport has fewer levels than the draft has pairs of priorities, so the subscriber's is cut to eight steps
    /// and the publisher's to thirteen. Streams of one level go in the order they were opened, which is the ascending order
    /// of groups; `isOlderGroup` puts a stream one step back, for subscribers that want the newest group first.
    static func media(subscriber: UInt8, publisher: UInt8, isOlderGroup: Bool) -> StreamPriority {
        let level = (UInt(subscriber) >> 5) * 14 + UInt(publisher) * 13 / 256 + (isOlderGroup ? 1 : 0)
        return StreamPriority(rawValue: UInt8(clamping: 17 + 2 * level))
    }
}
