// Edit distance (optimal string alignment: insert, delete, replace, swap neighbours) by the usual table of
// prefixes, of which three rows are kept.

/// The known name that `name` was probably meant to be; nil where none is near.
///
/// Near means at most a third of the letters differ, and at least one may. Of two equally near ones, the first.
/// Time grows with the product of the lengths, so names longer than 100 letters have no neighbours.
public func nearestName(to name: String, among known: [String]) -> String? {
    let letters = Array(name.lowercased().prefix(101))
    guard letters.count <= 100 else { return nil }
    var best: (name: String, distance: Int)?
    for candidate in known {
        let distance = editDistance(letters, Array(candidate.lowercased()))
        let allowed = max(1, max(letters.count, candidate.count) / 3)
        if distance <= allowed, best.map({ distance < $0.distance }) ?? true {
            best = (candidate, distance)
        }
    }
    return best?.name
}

func editDistance(_ left: [Character], _ right: [Character]) -> Int {
    var beforePrevious: [Int] = []
    var previous = Array(0...right.count)
    for row in 0..<left.count {
        var current = [row + 1]
        for column in 0..<right.count {
            let replaced = previous[column] + (left[row] == right[column] ? 0 : 1)
            var distance = min(replaced, previous[column + 1] + 1, current[column] + 1)
            if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                distance = min(distance, beforePrevious[column - 1] + 1)
            }
            current.append(distance)
        }
        beforePrevious = previous
        previous = current
    }
    return previous[right.count]
}
