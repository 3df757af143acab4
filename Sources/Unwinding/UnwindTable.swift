/// The unwind sections of a module (`UnwindSections.encode`), checked, over memory that somebody else owns.
public struct UnwindTable: Sendable {
    let view: TableView
    /// Of the blob.
    public let byteCount: Int
    private let owner: any AnyObject & Sendable

    /// `blob` must stay readable and unchanged as long as `owner` lives.
    public init(_ blob: UnsafeRawBufferPointer, keeping owner: any AnyObject & Sendable) throws(UnwindSectionsError) {
        self.owner = owner
        byteCount = blob.count
        view = try unsafe TableView(SectionBytes(blob))
    }

    public var architecture: UserArchitecture { view.architecture }
    /// Frame descriptions.
    public var entryCount: Int { view.index.count / 8 }
    /// Bytes of code that is kept because no frame description covers it.
    public var codeBytes: Int { view.code.count }
}
