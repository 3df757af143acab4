/// The unwind sections of a module, checked, over memory that somebody else owns.
public struct UnwindTable: Sendable {
    /// Of the blob.
    public let byteCount: Int
    private let owner: any AnyObject & Sendable

    /// `blob` must stay readable and unchanged as long as `owner` lives.
    public init(_ blob: UnsafeRawBufferPointer, keeping owner: any AnyObject & Sendable) throws(UnwindSectionsError) {
        byteCount = blob.count
        self.owner = owner
        throw .notUnwindSections
    }
}
