# What demonstrations share: a folder of their own, an aggregator on free ports, and an end that leaves nothing behind.
# Sourced by first-run.sh and incident.sh, from the top of the repository.
# shellcheck shell=bash

programs=.build/release
work=$(mktemp -d "${TMPDIR:-/tmp}/perf-fleet.XXXXXX")
started=()

cleanup() {
    trap - EXIT INT TERM
    for pid in "${started[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT
trap 'echo; echo "Stopped."; exit 130' INT TERM

fail() {
    printf '\n%s\n' "$1" >&2
    for log in "$work"/*.log; do
        [ -s "$log" ] && { echo "--- $(basename "$log")" >&2; tail -n 5 "$log" >&2; }
    done
    exit 1
}

say() { printf '%s\n' "$*"; }

progress() { if [ -t 2 ]; then printf '\r\033[K%s' "$1" >&2; fi; }

# Starts an aggregator in the folder; `agents` is where agents connect, PERF_SERVER where queries go.
start_aggregator() {
    "$programs/perf-aggregator" serve --data "$work/data" --listen-agents 127.0.0.1:0 --listen-http 127.0.0.1:0 \
        >"$work/aggregator.out" 2>"$work/aggregator.log" &
    started+=($!)
    local line=""
    for _ in $(seq 100); do
        line=$(grep -m1 '^listening ' "$work/aggregator.out" 2>/dev/null || true)
        [ -n "$line" ] && break
        kill -0 "${started[0]}" 2>/dev/null || fail "The aggregator ended before it was ready."
        sleep 0.1
    done
    [ -n "$line" ] || fail "The aggregator was not ready within 10 s."
    agents=${line#*agents=}
    agents=${agents%% *}
    export PERF_SERVER="http://${line#*http=}"
    say "Aggregator: agents at $agents, queries at $PERF_SERVER"
}
