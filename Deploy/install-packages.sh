#!/bin/sh
# Installs the Debian packages that building, testing and the first run need, and does nothing where they are there.
# Called by `make build`; the list below is the only one.
set -eu

# What the programs link: zstd frames; demanglers of C++, Rust and D; SQLite; Expat for PROJECT_CONFIG.xml;
# libyaml for the settings; libdw (elfutils) for DWARF; xz and zlib for compressed parts of object files; RE2 for
# regular expressions.
build="libzstd-dev libiberty-dev libsqlite3-dev libexpat1-dev libyaml-dev libmd-dev libdw-dev liblzma-dev
    zlib1g-dev libre2-dev"
# What tests compare with or look through: another profiler, a debugger, an XML parser, a browser, compilers and tools of
# object files, systemd's checker of units, groff for man pages, a terminal emulator; and programs that are profiled as they are shipped.
# The compilers of Rust, Go and D are 180 MB to fetch and 1 GB on the disk; g++ and swiftc are there already.
test="linux-perf gdb libxml2-utils chromium gcc g++ binutils elfutils dwz llvm libc6-dbg systemd groff
    python3 python3-pip python3-pyte nodejs openjdk-17-jdk-headless xz-utils sqlite3 git perl openssl debuginfod libcurl4
    rustc golang-go gdc"

case "${1:-build}" in
build) wanted="$build" ;;
test) wanted="$build $test" ;;
*)
    echo "usage: $0 [build|test]" >&2
    exit 64
    ;;
esac

missing=""
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "These Debian packages are missing; install them and try again:" >&2
    echo "  sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
echo "Installing missing Debian packages:$missing"
apt-get update -qq
# The list is split into words on purpose.
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
