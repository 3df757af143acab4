// The helper process for tests: what `perf-agent helper` and `perf-agent fetch` are in the product.
import ProfilerAgent

if CommandLine.arguments.dropFirst().first == "fetch" { runFetcher() }
runHelper()
