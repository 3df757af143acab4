import Profiles

extension DifferenceTree {
    /// By node of the tree, whether its share of either side changed beyond chance: tested as functions are, with the rate of
    /// false discoveries over all nodes that weigh enough to be seen in a picture.
    ///
    /// - Parameters:
    ///   - pair: that the tree was made of.
    ///   - smallestShare: nodes below it on both sides are not tested and count as within noise.
    public func movements(
        of pair: ProfilePair, falseDiscoveryRate rate: Double = 0.05, smallestShare: Double = 0.0005,
        work: WorkDone? = nil
    ) -> [Movement] {
        // What is tested are rows; a node that isn't belongs to the row above it.
        var rowOf = [UInt32](repeating: 0, count: tree.nodes.count)
        var isRow = [Bool](repeating: false, count: tree.nodes.count)
        var above: [Int] = []
        let wholes = (Double(pair.base.totalValue), Double(pair.against.totalValue))
        for (index, node) in tree.nodes.enumerated() {
            let (before, after) = (Double(base[index].totalValue), Double(against[index].totalValue))
            isRow[index] = index == 0 || before >= smallestShare * wholes.0 || after >= smallestShare * wholes.1
            let parent = rowOf[Int(node.parent)]
            if isRow[index] {
                rowOf[index] = UInt32(above.count)
                above.append(Int(parent))
            } else {
                rowOf[index] = parent
            }
        }
        let both = pair.both
        let rowOfStack = both.namedNode.map { rowOf[Int(place[Int($0)])] }
        var sums = [UInt64](repeating: 0, count: above.count)
        func addUp(_ slices: some Sequence<Int>) -> (whole: Double, rows: [Double]) {
            for row in sums.indices { sums[row] = 0 }
            for index in slices {
                let stacks = both.slices[index].stacks
                for entry in stacks.nodes.indices {
                    sums[Int(rowOfStack[Int(stacks.nodes[entry])])] &+= stacks.weights[entry]
                }
            }
            for row in sums.indices.dropFirst().reversed() { sums[above[row]] &+= sums[row] }
            return (Double(sums[0]), sums.map { Double($0) })
        }
        let sides = (addUp(pair.base.slices.indices).rows, addUp(pair.base.slices.count..<both.slices.count).rows)
        let comparison = Comparison(pair, totals: sides, work: work) { addUp($0) }
        let verdicts = Verdicts(comparison, rate: rate)
        return tree.nodes.indices.map { node in
            isRow[node] ? verdicts.movement(of: Int(rowOf[node]), comparison, rate: rate) : .withinNoise
        }
    }
}
