// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

// The writing half of MessageCodec+DecodeFields.swift. Fields have to have a value: what the model leaves open gets the
// draft's default where there is one.

extension MessageCodec {
    /// The priority that a request has when it does not say one.
    private static let defaultPriority: UInt8 = 128

    /// The kind of message that such a draft has for what the later drafts say with one for all; nil for other messages.
    func fieldKind(of message: MoQMessage) -> MessageKind? {
        switch message {
        case .requestUpdate: return .subscribeUpdate
        case .requestOk(let message):
            switch message.answers {
            case .publishNamespace: return .publishNamespaceOk
            case .subscribeNamespace: return .subscribeNamespaceOk
            case .trackStatus: return .trackStatusOk
            default: return nil
            }
        case .requestError(let message):
            switch message.answers {
            case .subscribe: return .subscribeError
            case .publish: return .publishError
            case .fetch: return .fetchError
            case .trackStatus: return .trackStatusError
            case .publishNamespace: return .publishNamespaceError
            case .subscribeNamespace: return .subscribeNamespaceError
            default: return nil
            }
        default: return nil
        }
    }

    /// Appends the content of a message that has a form of its own in such a draft.
    ///
    /// - Returns: whether it has one; if not, nothing was written.
    func encodeFields(_ message: MoQMessage, into writer: inout WireWriter) throws(MoQWireError) -> Bool {
        switch message {
        case .subscribe(let message):
            try writer.write(integer: message.requestID.rawValue)
            try writer.write(message.track, in: self.profile)
            try self.write(message.parameters, .subscribe, tokens: message.tokens, into: &writer)
        case .trackStatus(let message):
            try writer.write(integer: message.requestID.rawValue)
            try writer.write(message.track, in: self.profile)
            try self.write(message.parameters, .trackStatus, tokens: message.tokens, into: &writer)
        case .requestUpdate(let message):
            try self.writeFields(message, into: &writer)
        case .publish(let message):
            try self.writeFields(message, into: &writer)
        case .fetch(let message):
            try writer.write(integer: message.requestID.rawValue)
            writer.write(byte: message.subscriberPriority ?? Self.defaultPriority)
            writer.write(byte: message.groupOrder?.rawValue ?? 0)
            try self.encode(message.target, into: &writer)
            var set = ParameterSet(tokens: message.tokens)
            set.fillTimeout = message.fillTimeout
            try set.encode(into: &writer, scope: .fetch, profile: self.profile)
        case .subscribeNamespace(let message):
            guard message.interest == .both, message.forward == nil else {
                throw .notExpressible("SUBSCRIBE_NAMESPACE asks for namespaces and tracks alike in \(self.profile)")
            }
            try writer.write(integer: message.requestID.rawValue)
            try writer.write(message.prefix, minimum: 1)
            let set = ParameterSet(tokens: message.tokens)
            try set.encode(into: &writer, scope: .subscribeNamespace, profile: self.profile)
        case .subscribeOk, .publishOk, .fetchOk, .requestOk, .requestError:
            try self.writeAnswer(message, into: &writer)
        case .publishNamespaceDone(let message):
            try writer.write(try self.named(message.namespace), minimum: 1)
        case .publishNamespaceCancel(let message):
            try writer.write(try self.named(message.namespace), minimum: 1)
            try writer.write(integer: message.code.wireValue(in: self.profile, answering: .publishNamespace))
            try writer.write(message.reason)
        case .unsubscribeNamespace(let message):
            try writer.write(message.prefix, minimum: 1)
        default:
            return false
        }
        return true
    }

    private func named(_ namespace: TrackNamespace?) throws(MoQWireError) -> TrackNamespace {
        guard let namespace else {
            throw .notExpressible("the message must name a namespace in \(self.profile)")
        }
        return namespace
    }

    /// Appends priority, order, forward state, filter and parameters of a subscription.
    private func write(
        _ parameters: SubscriptionParameters,
        _ scope: ParameterScope,
        tokens: [AuthorizationToken],
        into writer: inout WireWriter
    ) throws(MoQWireError) {
        writer.write(byte: parameters.subscriberPriority ?? Self.defaultPriority)
        writer.write(byte: parameters.groupOrder?.rawValue ?? 0)
        writer.write(byte: parameters.forward == false ? 0 : 1)
        try self.write(filter: parameters.filter, into: &writer)
        try self.writeRest(of: parameters, scope, tokens: tokens, into: &writer)
    }

    /// Appends a filter. Where the model has none, everything is wanted.
    private func write(filter: SubscriptionFilter?, into writer: inout WireWriter) throws(MoQWireError) {
        let filter = filter ?? .unfiltered
        writer.write(bytes: try filter.encoded(integers: self.profile.coding.integers, endGroupIsDelta: false))
    }

    /// Appends the parameters of a subscription that are not fields.
    private func writeRest(
        of parameters: SubscriptionParameters,
        _ scope: ParameterScope,
        tokens: [AuthorizationToken],
        into writer: inout WireWriter
    ) throws(MoQWireError) {
        var set = ParameterSet(parameters, tokens: tokens)
        set.subscriberPriority = nil
        set.groupOrder = nil
        set.forward = nil
        set.filter = nil
        try set.encode(into: &writer, scope: scope, profile: self.profile)
    }

    /// An update says everything anew, so the model has to.
    private func writeFields(_ message: RequestUpdate, into writer: inout WireWriter) throws(MoQWireError) {
        let parameters = message.parameters
        guard let existing = message.existingRequestID, let priority = parameters.subscriberPriority,
            let forward = parameters.forward, let filter = parameters.filter, parameters.groupOrder == nil,
            message.namespacePrefix == nil
        else {
            throw .notExpressible(
                "SUBSCRIBE_UPDATE of \(self.profile) needs request, priority, forward state and filter, and no more"
            )
        }
        let start: Location
        var end: UInt64 = 0
        switch filter {
        case .unfiltered:
            start = Location(group: 0, object: 0)
        case .absoluteStart(let location):
            start = location
        case .absoluteRange(let location, let group) where group >= location.group && group < .max:
            start = location
            end = group + 1
        default:
            throw .notExpressible("SUBSCRIBE_UPDATE of \(self.profile) has an absolute range")
        }
        try writer.write(integer: message.requestID.rawValue)
        try writer.write(integer: existing.rawValue)
        try writer.write(start)
        try writer.write(integer: end)
        writer.write(byte: priority)
        writer.write(byte: forward ? 1 : 0)
        try self.writeRest(of: parameters, .updateSubscription, tokens: message.tokens, into: &writer)
    }

    private func writeFields(_ message: Publish, into writer: inout WireWriter) throws(MoQWireError) {
        guard (message.expires ?? 0) == 0 else {
            throw .notExpressible("PUBLISH does not say when it expires in \(self.profile)")
        }
        let fields = TrackFields(message.properties)
        try writer.write(integer: message.requestID.rawValue)
        try writer.write(message.track, in: self.profile)
        try writer.write(integer: message.trackAlias.rawValue)
        writer.write(byte: fields.groupOrder.rawValue)
        try Self.write(largest: message.largestObject, into: &writer)
        writer.write(byte: message.forward == false ? 0 : 1)
        var set = fields.parameters
        set.tokens = message.tokens
        try set.encode(into: &writer, scope: .publish, profile: self.profile)
    }

    /// Appends whether there is content, and if so the largest location.
    private static func write(largest: Location?, into writer: inout WireWriter) throws(MoQWireError) {
        writer.write(byte: largest == nil ? 0 : 1)
        if let largest {
            try writer.write(largest)
        }
    }

    private func writeAnswer(_ message: MoQMessage, into writer: inout WireWriter) throws(MoQWireError) {
        guard let id = message.requestID else {
            throw .notExpressible("the message must name a request in \(self.profile)")
        }
        try writer.write(integer: id.rawValue)
        switch message {
        case .subscribeOk(let message):
            try writer.write(integer: message.trackAlias.rawValue)
            try self.writeStanding(
                expires: message.expires,
                largest: message.largestObject,
                order: message.groupOrder,
                message.properties,
                .subscribeOk,
                into: &writer
            )
        case .requestOk(let message):
            if message.answers == .trackStatus {
                try writer.write(integer: 0)
                try self.writeStanding(
                    expires: message.expires,
                    largest: message.largestObject,
                    message.properties,
                    .trackStatusOk,
                    into: &writer
                )
            } else if message != RequestOk(requestID: message.requestID, answers: message.answers) {
                throw .notExpressible("the answer says only that all is well in \(self.profile)")
            }
        case .publishOk(let message):
            guard (message.expires ?? 0) == 0 else {
                throw .notExpressible("PUBLISH_OK does not say when it expires in \(self.profile)")
            }
            let parameters = message.parameters
            // "As the publisher likes" has no number here, and any other order would overwrite the publisher's.
            guard let order = parameters.groupOrder else {
                throw .notExpressible("PUBLISH_OK must say the group order in \(self.profile)")
            }
            writer.write(byte: parameters.forward == false ? 0 : 1)
            writer.write(byte: parameters.subscriberPriority ?? Self.defaultPriority)
            writer.write(byte: order.rawValue)
            try self.write(filter: parameters.filter, into: &writer)
            try self.writeRest(of: parameters, .publishOk, tokens: [], into: &writer)
        case .fetchOk(let message):
            let fields = TrackFields(message.properties)
            writer.write(byte: (message.groupOrder ?? fields.groupOrder).rawValue)
            writer.write(byte: message.endOfTrack ? 1 : 0)
            try writer.write(message.end.wire)
            var set = fields.parameters
            set.objectDeliveryTimeout = nil
            try set.encode(into: &writer, scope: .fetchOk, profile: self.profile)
        case .requestError(let message):
            guard message.retryAfter == nil, message.redirect == nil else {
                throw .notExpressible("a failure has only a code and a reason in \(self.profile)")
            }
            try writer.write(integer: message.code.wireValue(in: self.profile, answering: message.answers))
            try writer.write(message.reason)
        default:
            break
        }
    }

    /// Appends how a track stands: the part that SUBSCRIBE_OK and TRACK_STATUS_OK share.
    private func writeStanding(
        expires: UInt64?,
        largest: Location?,
        order: GroupOrder? = nil,
        _ properties: PropertyList,
        _ scope: ParameterScope,
        into writer: inout WireWriter
    ) throws(MoQWireError) {
        let fields = TrackFields(properties)
        try writer.write(integer: expires ?? 0)
        writer.write(byte: (order ?? fields.groupOrder).rawValue)
        try Self.write(largest: largest, into: &writer)
        try fields.parameters.encode(into: &writer, scope: scope, profile: self.profile)
    }
}
