import SymbolTables
import Testing

@Suite struct SymbolNamesTests {
    @Test(arguments: [
        // C and what is no function.
        ("main", "main"), ("", ""), ("[unknown libx.so+0x10]", "[unknown libx.so+0x10]"),
        ("vtable for std::exception", "vtable for std::exception"),
        ("guard variable for f(int)::x", "guard variable for f::x"),
        // Clones.
        ("compress [clone .constprop.0]", "compress"), ("compress [clone .isra.0] [clone .cold]", "compress"),
        ("_int_free.constprop.0", "_int_free"), ("x.part.0.isra.12", "x"), ("f.llvm.1234567", "f"), ("g.cold", "g"),
        ("h.lto_priv.0", "h"), ("foo() (.cold)", "foo"), ("foo::bar() [clone .cold]", "foo::bar"), ("a.b.c", "a.b.c"),
        (".cold", ".cold"), ("memcpy@plt", "memcpy@plt"),
        // Go.
        ("runtime.goexit.abi0", "runtime.goexit"),
        ("main.(*discount[go.shape.int32_0]).apply", "main.(*discount[go.shape.int32_0]).apply"),
        ("runtime.memequal.abiinternal", "runtime.memequal"), (".abi0", ".abi0"),
        // Swift's specialisations, and parts of asynchronous functions; by swift-demangle.
        (
            "function signature specialization <Arg[2] = Dead> of static a.Shop.price(a.Rule, Swift.UInt64) -> Swift.UInt64",
            "static a.Shop.price"
        ),
        (
            "function signature specialization <Arg[1] = Dead> of function signature specialization <Arg[1] = [Closure Propagated : $s6shares11roundOfWorkys6UInt64VAA4Rule_pFA2DXEfU_, Argument Types : []> of static a.Shop.each(Swift.Array<Swift.UInt64>, (Swift.UInt64) -> Swift.UInt64) -> Swift.UInt64",
            "static a.Shop.each"
        ),
        (
            "generic specialization <Swift.Range<Swift.UInt64>> of Swift.IndexingIterator.next() -> A.Element?",
            "Swift.IndexingIterator.next"
        ),
        (
            "generic not re-abstracted specialization <(Swift.Int) -> Swift.Int> of a.f<A>(A) -> ()", "a.f<A>"
        ),
        (
            "(2) suspend resume partial function for tasks.price(Swift.UInt64) async -> Swift.UInt64", "tasks.price"
        ),
        (
            "(1) await resume partial function for closure #1 () async -> Swift.Int in a.f(Swift.Int) async -> Swift.Int",
            "closure #1 in a.f"
        ),
        ("generic specialization <A", "generic specialization <A"),
        ("generic specialization <A> of ", "generic specialization <A> of "),
        // C++.
        ("foo(int, char const*)", "foo"), ("ns::A::f(int) const", "ns::A::f"), ("A::~A()", "A::~A"),
        ("void f<int>(int)", "f<int>"),
        (
            "std::vector<int, std::allocator<int> >::push_back(int const&)",
            "std::vector<int, std::allocator<int> >::push_back"
        ),
        (
            "unsigned long const& std::max<unsigned long>(unsigned long const&, unsigned long const&)",
            "std::max<unsigned long>"
        ),
        ("A::operator()(int) const", "A::operator()"), ("operator<(A const&, A const&)", "operator<"),
        ("bool operator< <int>(A<int> const&, A<int> const&)", "operator< <int>"),
        ("std::ostream& operator<< <char>(std::ostream&, char)", "operator<< <char>"),
        (
            "std::basic_ostream<char, std::char_traits<char> >& std::operator<< <std::char_traits<char> >(std::basic_ostream<char, std::char_traits<char> >&, char const*)",
            "std::operator<< <std::char_traits<char> >"
        ),
        ("A::operator->() const", "A::operator->"), ("A::operator[](unsigned long)", "A::operator[]"),
        ("A::operator bool() const", "A::operator bool"),
        (
            "A::operator std::vector<int>() const",
            "A::operator std::vector<int>"
        ),
        ("A::operator=(A&&)", "A::operator="), ("operator new(unsigned long)", "operator new"),
        ("operator delete[](void*, unsigned long)", "operator delete[]"),
        (
            "operator\"\" _ms(unsigned long long)",
            "operator\"\" _ms"
        ),
        ("A::operator<=>(A const&) const", "A::operator<=>"),
        ("(anonymous namespace)::work(int)", "(anonymous namespace)::work"),
        ("void (anonymous namespace)::work<int>(int)", "(anonymous namespace)::work<int>"),
        ("ns::(anonymous namespace)::C::run(void*)", "ns::(anonymous namespace)::C::run"),
        ("main::{lambda(int)#1}::operator()(int) const", "main::{lambda(int)#1}::operator()"),
        ("f(int)::{lambda()#1}::operator()() const", "f::{lambda()#1}::operator()"),
        ("A::f(int) const::{lambda(int)#2}::_FUN(int)", "A::f::{lambda(int)#2}::_FUN"),
        ("void A::f<int>(int) const &::{lambda()#1}::operator()() const", "A::f<int>::{lambda()#1}::operator()"),
        ("main::'lambda'(int)::operator()(int) const", "main::'lambda'::operator()"),
        ("std::function<void (int)>::operator()(int) const", "std::function<void (int)>::operator()"),
        (
            "std::_Function_handler<void (std::vector<int> const&), f(int)::{lambda(auto:1)#1}>::_M_invoke(std::_Any_data const&, int&&)",
            "std::_Function_handler<void (std::vector<int> const&), f(int)::{lambda(auto:1)#1}>::_M_invoke"
        ),
        ("void (*pick<int>(int))(char)", "pick<int>"), ("int (&get<3>(A&))[4]", "get<3>"),
        ("foo[abi:cxx11](int)", "foo[abi:cxx11]"), ("ns::f[abi:v1]() const", "ns::f[abi:v1]"),
        ("decltype (a.f()) call<A>(A&)", "call<A>"), ("decltype(auto) call<A>(A&)", "call<A>"),
        ("std::enable_if<(sizeof (int)>(4)), int>::type g<int>(int)", "g<int>"),
        ("void h<(Kind)1, &(k(int))>(int)", "h<(Kind)1, &(k(int))>"),
        ("non-virtual thunk to A::f(int)", "non-virtual thunk to A::f"),
        ("virtual thunk to B::g() const", "virtual thunk to B::g"),
        ("void operator_like<int>(int)", "operator_like<int>"), ("cooperator(int)", "cooperator"),
        ("f(void (*)(int), int (&)[3])", "f"),
        (
            "std::__cxx11::basic_string<char>::_M_replace(unsigned long, unsigned long, char const*, unsigned long)",
            "std::__cxx11::basic_string<char>::_M_replace"
        ),
        // Rust.
        (
            "<alloc::vec::Vec<T,A> as core::ops::drop::Drop>::drop",
            "<alloc::vec::Vec<T,A> as core::ops::drop::Drop>::drop"
        ),
        (
            "core::ptr::drop_in_place<(i32, alloc::string::String)>",
            "core::ptr::drop_in_place<(i32, alloc::string::String)>"
        ),
        (
            "<fn(i32) -> u8 as core::ops::function::FnOnce<(i32,)>>::call_once",
            "<fn(i32) -> u8 as core::ops::function::FnOnce<(i32,)>>::call_once"
        ),
        ("std::rt::lang_start::<()>::{closure#0}", "std::rt::lang_start::<()>::{closure#0}"),
        ("<impl core::fmt::Debug for (A, B)>::fmt", "<impl core::fmt::Debug for (A, B)>::fmt"),
        // Go.
        ("main.(*Server).handle", "main.(*Server).handle"), ("main.main.func1", "main.main.func1"),
        ("net/http.(*conn).serve.func1", "net/http.(*conn).serve.func1"),
        ("main.Map[go.shape.int]", "main.Map[go.shape.int]"),
        // D.
        ("demangle.test(char)", "demangle.test"),
        ("std.algorithm.map!(f, g).map(int[])", "std.algorithm.map!(f, g).map"),
        // Swift.
        ("main.foo() -> ()", "main.foo"), ("main.Foo.bar(x: Swift.Int) -> Swift.String", "main.Foo.bar"),
        ("main.Foo.bar(_: Swift.Int) async throws -> Swift.String", "main.Foo.bar"),
        ("static main.Foo.== infix(main.Foo, main.Foo) -> Swift.Bool", "static main.Foo.== infix"),
        ("closure #1 (Swift.Int) -> () in main.foo() -> ()", "closure #1 in main.foo"),
        (
            "partial apply forwarder for closure #1 () -> () in main.f() -> ()",
            "partial apply forwarder for closure #1 in main.f"
        ),
        ("main.Foo.x.getter : Swift.Int", "main.Foo.x.getter"),
        ("Swift.Array.subscript.getter : (Swift.Int) -> A", "Swift.Array.subscript.getter"),
        (
            "generic specialization <Swift.Int> of Swift.Array.append(__owned A) -> ()",
            "Swift.Array.append"
        ),
        (
            "(extension in Foundation):Swift.String.init(x: A) -> Swift.String",
            "(extension in Foundation):Swift.String.init"
        ),
        ("main.(helper in _1234ABCD)(Swift.Int) -> ()", "main.(helper in _1234ABCD)"),
        (
            "(1) suspend resume partial function for main.foo() async -> ()",
            "main.foo"
        ),
        (
            "protocol witness for Swift.Equatable.== infix(A, A) -> Swift.Bool in conformance main.Foo : Swift.Equatable in main",
            "protocol witness for Swift.Equatable.== infix in conformance main.Foo : Swift.Equatable in main"
        ),
        ("type metadata accessor for main.Foo", "type metadata accessor for main.Foo"),
        ("main.apply<A>(_: (A) -> A, to: A) -> A", "main.apply<A>"),
        ("main.Foo.deinit", "main.Foo.deinit"),
    ])
    func `the short name is what a person would say`(full: String, short: String) {
        #expect(SymbolNames.short(full) == short)
        #expect(SymbolNames.name(full, in: .full) == full)
    }

    @Test(arguments: [
        "(", "<", "{", "[", "operator", "operator<", ")", ">", " ", "f(", "f<(", " [clone ", ".cold", " -> ", "((*",
        "a::", "(.", ".1",
    ])
    func `a name made to break the scanner ends, and never grows`(part: String) {
        for count in [1, 2, 3, 1000, 100_000] {
            let name = String(repeating: part, count: count)
            #expect(SymbolNames.short(name).utf8.count <= name.utf8.count)
        }
    }

    @Test func `random pieces of names never break the scanner`() {
        let seed = testSeed()
        var generator = SplitMix64(state: seed)
        let parts = [
            "(", ")", "<", ">", "{", "}", "[", "]", "operator", "->", "::", " ", "f", "(*", "&", " const", ".cold", "é",
            "#1", " in ", ":",
        ]
        for _ in 0..<20_000 {
            let name = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                parts.randomElement(using: &generator) ?? ""
            }.joined()
            #expect(SymbolNames.short(name).utf8.count <= name.utf8.count, "seed \(seed): \(name)")
        }
    }
}
