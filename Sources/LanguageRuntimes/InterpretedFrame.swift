/// A function that an interpreter runs, as its own structures tell it.
public struct InterpretedFrame: Hashable, Sendable {
    /// The qualified name where the interpreter has it, else the plain one.
    public var function: String
    /// Path of the source as the interpreter holds it; empty where there is none.
    public var file: String
    /// From 1; 0 where unknown.
    public var line: UInt32
    /// A native frame of the interpreter's loop begins here. One such frame may run several functions (CPython 3.11
    /// and later): those follow towards the leaf, without this mark.
    public var isEntry: Bool

    public init(function: String, file: String, line: UInt32, isEntry: Bool) {
        self.function = function
        self.file = file
        self.line = line
        self.isEntry = isEntry
    }
}
