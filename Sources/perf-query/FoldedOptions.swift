internal import ArgumentParser
internal import QueryAPI

/// What folded stacks show and count.
struct FoldedOptions: ParsableArguments {
    enum Value: String, ExpressibleByArgument, CaseIterable {
        case samples, unit
    }

    @Flag(help: "The thread's name as second element of each stack.")
    var threads = false

    @Option(help: ArgumentHelp("What folded stacks count: samples or the type's unit.", valueName: "samples|unit"))
    var value: Value?

    @Flag(help: "The line behind the name of each frame that has one, in folded stacks.")
    var lines = false

    @Flag(help: "Names without the endings _[k] and others.")
    var plain = false

    func validate(isFolded: Bool) throws {
        guard !isFolded else { return }
        if value != nil { throw ValidationError("--value is for --format folded") }
        if lines { throw ValidationError("--lines is for --format folded") }
        if plain { throw ValidationError("--plain is for --format folded") }
    }

    func add(to request: inout QueryRequest) {
        if threads { request.add("threads", "true") }
        if lines { request.add("lines", "true") }
        if let value { request.add("value", value.rawValue) }
        if plain { request.add("plain", "true") }
    }
}
