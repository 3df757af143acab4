// The helper process for tests: what `perf-agent helper` is in the product.
import ProfilerAgent

runHelper()
