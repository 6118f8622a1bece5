// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CLoopSupport

/// What a system may have that makes packets cheaper, times more exact, or tells more.
///
/// An endpoint finds out what there is when it opens its sockets, does without the rest, and says so in its log, once
/// each.
package struct SystemFeatures: OptionSet, Sendable, Hashable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    private init(_ value: Int) {
        self.init(rawValue: UInt32(truncatingIfNeeded: value))
    }

    /// The kernel joins datagrams that arrive together.
    package static let joiningDatagrams = SystemFeatures(Int(CLS_JOINS_DATAGRAMS))
    /// The kernel cuts large messages into datagrams.
    package static let cuttingMessages = SystemFeatures(Int(CLS_CUTS_MESSAGES))
    /// It tells which datagrams met congestion (RFC 9000 section 13.4).
    package static let receivingECN = SystemFeatures(Int(CLS_TELLS_ECN))
    /// Datagrams are sent so that congestion can be marked in them.
    package static let sendingECN = SystemFeatures(Int(CLS_MARKS_ECN))
    /// It tells which address a datagram came to.
    package static let destinations = SystemFeatures(Int(CLS_TELLS_DESTINATION))
    /// It tells how many messages it had no room for.
    package static let overflowCount = SystemFeatures(Int(CLS_TELLS_OVERFLOW))
    /// It waits in less than milliseconds.
    package static let preciseWaits = SystemFeatures(Int(CLS_WAITS_PRECISELY))
    /// It wakes threads within a microsecond.
    package static let preciseTimers = SystemFeatures(Int(CLS_WAKES_PRECISELY))
    /// It gives a packet to the one of several loops at a port that it is for.
    package static let steering = SystemFeatures(Int(CLS_STEERS))

    /// What a socket has or has not.
    static let ofSockets: SystemFeatures = [
        .joiningDatagrams, .cuttingMessages, .receivingECN, .sendingECN, .destinations, .overflowCount,
    ]

    /// Everything.
    package static let all: SystemFeatures = [.ofSockets, .preciseWaits, .preciseTimers, .steering]

    /// What the features are called, and what happens without them.
    static let words: [(feature: SystemFeatures, name: String, substitute: String)] = [
        (.joiningDatagrams, "UDP GRO", "datagrams are received one by one"),
        (.cuttingMessages, "UDP GSO", "datagrams are sent one by one"),
        (.receivingECN, "ECN on receiving", "peers hear of congestion only when packets are lost"),
        (.sendingECN, "ECN on sending", "packets leave unmarked, and congestion shows only when they are lost"),
        (.destinations, "IP_PKTINFO", "the system chooses the address that packets leave from"),
        (.overflowCount, "SO_RXQ_OVFL", "what is dropped at full sockets is not counted"),
        (.preciseWaits, "epoll_pwait2", "waits end at whole milliseconds"),
        (.preciseTimers, "PR_SET_TIMERSLACK", "waits may last 50 microseconds longer"),
        (.steering, "SO_ATTACH_REUSEPORT_CBPF", "the loops of a server hand packets over to each other"),
    ]
}
