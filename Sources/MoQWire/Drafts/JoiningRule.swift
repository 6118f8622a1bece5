// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Which subscriptions a joining fetch may refer to, and what its range ends with.
public enum JoiningRule: Hashable, Sendable {
    /// Those whose filter is Largest Object; for any other the session is closed. The range ends with the largest location
    /// that was communicated when the subscription began (up to draft 16, §9.16.2, "Joining Fetches").
    case largestObjectFilter
    /// Those with forward state 1; for any other the answer is INVALID_RANGE. The range ends with the largest location that
    /// was communicated when objects last began to flow (draft-18 §10.12.2, "Joining Fetches").
    case forwardState
}
