import LinuxSystem
import Testing

@Suite struct CPUListTests {
    @Test(arguments: [
        ("0", [0]), ("0-3,8,10-11", [0, 1, 2, 3, 8, 10, 11]), ("2,1,1-2", [1, 2]),
    ]) func `lists are read as the kernel writes them`(text: String, cpus: [Int]) {
        #expect(CPUList.parse(text) == cpus)
    }

    @Test(arguments: ["", ",", "1-", "-1", "3-1", "1-2-3", "a", "0,", "99999999999", "0-65536", " 1"])
    func `malformed lists are refused`(text: String) {
        #expect(CPUList.parse(text) == nil)
    }

    @Test func `the CPUs of this machine are found`() {
        #expect(CPUList.online()?.isEmpty == false)
    }
}
