#!/bin/sh
# Checks units and man pages without installing anything: lays them and the programs out in a temporary root as a
# package does, and asks systemd-analyze there. Programs that are not built yet are stood in for.
# Usage: Deploy/verify-units.sh [PROGRAMS]   (the folder of the programs; .build/release unless given)
set -eu

deploy=$(cd "$(dirname "$0")" && pwd)
programs=${1:-$deploy/../.build/release}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
failed=0

mkdir -p "$root/usr/bin" "$root/usr/lib/systemd/system" "$root/etc/systemd/system" "$root/usr/share/man/man1"
for program in perf-agent perf-aggregator perf-query; do
    if [ -x "$programs/$program" ]; then
        cp "$programs/$program" "$root/usr/bin/$program"
    else
        printf '#!/bin/sh\n' > "$root/usr/bin/$program"
        chmod 755 "$root/usr/bin/$program"
    fi
    cp "$deploy/man/$program.1" "$root/usr/share/man/man1/"
done
# What the units name of the system: its own units, and kill(1).
cp -r /usr/lib/systemd/system/. "$root/usr/lib/systemd/system/"
mkdir -p "$root/bin"
cp /bin/kill "$root/bin/kill"
cp "$deploy"/systemd/*.service "$root/etc/systemd/system/"

for unit in perf-agent.service perf-aggregator.service; do
    # Documentation is checked by the lint of the pages below: man(1) doesn't know the temporary root.
    said=$(systemd-analyze verify --man=no --root="$root" "$unit" 2>&1) || failed=1
    ours=$(printf '%s\n' "$said" | grep -F perf- || true)
    if [ -n "$ours" ]; then
        printf '%s\n' "$ours"
        failed=1
    fi
    systemd-analyze security --no-pager --offline=yes --root="$root" "$unit" 2>/dev/null | tail -n 1
done

if command -v groff > /dev/null; then
    for page in "$deploy"/man/*.1; do
        said=$(groff -man -ww -z -Tutf8 "$page" 2>&1) || failed=1
        if [ -n "$said" ]; then
            printf '%s\n' "$said"
            failed=1
        fi
    done
else
    echo "groff is not installed: man pages not checked" >&2
fi

[ "$failed" = 0 ] && echo "units and man pages are clean"
exit "$failed"
