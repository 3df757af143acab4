extension FlameGraph {
    /// The picture as a self-contained SVG document: well-formed XML whatever the names hold, readable without scripts,
    /// and with them zoomed by click, searched (Ctrl-F) and as wide as its window.
    ///
    /// - Parameter subtitle: range, samples, losses.
    public func svg(title: String, subtitle: String = "") -> [UInt8] {
        []
    }
}
