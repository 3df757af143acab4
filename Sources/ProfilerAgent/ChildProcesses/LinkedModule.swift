import ByteCoding
public import LinuxSystem
public import Profiles
public import SymbolSources

/// Descriptors of the files beside an object file that its debug information lies in; -1 where there is none.
public struct DebugDescriptors: ~Copyable, Sendable {
    public var debug = OwnedDescriptor(-1)
    /// The file that dwz shares among several.
    public var alternate = OwnedDescriptor(-1)
    /// Those that units were split off to.
    var split: [SplitFile] = []

    public init() {}
}

/// An open file that units were split off to.
struct SplitFile: Sendable {
    /// nil for the `.dwp` that holds many.
    var reference: SplitReference?
    var file: SharedDescriptor
}

/// A descriptor in a list: closed with the last reference.
final class SharedDescriptor: Sendable {
    let descriptor: OwnedDescriptor

    init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }
}

extension [SplitReference] {
    /// Of each directory and name with their lengths; as many as fit into a message.
    func encoded() -> [UInt8] {
        var writer = ByteWriter()
        for reference in self {
            guard
                writer.bytes.count + reference.directory.utf8.count + reference.name.utf8.count + 20
                    <= HelperMessage.maximumBody(.splitReferences)
            else { break }
            writer.writeString(reference.directory)
            writer.writeString(reference.name)
        }
        return writer.bytes
    }

    /// nil for bytes that `encoded` can't have written.
    init?(decoding bytes: [UInt8]) {
        self.init()
        var reader = unsafe ByteReader(bytes.span.bytes)
        do throws(ByteCodingError) {
            while !reader.isAtEnd {
                guard count < ModuleTable.maximumSplitFiles else { return nil }
                let directory = try reader.readString(limit: 16_384)
                append(SplitReference(name: try reader.readString(limit: 16_384), directory: directory))
            }
        } catch {
            return nil
        }
    }
}

/// An object file's identity, and where it says that its debug information is.
public struct LinkedModule: Hashable, Sendable {
    public var identity: ModuleIdentity
    public var links: DebugLinks

    public init(identity: ModuleIdentity, links: DebugLinks) {
        self.identity = identity
        self.links = links
    }

    /// u8 kind of identity, its bytes; u8 flags (1 debug information, 2 symbols, 4 a link, 8 an alternate file); name and
    /// u32 checksum of the link; path and build ID of the alternate file. Strings and bytes with their length.
    func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(identity.kind.rawValue)
        writer.writePrefixedBytes(identity.bytes)
        var flags: UInt8 = 0
        if links.hasDebugInformation { flags |= 1 }
        if links.hasSymbols { flags |= 2 }
        if links.link != nil { flags |= 4 }
        if links.alternate != nil { flags |= 8 }
        writer.write(flags)
        if let link = links.link {
            writer.writeString(link.name)
            writer.write(link.checksum)
        }
        if let alternate = links.alternate {
            writer.writeString(alternate.path)
            writer.writePrefixedBytes(alternate.buildID)
        }
        return writer.bytes
    }

    /// nil for bytes that `encoded` can't have written.
    init?(decoding bytes: [UInt8]) {
        var reader = unsafe ByteReader(bytes.span.bytes)
        do throws(ByteCodingError) {
            guard let kind = ModuleIdentity.Kind(rawValue: try reader.readUInt8()), kind != .name else { return nil }
            let identity = try reader.readPrefixedBytes(limit: ModuleIdentity.maximumBytes)
            let flags = try reader.readUInt8()
            var links = DebugLinks()
            links.hasDebugInformation = flags & 1 != 0
            links.hasSymbols = flags & 2 != 0
            if flags & 4 != 0 {
                links.link = DebugLinks.Link(
                    name: try reader.readString(limit: 4096), checksum: try reader.readUInt32())
            }
            if flags & 8 != 0 {
                links.alternate = DebugLinks.Alternate(
                    path: try reader.readString(limit: 4096), buildID: try reader.readPrefixedBytes(limit: 64))
            }
            guard identity.count >= 2, reader.isAtEnd, links.link?.name.contains("/") != true else { return nil }
            self.init(identity: ModuleIdentity(kind: kind, bytes: identity), links: links)
        } catch {
            return nil
        }
    }
}
