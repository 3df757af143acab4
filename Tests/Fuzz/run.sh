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

# What a fuzz target may call is among the objects of everything compiled so far; the linker drops the rest. A Swift
# target's map names its objects, compiled or not, and leaves out those of files that are gone; C targets have no map.
objects() {
    local folder map
    for folder in "$built"/*.build; do
        case $(basename "$folder") in
            "fuzz_$1.build") ;;
            fuzz_*) continue ;;
        esac
        map=$folder/output-file-map.json
        if [ -f "$map" ]; then
            sed -nE 's:\\/:/:g; s/.*"object" *\: *"([^"]+)".*/\1/p' "$map"
        else
            find "$folder" -name '*.o'
        fi
    done | sort -u | while read -r object; do [ ! -f "$object" ] || printf '"%s"\n' "$object"; done
}

build() {
    swift build -c release --scratch-path .build-fuzz --target "fuzz_$1" --sanitize=address -Xswiftc -sanitize=fuzzer &&
        objects "$1" >".build-fuzz/fuzz_$1.objects" &&
        swiftc -sanitize=fuzzer,address "@.build-fuzz/fuzz_$1.objects" -Xlinker --gc-sections -o "$built/fuzz_$1"
}

status=0
for folder in Tests/Fuzz/*/; do
    name=$(basename "$folder")
    [ -z "${ONLY:-}" ] || [ "$ONLY" = "$name" ] || continue
    if ! build "$name" >".build-fuzz/fuzz_$name.log" 2>&1; then
        tail -n 20 ".build-fuzz/fuzz_$name.log"
        echo "$name: can't be built"
        status=1
        continue
    fi
    corpus=(".build-fuzz/corpus/$name")
    mkdir -p "${corpus[0]}"
    [ ! -d "${folder}corpus" ] || corpus+=("${folder}corpus")
    if "$built/fuzz_$name" -max_total_time="${SECONDS_EACH:-20}" -max_len=65536 -rss_limit_mb=2048 -timeout=10 \
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
