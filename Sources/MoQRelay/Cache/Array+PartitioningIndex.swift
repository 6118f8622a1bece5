// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension Array {
    /// The index of the first element that the condition holds for, or the end; the condition must hold for all elements that
    /// follow, too.
    func partitioningIndex(where condition: (Element) -> Bool) -> Int {
        var low = 0
        var high = self.count
        while low < high {
            let middle = (low + high) / 2
            if condition(self[middle]) {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }
}
