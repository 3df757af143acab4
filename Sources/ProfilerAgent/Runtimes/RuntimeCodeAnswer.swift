internal import Unwinding

/// To `SamplerQuestion.runtime`: what is known of frames of code made at run time.
struct RuntimeCodeAnswer: Identifiable, Sendable {
    /// Slot and serial of the process; an answer about an entry that has left its slot is about nobody.
    var slot: UInt32
    var serial: UInt64
    var code: RuntimeCode
    /// Where such code lies, known or not.
    var bounds: Range<UInt64>

    var id: UInt64 { serial }
}
