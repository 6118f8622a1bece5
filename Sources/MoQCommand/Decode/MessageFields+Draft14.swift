// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

// Draft 14 says in fields what the later drafts say in parameters and properties.

extension MessageFields {
    /// Adds the fields of a message that has a form of its own in draft 14.
    ///
    /// - Returns: whether it has one; if not, nothing was added.
    mutating func addFields(of message: MoQMessage) -> Bool {
        switch message {
        case .subscribe(let message):
            self.add(message.requestID, message.track)
            self.addSubscription(message.parameters, tokens: message.tokens)
        case .trackStatus(let message):
            self.add(message.requestID, message.track)
            self.addSubscription(message.parameters, tokens: message.tokens)
        case .requestUpdate(let message):
            self.addUpdate(message)
        case .publish(let message):
            self.add(message.requestID, message.track)
            self.object.add("track_alias", message.trackAlias.rawValue)
            self.addOrder(message.properties.defaultPublisherGroupOrder ?? .ascending)
            self.addLargest(message.largestObject)
            self.object.add("forward", message.forward == false ? 0 : 1)
            self.addParameters(of: message.properties, tokens: message.tokens)
        case .fetch(let message):
            self.object.add("request_id", message.requestID.rawValue)
            self.object.add("subscriber_priority", message.subscriberPriority.map { UInt64($0) })
            self.addOrder(message.groupOrder)
            self.add(message.target)
            self.addParameters(of: PropertyList(), tokens: message.tokens)
        case .subscribeNamespace(let message):
            self.object.add("request_id", message.requestID.rawValue)
            self.object.add("track_namespace_prefix", .namespace(message.prefix))
            self.addParameters(of: PropertyList(), tokens: message.tokens)
        case .subscribeOk, .publishOk, .fetchOk, .requestOk, .requestError:
            self.addAnswerFields(of: message)
        case .publishNamespaceDone(let message):
            self.object.add("track_namespace", message.namespace.map(JSONValue.namespace))
        case .publishNamespaceCancel(let message):
            self.object.add("track_namespace", message.namespace.map(JSONValue.namespace))
            self.object.add("error_code", message.code.wireValue(in: self.profile, answering: .publishNamespace))
            self.object.add("error_reason", .text(message.reason.text))
        case .unsubscribeNamespace(let message):
            self.object.add("track_namespace_prefix", .namespace(message.prefix))
        default:
            return false
        }
        return true
    }

    private mutating func addAnswerFields(of message: MoQMessage) {
        self.object.add("request_id", message.requestID?.rawValue)
        switch message {
        case .subscribeOk(let message):
            self.object.add("track_alias", message.trackAlias.rawValue)
            self.object.add("expires", message.expires ?? 0)
            self.addOrder(message.groupOrder ?? message.properties.defaultPublisherGroupOrder ?? .ascending)
            self.addLargest(message.largestObject)
            self.addParameters(of: message.properties)
        case .requestOk(let message) where message.answers == .trackStatus:
            // The alias of TRACK_STATUS_OK says nothing.
            self.object.add("track_alias", 0)
            self.object.add("expires", message.expires ?? 0)
            self.addOrder(message.properties.defaultPublisherGroupOrder ?? .ascending)
            self.addLargest(message.largestObject)
            self.addParameters(of: message.properties)
        case .publishOk(let message):
            self.object.add("forward", message.parameters.forward == false ? 0 : 1)
            self.object.add("subscriber_priority", message.parameters.subscriberPriority.map { UInt64($0) })
            self.addOrder(message.parameters.groupOrder)
            self.addFilterAndParameters(message.parameters)
        case .fetchOk(let message):
            self.addOrder(message.groupOrder ?? .ascending)
            self.object.add("end_of_track", message.endOfTrack ? 1 : 0)
            self.object.add("end_location", .location(message.end.wire))
            self.addParameters(of: message.properties)
        case .requestError(let message):
            self.object.add("error_code", message.code.wireValue(in: self.profile, answering: message.answers))
            self.object.add("error_reason", .text(message.reason.text))
        default:
            break
        }
    }

    private mutating func addSubscription(_ parameters: SubscriptionParameters, tokens: [AuthorizationToken]) {
        self.object.add("subscriber_priority", parameters.subscriberPriority.map { UInt64($0) })
        self.addOrder(parameters.groupOrder)
        self.object.add("forward", parameters.forward == false ? 0 : 1)
        self.addFilterAndParameters(parameters, tokens: tokens)
    }

    private mutating func addFilterAndParameters(
        _ parameters: SubscriptionParameters,
        tokens: [AuthorizationToken] = []
    ) {
        if let filter = parameters.filter {
            self.object.add(filter, in: self.profile)
        }
        var fields = ParameterFields(in: self.profile)
        fields.add(tokens)
        fields.add(parameters)
        self.add(fields)
    }

    private mutating func addUpdate(_ message: RequestUpdate) {
        self.object.add("request_id", message.requestID.rawValue)
        self.object.add("subscription_request_id", message.existingRequestID?.rawValue)
        switch message.parameters.filter {
        case .absoluteStart(let start):
            self.object.add("start_location", .location(start))
            self.object.add("end_group", 0)
        case .absoluteRange(let start, let endGroup):
            self.object.add("start_location", .location(start))
            self.object.add("end_group", endGroup &+ 1)
        default:
            break
        }
        self.object.add("subscriber_priority", message.parameters.subscriberPriority.map { UInt64($0) })
        self.object.add("forward", message.parameters.forward == false ? 0 : 1)
        var fields = ParameterFields(in: self.profile)
        fields.add(message.tokens)
        fields.add(message.parameters)
        self.add(fields)
    }

    // MARK: Parts

    /// Adds a group order, where none means the publisher's.
    private mutating func addOrder(_ order: GroupOrder?) {
        self.object.add("group_order", order.map { UInt64($0.rawValue) } ?? 0)
    }

    private mutating func addLargest(_ largest: Location?) {
        self.object.add("content_exists", largest == nil ? 0 : 1)
        self.object.add("largest_location", largest.map(JSONValue.location))
    }

    /// Adds the parameters that became properties of the track.
    private mutating func addParameters(of properties: PropertyList, tokens: [AuthorizationToken] = []) {
        var fields = ParameterFields(in: self.profile)
        fields.add(tokens)
        fields.add(.objectDeliveryTimeout, properties.integer(PropertyType.objectDeliveryTimeout))
        fields.add(.maxCacheDuration, properties.integer(PropertyType.maxCacheDuration))
        self.add(fields)
    }
}
