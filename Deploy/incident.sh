#!/bin/bash
# A prepared incident: eight hosts of a service, some of which are slow in one function. Who finds out which, and where?
# The answers are those of real samples, taken here one host after the other. Ends on Ctrl-C or after INCIDENT_MINUTES
# (30); whatever it started is gone afterwards. Called by `make incident`.
set -euo pipefail

source "$(dirname "$0")/demonstration.sh"

"$programs/perf-agent" doctor >"$work/doctor.txt" 2>&1 || { cat "$work/doctor.txt"; exit 1; }
start_aggregator

# Chance decides what is wrong: two hosts, the first function or the third, a kernel of their own.
first=$((RANDOM % 8))
second=$(((first + 1 + RANDOM % 7) % 8))
slow=$((RANDOM % 2 * 2))
for number in 0 1 2 3 4 5 6 7; do
    progress "recording the hosts of the service 'shop': $((number + 1)) of 8"
    parts=(20 30 50)
    kernel=6.1.0-17
    if [ "$number" = "$first" ] || [ "$number" = "$second" ]; then
        parts[slow]=$((parts[slow] * 5 / 4))
        kernel=6.1.0-18
    fi
    host="shop-$number"
    "$programs/perf-agent" profile --rate 1999 --output "$work/$host.pb.gz" -- \
        "$programs/demo-load" basket "${parts[@]}" 4 >"$work/record.out" 2>"$work/record.log" ||
        fail "Recording $host failed."
    "$programs/perf-query" import --service shop --host "$host" --label "kernel=$kernel" \
        --label "zone=$([ $((number % 3)) = 0 ] && echo north || echo south)" "$work/$host.pb.gz" \
        >"$work/import.out" 2>"$work/import.log" || fail "Storing $host failed."
done
progress ""

say "The service 'shop' is slow on some of its eight hosts. Which ones, and in which function? In another terminal:"
say ""
say "  export PERF_SERVER=$PERF_SERVER PATH=$PWD/$programs:\$PATH"
say ""
say "then two commands of README.md, 'An incident'. Ctrl-C ends this."
sleep "$((${INCIDENT_MINUTES:-30} * 60))" &
started+=($!)
wait "${started[-1]}" || true
