/// A profile as pprof has it (github.com/google/pprof, proto/profile.proto): the messages as they stand there, but with
/// strings in place and tables named by index, from 0.
public struct Pprof: Hashable, Sendable {
    public struct ValueType: Hashable, Sendable {
        public var type: String
        public var unit: String

        public init(type: String, unit: String) {
            self.type = type
            self.unit = unit
        }
    }

    public struct Label: Hashable, Sendable {
        public var key: String
        /// Empty where the label is a number.
        public var text = ""
        public var number: Int64 = 0
        public var unit = ""

        public init(key: String, text: String) {
            self.key = key
            self.text = text
        }
    }

    public struct Sample: Hashable, Sendable {
        /// Indices into `locations`, leaf first.
        public var locations: [Int]
        /// One for each of the profile's sample types.
        public var values: [Int64]
        public var labels: [Label]
    }

    public struct Mapping: Hashable, Sendable {
        public var memoryStart: UInt64 = 0
        public var memoryLimit: UInt64 = 0
        public var fileOffset: UInt64 = 0
        public var file = ""
        /// Hexadecimal digits.
        public var buildID = ""
        public var hasFunctions = false
        public var hasFileNames = false
        public var hasLineNumbers = false
        public var hasInlineFrames = false
    }

    public struct Line: Hashable, Sendable {
        /// Index into `functions`.
        public var function: Int
        public var line: Int64
        public var column: Int64 = 0
    }

    public struct Location: Hashable, Sendable {
        /// Index into `mappings`; nil where code belongs to no file.
        public var mapping: Int?
        public var address: UInt64
        /// The innermost inlined function first.
        public var lines: [Line]
        public var isFolded = false
    }

    public struct Function: Hashable, Sendable {
        public var name: String
        public var systemName: String
        public var file: String
        public var startLine: Int64 = 0
    }

    public var sampleTypes: [ValueType] = []
    public var samples: [Sample] = []
    public var mappings: [Mapping] = []
    public var locations: [Location] = []
    public var functions: [Function] = []
    public var dropFrames = ""
    public var keepFrames = ""
    /// Nanoseconds since 1970; 0 where unknown.
    public var timeNanoseconds: Int64 = 0
    public var durationNanoseconds: Int64 = 0
    public var periodType: ValueType?
    public var period: Int64 = 0
    public var comments: [String] = []
    public var defaultSampleType = ""
    public var documentation = ""

    public init() {}
}
