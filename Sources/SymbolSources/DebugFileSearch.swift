public import LinuxSystem

/// Where the separate debug files of a module may lie, in the order in which gdb and elfutils look for them.
///
/// Only names are made here; `ProcessFileOpener` opens them below the root of the process that runs the module, where no
/// link leads out and only regular files are taken, and the helper checks that they belong to the module.
public enum DebugFileSearch {
    /// Where distributions install debug files.
    public static let directory = "/usr/lib/debug"

    /// Paths of the debug file, absolute below the process's root, best first.
    ///
    /// - Parameters:
    ///   - buildID: empty where the module has none.
    ///   - link: the name in `.gnu_debuglink`; one with a slash is not used.
    ///   - modulePath: absolute path of the module below the same root.
    public static func paths(buildID: [UInt8], link: String?, modulePath: String) -> [String] {
        var paths: [String] = []
        if let path = path(ofBuildID: buildID) { paths.append(path) }
        guard let slash = modulePath.lastIndex(of: "/"), modulePath.hasPrefix("/"), !hasParent(modulePath) else {
            return paths
        }
        let folder = modulePath[..<slash]
        let name = modulePath[modulePath.index(after: slash)...]
        if let link, isFileName(link) {
            // Beside the module under its own name would be the module itself.
            if link != name { paths.append("\(folder)/\(link)") }
            paths.append("\(folder)/.debug/\(link)")
            for folder in foldersByLink(folder) { paths.append("\(directory)\(folder)/\(link)") }
        }
        for folder in foldersByLink(folder) { paths.append("\(directory)\(folder)/\(name).debug") }
        return paths.reduce(into: []) { unique, path in
            if !unique.contains(path), path.utf8.count < 4096 { unique.append(path) }
        }
    }

    /// Paths of the file that dwz shares among several. A relative one counts from the debug file's directory.
    public static func alternatePaths(_ alternate: DebugLinks.Alternate, debugFilePath: String) -> [String] {
        var paths: [String] = []
        if alternate.path.hasPrefix("/") {
            paths.append(alternate.path)
        } else if let slash = debugFilePath.lastIndex(of: "/"), debugFilePath.hasPrefix("/") {
            paths.append("\(debugFilePath[..<slash])/\(alternate.path)")
        }
        // dwz writes a path of the machine that it ran on; packages then put the file here.
        if let slash = alternate.path.lastIndex(of: "/") {
            paths.append("\(directory)/.dwz/\(alternate.path[alternate.path.index(after: slash)...])")
        }
        if let path = path(ofBuildID: alternate.buildID) { paths.append(path) }
        return paths.filter { $0.utf8.count < 4096 && !$0.utf8.contains(0) }
    }

    /// Paths of the file that a unit was split off to: where its compiler put it, then beside the module.
    public static func splitPaths(_ reference: SplitReference, modulePath: String) -> [String] {
        let name = reference.name
        var paths = [name.hasPrefix("/") ? name : "\(reference.directory)/\(name)"]
        if let slash = modulePath.lastIndex(of: "/") {
            let last = name.lastIndex(of: "/").map { name[name.index(after: $0)...] } ?? name[...]
            paths.append("\(modulePath[..<slash])/\(last)")
        }
        return paths.filter { $0.hasPrefix("/") && $0.utf8.count < 4096 && !$0.utf8.contains(0) }
    }

    /// `/usr/lib/debug/.build-id/ab/cdef….debug`.
    public static func path(ofBuildID buildID: [UInt8]) -> String? {
        guard buildID.count >= 2, let first = buildID.first else { return nil }
        return "\(directory)/.build-id/\(hexadecimal([first][...]))/\(hexadecimal(buildID.dropFirst())).debug"
    }

    /// Opens the first path, from the `index`-th on, that leads to a regular file below the root of `process`; `index` is
    /// moved behind it, since what it opened may prove to be another module's, and the next is wanted. Without one the
    /// descriptor is -1.
    ///
    /// A file system of the process's may make this wait: not for the sampling thread.
    public static func open(_ paths: [String], from index: inout Int, below process: Int32) -> OwnedDescriptor {
        while index < paths.count {
            let path = paths[index]
            index += 1
            if let file = try? ProcessFileOpener.openModule(process, path: path) { return file }
        }
        return OwnedDescriptor(-1)
    }

    /// `/lib` is a link to `/usr/lib` where the two were merged, and packages name either.
    private static func foldersByLink(_ folder: Substring) -> [Substring] {
        for merged in ["/lib", "/lib64", "/bin", "/sbin"] {
            if folder == merged || folder.hasPrefix(merged + "/") { return [folder, "/usr" + folder] }
            if folder == "/usr" + merged || folder.hasPrefix("/usr" + merged + "/") {
                return [folder, folder.dropFirst(4)]
            }
        }
        return [folder]
    }

    private static func isFileName(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".." && !name.utf8.contains(47) && !name.utf8.contains(0)
    }

    private static func hasParent(_ path: String) -> Bool {
        path.utf8.contains(0) || path.split(separator: "/").contains("..")
    }

    private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
