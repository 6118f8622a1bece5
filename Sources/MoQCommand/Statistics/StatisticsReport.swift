// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Figures by subject, for people and for programs. Names are the same in both forms and stay as they are.
struct StatisticsReport: Sendable {
    /// One number.
    enum Figure: Sendable {
        /// An amount.
        case count(UInt64)
        /// Something with a fraction.
        case decimal(Double)

        /// A count; below zero there is nothing.
        static func of(_ value: some BinaryInteger) -> Figure {
            .count(UInt64(clamping: value))
        }

        /// The digits, which JSON understands too.
        var text: String {
            switch self {
            case .count(let value): "\(value)"
            case .decimal(let value): Quantity.decimal(value, digits: 3)
            }
        }
    }

    private struct Subject {
        var name: String
        var figures: [(name: String, value: Figure)]
        var isInSummary: Bool
    }

    /// Where the figures of a text begin.
    private static let column = 15

    private var subjects: [Subject] = []

    /// What people read first: whole lines with what matters most; may be empty.
    var summary = ""

    /// Whether the summary is all that people want who did not ask for everything.
    var isSummaryEnough = false

    /// Adds a subject. With `isInSummary` people have read its figures there already.
    mutating func add(_ name: String, isInSummary: Bool = false, _ figures: KeyValuePairs<String, Figure>) {
        let named = figures.map { (name: $0.key, value: $0.value) }
        self.subjects.append(Subject(name: name, figures: named, isInSummary: isInSummary))
    }

    /// The summary, then a line for each subject.
    var text: String {
        let lines = self.subjects.filter { !$0.isInSummary }.map { subject in
            let gap = String(repeating: " ", count: max(1, Self.column - subject.name.count))
            let figures = subject.figures.map { "\($0.name) \($0.value.text)" }.joined(separator: "  ")
            return subject.name + gap + figures + "\n"
        }
        return self.summary + lines.joined()
    }

    /// One line: an object with an object for each subject.
    var json: String {
        let subjects = self.subjects.map { subject in
            let figures = subject.figures.map { "\"\($0.name)\":\($0.value.text)" }.joined(separator: ",")
            return "\"\(subject.name)\":{\(figures)}"
        }
        return "{\(subjects.joined(separator: ","))}\n"
    }
}
