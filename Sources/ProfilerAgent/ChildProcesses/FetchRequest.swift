import ByteCoding
internal import Glibc
import LinuxSystem

/// One file that is asked of one server, and how long and large it may be; travels to the fetching process.
struct FetchRequest: Equatable, Sendable {
    /// May hold a password: sent over the socket, never as an argument.
    var url: String
    var maximumBytes: UInt64
    var connectTime: Duration
    var stallTime: Duration
    var totalTime: Duration

    /// u64 bytes; u32 milliseconds to connect, without a byte, in all; the URL with its length.
    func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(maximumBytes)
        for time in [connectTime, stallTime, totalTime] { writer.write(Self.milliseconds(time)) }
        writer.writeString(url)
        return writer.bytes
    }

    /// nil for bytes that `encoded` can't have written.
    init?(decoding bytes: [UInt8]) {
        var reader = unsafe ByteReader(bytes.span.bytes)
        do throws(ByteCodingError) {
            maximumBytes = try reader.readUInt64()
            connectTime = .milliseconds(try reader.readUInt32())
            stallTime = .milliseconds(try reader.readUInt32())
            totalTime = .milliseconds(try reader.readUInt32())
            url = try reader.readString(limit: 4096)
            guard reader.isAtEnd, maximumBytes <= UInt64(Int64.max) else { return nil }
        } catch {
            return nil
        }
    }

    init(url: String, maximumBytes: UInt64, connectTime: Duration, stallTime: Duration, totalTime: Duration) {
        self.url = url
        self.maximumBytes = maximumBytes
        self.connectTime = connectTime
        self.stallTime = stallTime
        self.totalTime = totalTime
    }

    private static func milliseconds(_ duration: Duration) -> UInt32 {
        UInt32(
            clamping: max(
                1, duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000))
    }

    /// What curl is told of proxies and certificates; nothing else of the environment reaches it.
    private static let variables = [
        "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ]

    /// Makes the request by a process of its own. Waits.
    func perform(_ executable: String, _ arguments: [String], into file: Int32) -> FetchAnswer {
        let environment = Self.variables.compactMap { name -> String? in
            guard let value = unsafe getenv(name) else { return nil }
            return unsafe "\(name)=\(String(cString: value))"
        }
        do throws(ObjectReaderFailure) {
            var connection = try HelperConnection.start(
                executable: executable, arguments: arguments, environment: environment, timeLimit: .seconds(10))
            // curl keeps to its own limits; what does not is killed.
            let limit = totalTime + .seconds(2)
            let answer = try connection.ask(.fetch, file: file, body: encoded(), timeLimit: limit)
            return FetchAnswer(decoding: answer.body) ?? .failed("the fetching process sent nonsense")
        } catch .tookTooLong {
            return .failed("it took longer than \(totalTime)")
        } catch .helperDied(let ending) {
            return .failed("the fetching process \(ending)")
        } catch {
            return .failed("\(error)")
        }
    }
}

/// How a request ended.
enum FetchAnswer: Equatable, Sendable {
    case done
    /// The server does not know the file.
    case absent
    case tooLarge
    case failed(String)

    /// u8 kind, the reason with its length.
    func encoded() -> [UInt8] {
        var writer = ByteWriter()
        switch self {
        case .done: writer.write(0 as UInt8)
        case .absent: writer.write(1 as UInt8)
        case .tooLarge: writer.write(2 as UInt8)
        case .failed: writer.write(3 as UInt8)
        }
        if case .failed(let reason) = self { writer.writeString(reason) }
        return writer.bytes
    }

    /// nil for bytes that `encoded` can't have written.
    init?(decoding bytes: [UInt8]) {
        var reader = unsafe ByteReader(bytes.span.bytes)
        do throws(ByteCodingError) {
            switch try reader.readUInt8() {
            case 0: self = .done
            case 1: self = .absent
            case 2: self = .tooLarge
            case 3: self = .failed(try reader.readString(limit: 1024))
            default: return nil
            }
            guard reader.isAtEnd else { return nil }
        } catch {
            return nil
        }
    }
}
