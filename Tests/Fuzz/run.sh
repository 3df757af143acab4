#!/bin/bash
# Builds and runs every fuzz target of this folder for SECONDS_EACH seconds (20). A target is a folder NAME with a file
# NAME.swift; the folder's listing is the list of targets. What a run finds is kept in .build-fuzz/NAME/.
set -euo pipefail
cd "$(dirname "$0")/../.."

export SWIFT_BACKTRACE=enable=no PERF_FLEET_FUZZ=1
status=0
for folder in Tests/Fuzz/*/; do
    name=$(basename "$folder")
    [ -z "${ONLY:-}" ] || [ "$ONLY" = "$name" ] || continue
    swift build -c release --scratch-path .build-fuzz --product "fuzz-$name" \
        --sanitize=address -Xswiftc -sanitize=fuzzer >".build-fuzz-$name.log" 2>&1 ||
        { tail -n 20 ".build-fuzz-$name.log"; echo "$name: can't be built"; status=1; continue; }
    rm -f ".build-fuzz-$name.log"
    mkdir -p ".build-fuzz/corpus/$name"
    seeds=()
    [ -d "${folder}corpus" ] && seeds=("${folder}corpus")
    if output=$(".build-fuzz/release/fuzz-$name" -max_total_time="${SECONDS_EACH:-20}" -max_len=65536 -rss_limit_mb=2048 \
        -timeout=10 -artifact_prefix=".build-fuzz/$name-" ".build-fuzz/corpus/$name" "${seeds[@]}" 2>&1); then
        echo "$name: $(grep -o 'Done [0-9]* runs.*' <<<"$output" | tail -n 1)"
    else
        tail -n 30 <<<"$output"
        echo "$name: failed"
        status=1
    fi
done
exit "$status"
