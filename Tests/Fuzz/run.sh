#!/bin/bash
# Builds and runs every fuzz target of this folder for SECONDS_EACH seconds (20); ONLY=NAME takes one of them. A target is
# a folder NAME with a file NAME.swift; the folder's listing is the list of targets. SwiftPM compiles it and what it
# imports, as libraries; the program is linked here, around libFuzzer's main. Inputs that tell anything new are kept in
# .build-fuzz/corpus/NAME for the next run, findings in .build-fuzz/findings/.
set -euo pipefail
cd "$(dirname "$0")/../.."

# A crash is libFuzzer's to report; Swift's backtrace would come between.
export PERF_FLEET_FUZZ=1 SWIFT_BACKTRACE=enable=no
built=.build-fuzz/release
mkdir -p .build-fuzz/findings

# The list of objects that SwiftPM makes of a static library: those of the target and of all that it imports.
build() {
    swift build -c release --scratch-path .build-fuzz --product "fuzz_$1" --sanitize=address \
        -Xswiftc -sanitize=fuzzer &&
        swiftc -sanitize=fuzzer,address "@$built/fuzz_$1.product/Objects.LinkFileList" -Xlinker --gc-sections \
            -o "$built/fuzz-$1"
}

# Clang's cache of modules doesn't notice a new header of a C target.
build_anew() {
    rm -rf "$built/ModuleCache"
    build "$1"
}

status=0
for folder in Tests/Fuzz/*/; do
    name=$(basename "$folder")
    [ -z "${ONLY:-}" ] || [ "$ONLY" = "$name" ] || continue
    if ! build "$name" >".build-fuzz/fuzz_$name.log" 2>&1 && ! build_anew "$name" >".build-fuzz/fuzz_$name.log" 2>&1; then
        tail -n 20 ".build-fuzz/fuzz_$name.log"
        echo "$name: can't be built"
        status=1
        continue
    fi
    corpus=(".build-fuzz/corpus/$name")
    mkdir -p "${corpus[0]}"
    [ ! -d "${folder}corpus" ] || corpus+=("${folder}corpus")
    if "$built/fuzz-$name" -max_total_time="${SECONDS_EACH:-20}" -max_len=65536 -rss_limit_mb=2048 -timeout=10 \
        -print_final_stats=1 -artifact_prefix=".build-fuzz/findings/$name-" "${corpus[@]}" >".build-fuzz/fuzz_$name.log" 2>&1; then
        awk -v name="$name" '
            /^Done / { runs = $2; seconds = $5 }
            / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") cov = $(i + 1) }
            END { printf "%s: %d runs in %d s, %.0f a second, %d edges, no finding\n", name, runs, seconds, runs / (seconds ? seconds : 1), cov }
        ' ".build-fuzz/fuzz_$name.log"
    else
        tail -n 40 ".build-fuzz/fuzz_$name.log"
        echo "$name: a finding"
        status=1
    fi
done
exit "$status"
