// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The properties that the drafts define, by their numbers (draft-18 §12, "MOQT Properties").
public enum PropertyType {
    /// DELIVERY_TIMEOUT, from draft 18 on OBJECT_DELIVERY_TIMEOUT. Of a track, in milliseconds.
    public static let objectDeliveryTimeout: UInt64 = 0x02
    /// MAX_CACHE_DURATION. Of a track, in milliseconds.
    public static let maxCacheDuration: UInt64 = 0x04
    /// SUBGROUP_DELIVERY_TIMEOUT. Of a track, in milliseconds; draft 18 and later.
    public static let subgroupDeliveryTimeout: UInt64 = 0x06
    /// IMMUTABLE: pairs that nobody may change on the way. Of a track or an object.
    public static let immutable: UInt64 = 0x0B
    /// DEFAULT_PUBLISHER_PRIORITY. Of a track; 128 when absent.
    public static let defaultPublisherPriority: UInt64 = 0x0E
    /// DEFAULT_PUBLISHER_GROUP_ORDER. Of a track; ascending when absent.
    public static let defaultPublisherGroupOrder: UInt64 = 0x22
    /// DYNAMIC_GROUPS: whether subscribers may ask for a new group. Of a track; 0 when absent.
    public static let dynamicGroups: UInt64 = 0x30
    /// PRIOR_GROUP_ID_GAP: how many groups before this one do not exist. Of an object.
    public static let priorGroupIDGap: UInt64 = 0x3C
    /// PRIOR_OBJECT_ID_GAP: how many objects before this one do not exist. Of an object.
    public static let priorObjectIDGap: UInt64 = 0x3E
    /// Track properties that must be understood to handle the track (draft 18 and later).
    public static let mandatory: ClosedRange<UInt64> = 0x4000...0x7FFF
}
