/// Why a rule could not be found or carried out; thrown on the path of every sample, so a trivial value.
enum StepFailure: Error, BitwiseCopyable, Equatable {
    case broken(BreakReason)
    /// The copy of the stack ends before what is needed.
    case cut
}
