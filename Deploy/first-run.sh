#!/bin/bash
# The first run: aggregator, agent and a demonstration load on this host; hotspots and a flame graph of what really ran.
# Ends by itself, or on Ctrl-C; whatever it started is gone afterwards. Called by `make run`.
set -euo pipefail

source "$(dirname "$0")/demonstration.sh"

# Whether a service has the 300 samples that make a first picture worth looking at.
enough() {
    samples=$(tr -d ' \n' <"$work/services.json" | grep -o "{\"name\":\"$1\",\"samples\":[0-9]*" | grep -o '[0-9]*$' || echo 0)
    [ "${samples:-0}" -ge 300 ]
}

say "Can this host be sampled?"
"$programs/perf-agent" doctor >"$work/doctor.txt" 2>&1 || { cat "$work/doctor.txt"; exit 1; }
say "  yes (details: $programs/perf-agent doctor)"

start_aggregator

"$programs/perf-agent" run --aggregator "$agents" --spool "$work/spool" >"$work/agent.out" 2>"$work/agent.log" &
started+=($!)
"$programs/demo-load" 90 >"$work/load.log" 2>&1 &
started+=($!)
say "Agent: sampling this host. Load: services checkout (60/30/10 %) and search (50/50 %)."

begun=$SECONDS
while :; do
    for pid in "${started[@]}"; do
        kill -0 "$pid" 2>/dev/null || fail "A program of the first run ended early."
    done
    waited=$((SECONDS - begun))
    [ "$waited" -lt 80 ] || fail "No samples of both services within 80 s."
    progress "waiting for the first windows (10 s each): $waited s"
    if "$programs/perf-query" services --json >"$work/services.json" 2>"$work/query.log" &&
        enough checkout && enough search; then break; fi
    sleep 1
done
progress ""

say ""
"$programs/perf-query" services
say ""
"$programs/perf-query" top --service checkout --limit 8
say ""
picture="flamegraph-checkout.svg"
"$programs/perf-query" flamegraph --service checkout --output "$picture" >/dev/null
say "Flame graph: $PWD/$picture (open it in a browser; click zooms, Ctrl-F searches)"
say ""
say "Next, with an aggregator and an agent that stay:"
say "  $programs/perf-aggregator serve --data DIR"
say "  $programs/perf-agent run --spool DIR"
say "  $programs/perf-query top --by service"
say "  $programs/perf-query flamegraph --service NAME"
say "or on this host alone, with no aggregator:"
say "  $programs/perf-agent profile --flamegraph -- COMMAND"
