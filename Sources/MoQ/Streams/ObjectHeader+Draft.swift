// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

// Tracks come in one draft and go out in another. What the other cannot say of an object without payload is left out:
// that an object does not exist follows from its absence.

extension ObjectHeader {
    /// The object as a draft with these rules has it; nil when it has no such status.
    func adapted(to rules: DataPlaneRules) -> ObjectHeader? {
        guard self.status.exists(in: rules) else {
            return nil
        }
        guard self.status != .normal, !rules.objectsMayBeMissing, !self.properties.isEmpty else {
            return self
        }
        var header = self
        header.properties = PropertyList()
        return header
    }
}

extension ObjectDatagram {
    /// The datagram as a draft with these rules has it; nil when it has no such status.
    func adapted(to rules: DataPlaneRules) -> ObjectDatagram? {
        guard self.status.exists(in: rules) else {
            return nil
        }
        guard self.status != .normal, !rules.objectsMayBeMissing, !self.properties.isEmpty else {
            return self
        }
        var datagram = self
        datagram.properties = PropertyList()
        return datagram
    }
}

extension ObjectStatus {
    fileprivate func exists(in rules: DataPlaneRules) -> Bool {
        self != .doesNotExist || rules.objectsMayBeMissing
    }
}
