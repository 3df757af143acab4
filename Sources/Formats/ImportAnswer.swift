/// What became of an import.
public struct ImportAnswer: Hashable, Sendable, Codable, JSONAnswer {
    /// Samples in what was sent.
    public var samples: UInt64
    /// Of these, what is in the store now and was not before.
    public var stored: UInt64
    /// Of these, what was there already.
    public var alreadyStored: UInt64

    public init(samples: UInt64, stored: UInt64, alreadyStored: UInt64) {
        self.samples = samples
        self.stored = stored
        self.alreadyStored = alreadyStored
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("samples", samples)
        writer.member("stored", stored)
        writer.member("alreadyStored", alreadyStored)
        writer.endObject()
    }
}
