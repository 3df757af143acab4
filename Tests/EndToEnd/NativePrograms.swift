import Foundation

/// The programs in Programs, and what is known of them.
extension NativeProgram {
    /// Of the toolchain that builds this package.
    private static let swiftCompiler =
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/swiftc" }
        .first { FileManager.default.isExecutableFile(atPath: $0) } ?? "/usr/bin/swiftc"
    static let swiftDemangler = String(swiftCompiler.dropLast("swiftc".count)) + "swift-demangle"

    static let all = [cPlusPlus] + rust + [swift, swiftWithLines, swiftTasks, go, goStripped, d]

    static let cPlusPlus = NativeProgram(
        name: "cpp", source: "shares.cc",
        compile: ["/usr/bin/g++", "-O2", "-fomit-frame-pointer", "-o", "OUTPUT", "SOURCE"], innerLoop: "_Z4burnl",
        beginnings: [["_start", "*", "main"]],
        ways: [
            Way(
                share: 0.5,
                short: ["round_of_work", "shop::price", "shop::Discount<long, 2>::apply", "burn"],
                full: [
                    "round_of_work(shop::Rule const&)", "shop::price(shop::Rule const&, long)",
                    "shop::Discount<long, 2>::apply(long) const", "burn(long)",
                ]),
            // A destructor runs while the exception passes through frames.
            Way(
                share: 0.15,
                short: [
                    "round_of_work", "shop::checkout", "shop::refuse", "shop::refuse", "shop::refuse",
                    "shop::Guard::~Guard", "burn",
                ],
                full: [
                    "round_of_work(shop::Rule const&)", "shop::checkout(long)", "shop::refuse(long, long)",
                    "shop::refuse(long, long)", "shop::refuse(long, long) [clone .cold]", "shop::Guard::~Guard()",
                    "burn(long)",
                ]),
            // The handler that catches it.
            Way(
                share: 0.15, short: ["round_of_work", "shop::checkout", "burn"],
                full: ["round_of_work(shop::Rule const&)", "shop::checkout(long) [clone .cold]", "burn(long)"]),
            Way(
                share: 0.2,
                short: [
                    "round_of_work", "shop::sorted", "shop::arrange<std::function<bool (int, int)> >",
                    "std::_Function_handler<bool (int, int), shop::sorted(long)::{lambda(int, int)#1}>::_M_invoke",
                    "shop::less", "burn",
                ],
                full: [
                    "round_of_work(shop::Rule const&)", "shop::sorted(long)",
                    "void shop::arrange<std::function<bool (int, int)> >(std::vector<int, std::allocator<int> >&, "
                        + "std::function<bool (int, int)> const&)",
                    "std::_Function_handler<bool (int, int), shop::sorted(long)::{lambda(int, int)#1}>::_M_invoke("
                        + "std::_Any_data const&, int&&, int&&)",
                    "shop::less(int, int, long)", "burn(long)",
                ]),
        ])

    /// Debian's rustc by both manglings, and the newest there is by rustup.
    static let rust: [NativeProgram] = [
        rust("rust-legacy", "/usr/bin/rustc", "legacy"), rust("rust-v0", "/usr/bin/rustc", "v0"),
    ]

    private static func rust(_ name: String, _ compiler: String, _ mangling: String) -> NativeProgram {
        // The older mangling says nothing of type arguments.
        let (discount, each) =
            mangling == "v0" ? ("u8", "::<shares::round_of_work::{closure#0}>") : ("T", "")
        func same(_ share: Double, _ names: [String]) -> Way { Way(share: share, short: names, full: names) }
        return NativeProgram(
            name: name, source: "shares.rs",
            compile: [
                compiler, "-O", "--edition", "2021", "-o", "OUTPUT", "SOURCE",
            ] + (mangling == "v0" ? ["-C", "symbol-mangling-version=v0"] : []),
            innerLoop: "6shares4burn",
            beginnings: [
                ["_start", "*", "main", "*", "shares::main", "shares::some_rounds"],
                ["clone3|__clone3", "start_thread", "*", "shares::some_rounds"],
            ],
            ways: [
                same(
                    0.5,
                    [
                        "shares::round_of_work", "shares::shop::price",
                        "<shares::shop::Discount<\(discount)> as shares::shop::Rule>::apply", "shares::burn",
                    ]),
                same(
                    0.3,
                    [
                        "shares::round_of_work", "shares::shop::checkout", "shares::shop::refuse",
                        "shares::shop::refuse", "shares::shop::refuse",
                        "<shares::shop::Guard as core::ops::drop::Drop>::drop", "shares::burn",
                    ]),
                same(0.2, ["shares::round_of_work", "shares::shop::each\(each)", "shares::burn"]),
            ])
    }

    static let swift = swift("swift", [])
    static let swiftWithLines = swift("swift-g", ["-g"])

    private static func swift(_ name: String, _ options: [String]) -> NativeProgram {
        NativeProgram(
            name: name, source: "shares.swift",
            compile: [swiftCompiler, "-O", "-module-name", "shares", "-o", "OUTPUT", "SOURCE"] + options,
            innerLoop: "$s6shares4burnys6UInt64VADF",
            beginnings: [["_start", "*", "main"]],
            ways: [
                Way(
                    share: 0.5,
                    short: ["shares.roundOfWork", "static shares.Shop.price", "shares.Discount.apply", "shares.burn"],
                    full: [
                        "shares.roundOfWork(shares.Rule) -> Swift.UInt64",
                        "function signature specialization <Arg[2] = Dead> of static shares.Shop.price("
                            + "shares.Rule, Swift.UInt64) -> Swift.UInt64",
                        "shares.Discount.apply(Swift.UInt64) -> Swift.UInt64",
                        "shares.burn(Swift.UInt64) -> Swift.UInt64",
                    ]),
                Way(
                    share: 0.3,
                    short: [
                        "shares.roundOfWork", "static shares.Shop.checkout", "static shares.Shop.refuse",
                        "static shares.Shop.refuse", "static shares.Shop.refuse", "shares.burn",
                    ],
                    full: [
                        "shares.roundOfWork(shares.Rule) -> Swift.UInt64",
                        "static shares.Shop.checkout(Swift.UInt64) -> Swift.UInt64",
                        "static shares.Shop.refuse(Swift.Int, Swift.UInt64) throws -> Swift.UInt64",
                        "static shares.Shop.refuse(Swift.Int, Swift.UInt64) throws -> Swift.UInt64",
                        "static shares.Shop.refuse(Swift.Int, Swift.UInt64) throws -> Swift.UInt64",
                        "shares.burn(Swift.UInt64) -> Swift.UInt64",
                    ]),
                Way(
                    share: 0.2, short: ["shares.roundOfWork", "static shares.Shop.each", "shares.burn"],
                    full: [
                        "shares.roundOfWork(shares.Rule) -> Swift.UInt64",
                        "function signature specialization <Arg[1] = Dead> of function signature specialization <"
                            + "Arg[1] = [Closure Propagated : $s6shares11roundOfWorkys6UInt64VAA4Rule_pFA2DXEfU_, "
                            + "Argument Types : []> of static shares.Shop.each(Swift.Array<Swift.UInt64>, "
                            + "(Swift.UInt64) -> Swift.UInt64) -> Swift.UInt64",
                        "shares.burn(Swift.UInt64) -> Swift.UInt64",
                    ]),
            ])
    }

    private static let runJob = "swift::runJobInEstablishedExecutorContext"

    static let swiftTasks = NativeProgram(
        name: "swift-tasks", source: "tasks.swift",
        compile: [swiftCompiler, "-O", "-module-name", "tasks", "-o", "OUTPUT", "SOURCE"],
        innerLoop: "$s5tasks4burnys6UInt64VADF",
        beginnings: [["clone3|__clone3", "start_thread", "*", "\(runJob)|\(runJob)(swift::Job*)"]],
        ways: [
            Way(
                share: 0.5, short: ["tasks.price", "tasks.burn"],
                full: [
                    "(2) suspend resume partial function for tasks.price(Swift.UInt64) async -> Swift.UInt64",
                    "tasks.burn(Swift.UInt64) -> Swift.UInt64",
                ]),
            Way(
                share: 0.3, short: ["tasks.Till.checkout", "tasks.burn"],
                full: [
                    "(1) suspend resume partial function for tasks.Till.checkout(Swift.UInt64) async -> ()",
                    "tasks.burn(Swift.UInt64) -> Swift.UInt64",
                ]),
            Way(
                share: 0.2, short: ["closure #1 in closure #1 in tasks.tally", "tasks.burn"],
                full: [
                    "(1) suspend resume partial function for closure #1 () async -> Swift.UInt64 in closure #1 ("
                        + "inout Swift.TaskGroup<Swift.UInt64>) async -> Swift.UInt64 in tasks.tally(Swift.UInt64) async "
                        + "-> Swift.UInt64",
                    "tasks.burn(Swift.UInt64) -> Swift.UInt64",
                ]),
        ])

    static let go = go("go", [])
    /// Without symbol table and debug information: Go's own table of functions is all that names its code.
    static let goStripped = go("go-stripped", ["-ldflags=-s -w"])

    private static func go(_ name: String, _ options: [String]) -> NativeProgram {
        func same(_ share: Double, _ names: [String]) -> Way { Way(share: share, short: names, full: names) }
        // Go's own table leaves type arguments out.
        let (type, shape) = options.isEmpty ? ("int32", "go.shape.int32_0") : ("...", "...")
        return NativeProgram(
            name: name, source: "shares.go",
            compile: ["/usr/bin/go", "build"] + options + ["-o", "OUTPUT", "SOURCE"],
            environment: ["GOCACHE": "FOLDER/go-cache", "GOFLAGS": "", "GO111MODULE": "off"],
            innerLoop: "main.burn", unstripped: options.isEmpty ? nil : "go",
            beginnings: [
                ["runtime.goexit|runtime.goexit.abi0", "runtime.main", "main.main", "main.work"],
                ["runtime.goexit|runtime.goexit.abi0", "main.main.func1", "main.work"],
            ],
            ways: [
                same(
                    0.5,
                    [
                        "main.roundOfWork", "main.price", "main.(*discount[\(type)]).apply",
                        "main.(*discount[\(shape)]).apply", "main.burn",
                    ]),
                same(
                    0.3,
                    [
                        "main.roundOfWork", "main.checkout", "main.refuse", "main.refuse", "main.refuse",
                        "main.refuse", "main.refuse", "runtime.gopanic", "runtime.runOpenDeferFrame",
                        "runtime.deferCallSave", "main.refuse.func1", "main.burn",
                    ]),
                same(0.2, ["main.roundOfWork", "main.each", "main.roundOfWork.func1", "main.burn"]),
            ], isFollowedByPerf: false)
    }

    static let d = NativeProgram(
        name: "d", source: "shares.d", compile: ["/usr/bin/gdc", "-O2", "-o", "OUTPUT", "SOURCE"],
        innerLoop: "_D6shares4burnFlZv",
        beginnings: [["_start", "*", "D main"]],
        ways: [
            Way(
                share: 0.5,
                short: ["shares.roundOfWork", "shares.price", "shares.Discount!(int).Discount.apply", "shares.burn"],
                full: [
                    "shares.roundOfWork(shares.Rule)", "shares.price(shares.Rule, long)",
                    "shares.Discount!(int).Discount.apply(long)", "shares.burn(long)",
                ]),
            Way(
                share: 0.3,
                short: [
                    "shares.roundOfWork", "shares.checkout", "shares.refuse", "shares.refuse", "shares.refuse",
                    "shares.Guard.~this", "shares.burn",
                ],
                full: [
                    "shares.roundOfWork(shares.Rule)", "shares.checkout(long)", "shares.refuse(long, long)",
                    "shares.refuse(long, long)", "shares.refuse(long, long)", "shares.Guard.~this()",
                    "shares.burn(long)",
                ]),
            Way(
                share: 0.2,
                short: ["shares.roundOfWork", "shares.each", "shares.roundOfWork.__lambda3", "shares.burn"],
                full: [
                    "shares.roundOfWork(shares.Rule)",
                    "shares.each(const(long[]), scope void(long) delegate)",
                    "shares.roundOfWork(shares.Rule).__lambda3(long)", "shares.burn(long)",
                ]),
        ])
}
