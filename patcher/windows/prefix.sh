#!/usr/bin/env bash
# Makes a machine with Windows for Wine: a copy of the one that `toolchain.sh` made, which nobody changes.
#
# Its programs and libraries are links, 1.3 GB otherwise; its registry is its own.
set -euo pipefail
from="${WIN_HOME:-/opt/windows-rust}/prefix" to="$1"
mkdir -p "$to"
cp -as "$from/drive_c" "$to/"
cp -a "$from/dosdevices" "$from"/*.reg "$from/.update-timestamp" "$to/"
