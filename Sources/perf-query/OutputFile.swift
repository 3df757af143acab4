internal import Formats
internal import Glibc

/// Writes an answer to the file that --output names.
func writeFile(_ bytes: [UInt8], to path: String) throws(Failure) {
    guard let number = ResultFile.write(bytes, to: path) else { return }
    throw Failure(
        "can't write \(path) (--output): \(unsafe String(cString: strerror(number)).lowercased())",
        code: .impossible)
}
