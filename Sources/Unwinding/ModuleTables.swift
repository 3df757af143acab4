/// What is known of each module, by the caller's numbers.
@safe struct ModuleTables: ~Copyable {
    static let unknown: UInt32 = 0
    static let waiting: UInt32 = 1
    static let unreadable: UInt32 = 2
    /// From here on: index in `views` plus this.
    static let firstReady: UInt32 = 3
    /// Numbers are meant to be dense; a larger one stays unknown.
    static let maximumFiles = 1 << 22

    private var states: [UInt32] = []
    /// Keeps the memory behind the views alive.
    private var tables: [UnwindTable?] = []
    private var free: [Int] = []
    private var views: UnsafeMutablePointer<TableView>
    private var capacity = 0
    private var nextSerial: UInt32 = 1

    init() {
        unsafe views = .allocate(capacity: 0)
    }

    deinit {
        unsafe views.deallocate()
    }

    @inline(__always)
    func state(ofFile file: UInt32) -> UInt32 {
        Int(file) < states.count ? states[Int(file)] : Self.unknown
    }

    /// Of a state from `firstReady` on; valid until the next `set`.
    @inline(__always)
    func view(_ state: UInt32) -> UnsafePointer<TableView> {
        unsafe UnsafePointer(views + Int(state &- Self.firstReady))
    }

    mutating func set(_ state: Unwinder.ModuleState, forFile file: UInt32, _ architecture: UserArchitecture) {
        guard Int(file) < Self.maximumFiles else { return }
        while states.count <= Int(file) { states.append(Self.unknown) }
        let old = states[Int(file)]
        if old >= Self.firstReady {
            tables[Int(old - Self.firstReady)] = nil
            free.append(Int(old - Self.firstReady))
        }
        switch state {
        case .unknown: states[Int(file)] = Self.unknown
        case .waiting: states[Int(file)] = Self.waiting
        case .unreadable: states[Int(file)] = Self.unreadable
        case .ready(let table):
            states[Int(file)] =
                table.architecture == architecture ? Self.firstReady + UInt32(keep(table)) : Self.unreadable
        }
    }

    private mutating func keep(_ table: UnwindTable) -> Int {
        let place = free.popLast() ?? tables.count
        if place == tables.count { tables.append(nil) }
        if place >= capacity { grow() }
        tables[place] = table
        var view = table.view
        // Serials never repeat while a cache could remember them: what is left of an old table is never asked for.
        view.serial = nextSerial
        nextSerial = nextSerial == UInt32.max >> 1 ? 1 : nextSerial + 1
        unsafe (views + place).initialize(to: view)
        return place
    }

    private mutating func grow() {
        let larger = max(64, capacity * 2)
        let new = UnsafeMutablePointer<TableView>.allocate(capacity: larger)
        unsafe new.update(from: views, count: capacity)
        unsafe views.deallocate()
        unsafe views = new
        capacity = larger
    }
}
