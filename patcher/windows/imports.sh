#!/usr/bin/env bash
# Holds the import table of a program for Windows against `imports.txt`: Windows does not start a program of which it
# lacks a single import. Tells which Windows has all of them; the program for Windows 7 must find all of them there.
#
# What a program looks up while it runs is not in that table; the standard library does so where it can do without.
set -euo pipefail
exe="$1"
case $exe in
  *i686-win7-*) objdump=i686-w64-mingw32-objdump limit=6.1 ;;
  *i686-*) objdump=i686-w64-mingw32-objdump limit=10.0 ;;
  *) objdump=x86_64-w64-mingw32-objdump limit=10.0 ;;
esac
$objdump --private-headers "$exe" | awk -v limit=$limit -f "$(dirname "$0")/imports.awk" "$(dirname "$0")/imports.txt" -
