#!/usr/bin/env bash
# Builds the programs for Windows from a fresh Debian 12 machine, as root, into target/windows/dist: patcher and builder
# of 64 and of 32 bits, and the patcher for Windows 7. Prints their sizes, and which Windows they need.
#
# With words, only what they name: build.sh i686-win7-windows-gnu/qfe-patcher ...
# With --quick before them, as tests are built and into target/windows/quick: in a fraction of the time, larger, neither
# weighed nor looked into, not to be given away.
set -euo pipefail
cd "$(dirname "$0")/../.."
export WIN_HOME="${WIN_HOME:-/opt/windows-rust}" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target/windows}"

# The most that the patcher of 32 bits may weigh, which travels on disks with every bundle.
patcher_limit=1000000

all='i686-pc-windows-gnu/qfe-patcher x86_64-pc-windows-gnu/qfe-patcher i686-win7-windows-gnu/qfe-patcher
  i686-pc-windows-gnu/qfe-builder x86_64-pc-windows-gnu/qfe-builder'
profile=release dist=target/windows/dist
how=(--release)
if [ "${1:-}" = --quick ]; then
  shift
  profile=debug dist=target/windows/quick
  . patcher/windows/quick.sh
  how=("${quick[@]}")
fi
dist="${WIN_DIST:-$dist}"
[ $# -gt 0 ] || set -- $all

if [ "$profile" = release ]; then
  patcher/windows/toolchain.sh $(printf '%s\n' "${@%/*}" | sort -u)
else
  patcher/windows/toolchain.sh --quick
fi
for program; do
  target="${program%/*}" package="${program#*/}"
  printf '%s build: %s (%s)\n' "$(date +%T)" "$program" "$profile"
  # One at a time: built together, each would get the other's features of their dependencies.
  "$WIN_HOME/bin/cargo-win" build --quiet "${how[@]}" --locked --target "$target" --package "$package"
  mkdir -p "$dist/$target"
  cp "$CARGO_TARGET_DIR/$target/$profile/$package.exe" "$dist/$target/"
done
[ "$profile" = release ] || exit 0

status=0
for program; do
  exe="$dist/$program.exe"
  size="$(stat --format %s "$exe")"
  printf '%9d  %-40s ' "$size" "$program.exe"
  patcher/windows/imports.sh "$exe" || status=1
  case $program in
    i686-*/qfe-patcher)
      [ "$size" -le "$patcher_limit" ] || { echo "$program.exe has more than $patcher_limit bytes"; status=1; } ;;
  esac
done
exit $status
