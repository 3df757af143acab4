public import Profiles

/// What the agent needs to know of an object file before it can place samples in it.
public struct ModuleFacts: Hashable, Sendable {
    public var identity: ModuleIdentity
    public var loadSegments: [LoadSegment]

    public init(identity: ModuleIdentity, loadSegments: [LoadSegment]) {
        self.identity = identity
        self.loadSegments = loadSegments
    }
}
