// A store's compactor in a process of its own, which dies by SIGKILL at one of the compaction's steps.
//
// CompactorProgram DIRECTORY STEP TIME NOW: compacts as of NOW (nanoseconds since 1970) and kills itself when it has
// reached STEP for the TIMEth time. Ends with 0 where it never got there.
import Glibc
import ProfileStore
import Profiles
import Synchronization

let arguments = CommandLine.arguments
guard arguments.count == 5, let step = CompactionStep(rawValue: arguments[2]), let time = Int(arguments[3]),
    let now = Int64(arguments[4])
else {
    print("usage: CompactorProgram DIRECTORY STEP TIME NOW")
    exit(64)
}
do {
    let moment = Timestamp(nanoseconds: now)
    let store = try SQLiteStore(SQLiteStore.Options(directory: arguments[1], now: { moment }))
    let seen = Mutex(0)
    store.stopCompaction { reached in
        let count = seen.withLock { count in
            count += reached == step ? 1 : 0
            return count
        }
        if reached == step, count == time { kill(getpid(), SIGKILL) }
    }
    _ = try await store.upkeep(now: moment)
} catch {
    print(error)
    exit(1)
}
