internal import Unwinding

/// To `SamplerQuestion.runtime`: what is known of frames of code made at run time.
struct RuntimeCodeAnswer: Identifiable, Sendable {
    /// Slot and serial of the process; an answer about an entry that has left its slot is about nobody.
    var slot: UInt32
    var serial: UInt64
    /// nil where the runtime doesn't tell of its frames.
    var code: RuntimeCode?
    /// Where such code lies, known or not.
    var bounds: Range<UInt64> = 0..<0
    /// CLOCK_MONOTONIC nanoseconds: samples up to then meet the code as it was read. `.max` where nothing more will be
    /// known.
    var readAt: UInt64

    var id: UInt64 { serial }
}
