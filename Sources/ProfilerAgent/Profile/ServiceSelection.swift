internal import Patterns
internal import Profiles

/// Keeps of a window the series of some services, and of its stacks those that these have.
struct ServiceSelection: Sendable {
    let service: Glob

    func keep(of window: NamedWindow) -> NamedWindow {
        let old = window.stacks
        let kept = window.series.filter { service.matches($0.key.service) }
        if kept.count == window.series.count { return window }
        var isUsed = [Bool](repeating: false, count: old.nodes.count)
        for series in kept {
            for node in series.stacks.nodes {
                var node = node
                while node != StackTable.root, !isUsed[Int(node)] {
                    isUsed[Int(node)] = true
                    node = old.nodes[Int(node)].parent
                }
            }
        }
        var stacks = StackTable()
        var map = [UInt32](repeating: StackTable.root, count: old.nodes.count)
        // Parents stand before their children, and order is kept, so that columns stay ascending.
        for index in old.nodes.indices.dropFirst() where isUsed[index] {
            let node = old.nodes[index]
            var frame = old.frames[Int(node.frame)]
            if frame.name != Frame.none { frame.name = stacks.intern(old.strings[Int(frame.name)]) }
            if frame.file != Frame.none { frame.file = stacks.intern(old.strings[Int(frame.file)]) }
            if frame.module != Frame.none { frame.module = stacks.intern(old.modules[Int(frame.module)]) }
            map[index] = stacks.intern(parent: map[Int(node.parent)], frame: stacks.intern(frame))
        }
        let series = kept.map { part in
            var part = part
            part.stacks.nodes = part.stacks.nodes.map { map[Int($0)] }
            return part
        }
        var selected = NamedWindow(stacks: stacks, series: series)
        selected.refusedMoments = window.refusedMoments
        var numbers: [SeriesKey: UInt32] = [:]
        for (number, one) in series.enumerated() { numbers[one.key] = UInt32(number) }
        for var moment in window.moments {
            guard let number = numbers[window.series[Int(moment.key)].key] else { continue }
            (moment.key, moment.node) = (number, map[Int(moment.node)])
            selected.moments.append(moment)
        }
        return selected
    }
}
