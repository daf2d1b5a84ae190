#!/usr/bin/env bash
# Runs the patcher's own tests as programs for Windows of 64 and of 32 bits, under Wine. As root on Debian 12.
#
# Wine may end with 0 without having run anything: what counts is what the tests say.
set -euo pipefail
cd "$(dirname "$0")/../.."
export WIN_HOME="${WIN_HOME:-/opt/windows-rust}" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target/windows}"

# Fewer than are there cannot be all.
fewest=120

patcher/windows/toolchain.sh --quick
folder="$(mktemp -d)"
export WINEPREFIX="$folder/prefix"
# Helpers of Wine outlive the program that started them, with its output: the first start has one of its own.
trap '/usr/lib/wine/wineserver64 -k || true; /usr/lib/wine/wineserver64 -w; rm -rf "$folder"' EXIT
patcher/windows/prefix.sh "$WINEPREFIX"
/usr/lib/wine/wineserver64 -p >"$folder/wine.log" 2>&1
"$WIN_HOME/bin/wine-run" cmd /c exit >>"$folder/wine.log" 2>&1

. patcher/windows/quick.sh
for target in x86_64-pc-windows-gnu i686-pc-windows-gnu; do
  printf '%s test: %s\n' "$(date +%T)" "$target"
  "$WIN_HOME/bin/cargo-win" test "${quick[@]}" --quiet --locked --target "$target" --package qfe-patcher --lib 2>&1 </dev/null | tee "$folder/output"
  passed="$(tr -d '\r' <"$folder/output" | sed -n 's/^test result: ok\. \([0-9]*\) passed; 0 failed;.*/\1/p')"
  [ "${passed:-0}" -ge "$fewest" ] || { echo "$target: ${passed:-0} tests passed, there are at least $fewest"; exit 1; }
done
