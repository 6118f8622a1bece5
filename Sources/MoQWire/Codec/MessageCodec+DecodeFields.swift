// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

// Draft 14 writes requests and their answers in fields of their own, and each kind of answer is a message of its own.

extension MessageCodec {
    /// Reads the content of a message that has a form of its own in such a draft; nil when it has the form that it has in
    /// the later drafts, and nothing was read.
    func decodeFields(_ kind: MessageKind, from reader: inout WireReader) throws(MoQWireError) -> MoQMessage? {
        switch kind {
        case .subscribe, .trackStatus, .subscribeUpdate, .publish, .fetch, .subscribeNamespace:
            return try self.requestFields(kind, from: &reader)
        case .subscribeOk, .publishOk, .fetchOk, .trackStatusOk:
            return try self.successFields(kind, from: &reader)
        case .publishNamespaceOk:
            return .requestOk(RequestOk(requestID: try Self.id(from: &reader), answers: .publishNamespace))
        case .subscribeNamespaceOk:
            return .requestOk(RequestOk(requestID: try Self.id(from: &reader), answers: .subscribeNamespace))
        case .publishNamespaceDone:
            let namespace = try reader.readNamespace(minimum: 1)
            return .publishNamespaceDone(PublishNamespaceDone(namespace: namespace))
        case .publishNamespaceCancel:
            let namespace = try reader.readNamespace(minimum: 1)
            let code = try self.requestError(.publishNamespace, from: &reader)
            let reason = try reader.readReason()
            return .publishNamespaceCancel(PublishNamespaceCancel(namespace: namespace, code: code, reason: reason))
        case .unsubscribeNamespace:
            return .unsubscribeNamespace(UnsubscribeNamespace(prefix: try reader.readNamespace(minimum: 1)))
        default:
            guard let request = kind.failedRequest else {
                return nil
            }
            let id = try Self.id(from: &reader)
            let code = try self.requestError(request, from: &reader)
            let reason = try reader.readReason()
            return .requestError(RequestError(requestID: id, answers: request, code: code, reason: reason))
        }
    }

    private func requestError(
        _ kind: RequestKind,
        from reader: inout WireReader
    ) throws(MoQWireError) -> RequestErrorCode {
        RequestErrorCode(wireValue: try reader.readInteger(), in: self.profile, answering: kind)
    }

    private func requestFields(
        _ kind: MessageKind,
        from reader: inout WireReader
    ) throws(MoQWireError) -> MoQMessage {
        let id = try Self.id(from: &reader)
        switch kind {
        case .subscribe, .trackStatus:
            let track = try reader.readFullTrackName(in: self.profile)
            let priority = try reader.readByte()
            let order = try Self.groupOrder(from: &reader, allowsNone: true)
            let forward = try Self.flag(from: &reader, "Forward")
            let filter = try SubscriptionFilter(from: &reader, endGroupIsDelta: false)
            let scope: ParameterScope = kind == .subscribe ? .subscribe : .trackStatus
            let set = try ParameterSet(from: &reader, scope: scope, profile: self.profile)
            var parameters = set.subscription
            parameters.subscriberPriority = priority
            parameters.groupOrder = order
            parameters.forward = forward
            parameters.filter = filter
            if kind == .trackStatus {
                let message = TrackStatus(requestID: id, track: track, parameters: parameters, tokens: set.tokens)
                return .trackStatus(message)
            }
            return .subscribe(Subscribe(requestID: id, track: track, parameters: parameters, tokens: set.tokens))
        case .subscribeUpdate:
            return .requestUpdate(try self.updateFields(id, from: &reader))
        case .publish:
            return .publish(try self.publishFields(id, from: &reader))
        case .fetch:
            let priority = try reader.readByte()
            let order = try Self.groupOrder(from: &reader, allowsNone: true)
            let target = try self.fetchTarget(from: &reader)
            let set = try ParameterSet(from: &reader, scope: .fetch, profile: self.profile)
            return .fetch(
                Fetch(
                    requestID: id,
                    target: target,
                    subscriberPriority: priority,
                    groupOrder: order,
                    tokens: set.tokens
                )
            )
        default:
            let prefix = try reader.readNamespace(minimum: 1)
            let set = try ParameterSet(from: &reader, scope: .subscribeNamespace, profile: self.profile)
            return .subscribeNamespace(
                SubscribeNamespace(requestID: id, prefix: prefix, interest: .both, tokens: set.tokens)
            )
        }
    }

    private func updateFields(
        _ id: RequestID,
        from reader: inout WireReader
    ) throws(MoQWireError) -> RequestUpdate {
        let existing = try Self.id(from: &reader)
        let start = try reader.readLocation()
        // One more than the last group, so that 0 can mean that there is no end.
        let end = try reader.readInteger()
        let priority = try reader.readByte()
        let forward = try Self.flag(from: &reader, "Forward")
        let set = try ParameterSet(from: &reader, scope: .updateSubscription, profile: self.profile)
        var parameters = set.subscription
        parameters.subscriberPriority = priority
        parameters.forward = forward
        parameters.filter = end == 0 ? .absoluteStart(start) : .absoluteRange(start: start, endGroup: end - 1)
        return RequestUpdate(
            requestID: id,
            existingRequestID: existing,
            parameters: parameters,
            tokens: set.tokens
        )
    }

    private func publishFields(_ id: RequestID, from reader: inout WireReader) throws(MoQWireError) -> Publish {
        let track = try reader.readFullTrackName(in: self.profile)
        let alias = TrackAlias(try reader.readInteger())
        let order = try Self.groupOrder(from: &reader, allowsNone: false) ?? .ascending
        let largest = try Self.largest(from: &reader)
        let forward = try Self.flag(from: &reader, "Forward")
        let set = try ParameterSet(from: &reader, scope: .publish, profile: self.profile)
        return Publish(
            requestID: id,
            track: track,
            trackAlias: alias,
            largestObject: largest,
            forward: forward,
            tokens: set.tokens,
            properties: try TrackFields(groupOrder: order, set).properties(coding: self.profile.coding)
        )
    }

    private func successFields(
        _ kind: MessageKind,
        from reader: inout WireReader
    ) throws(MoQWireError) -> MoQMessage {
        let id = try Self.id(from: &reader)
        switch kind {
        case .publishOk:
            let forward = try Self.flag(from: &reader, "Forward")
            let priority = try reader.readByte()
            let order = try Self.groupOrder(from: &reader, allowsNone: false)
            let filter = try SubscriptionFilter(from: &reader, endGroupIsDelta: false)
            let set = try ParameterSet(from: &reader, scope: .publishOk, profile: self.profile)
            var parameters = set.subscription
            parameters.forward = forward
            parameters.subscriberPriority = priority
            parameters.groupOrder = order
            parameters.filter = filter
            return .publishOk(PublishOk(requestID: id, parameters: parameters))
        case .fetchOk:
            let order = try Self.groupOrder(from: &reader, allowsNone: false)
            let endOfTrack = try Self.flag(from: &reader, "End Of Track")
            let end = FetchEnd(wire: try reader.readLocation())
            let set = try ParameterSet(from: &reader, scope: .fetchOk, profile: self.profile)
            return .fetchOk(
                FetchOk(
                    requestID: id,
                    endOfTrack: endOfTrack,
                    end: end,
                    groupOrder: order,
                    // The order is that of the answer, and says nothing about the track.
                    properties: try TrackFields(groupOrder: .ascending, set).properties(coding: self.profile.coding)
                )
            )
        default:
            let alias = TrackAlias(try reader.readInteger())
            let expires = try reader.readInteger()
            let order = try Self.groupOrder(from: &reader, allowsNone: false) ?? .ascending
            let largest = try Self.largest(from: &reader)
            let scope: ParameterScope = kind == .subscribeOk ? .subscribeOk : .trackStatusOk
            let set = try ParameterSet(from: &reader, scope: scope, profile: self.profile)
            let properties = try TrackFields(groupOrder: order, set).properties(coding: self.profile.coding)
            if kind == .trackStatusOk {
                // The alias says nothing here; senders set it to 0.
                return .requestOk(
                    RequestOk(
                        requestID: id,
                        answers: .trackStatus,
                        expires: expires == 0 ? nil : expires,
                        largestObject: largest,
                        properties: properties
                    )
                )
            }
            return .subscribeOk(
                SubscribeOk(
                    requestID: id,
                    trackAlias: alias,
                    expires: expires == 0 ? nil : expires,
                    largestObject: largest,
                    groupOrder: order,
                    properties: properties
                )
            )
        }
    }

    // MARK: Fields

    private static func flag(from reader: inout WireReader, _ name: String) throws(MoQWireError) -> Bool {
        let byte = try reader.readByte()
        guard byte <= 1 else {
            throw MoQWireError(code: .protocolViolation, reason: "\(name) is neither 0 nor 1")
        }
        return byte == 1
    }

    /// Reads a group order; nil for "as the publisher likes", which only requests may say.
    private static func groupOrder(
        from reader: inout WireReader,
        allowsNone: Bool
    ) throws(MoQWireError) -> GroupOrder? {
        let byte = try reader.readByte()
        if byte == 0, allowsNone {
            return nil
        }
        guard let order = GroupOrder(rawValue: byte) else {
            throw .violation("unknown group order")
        }
        return order
    }

    /// Reads whether there is content, and if so the largest location.
    private static func largest(from reader: inout WireReader) throws(MoQWireError) -> Location? {
        try self.flag(from: &reader, "Content Exists") ? try reader.readLocation() : nil
    }
}

extension MessageKind {
    /// The kind of request whose failure is reported by a message of its own; nil for all other messages.
    var failedRequest: RequestKind? {
        switch self {
        case .subscribeError: .subscribe
        case .publishError: .publish
        case .fetchError: .fetch
        case .trackStatusError: .trackStatus
        case .publishNamespaceError: .publishNamespace
        case .subscribeNamespaceError: .subscribeNamespace
        default: nil
        }
    }
}
