#!/usr/bin/env bash
# Makes what the programs for Windows are built, linked and tried with, on Debian 12, as root; what is there already is
# left alone. It ends with $WIN_HOME/bin/cargo-win, a cargo for the Windows targets (with --release for what is given
# away, without it for tests), and $WIN_HOME/bin/wine-run, which runs a program for Windows.
#
# Debian's compiler comes with its library's sources, and the library must be built here: the release that users get has
# no use for most of what ready-made ones carry. About 450 MB of packages, 3 GB of disk.
#
# With words, the library that users get is made for these targets only; with --quick for none, and that of tests alone.
set -euo pipefail
cd "$(dirname "$0")"
WIN_HOME="${WIN_HOME:-/opt/windows-rust}"
RUSTC=/usr/bin/rustc # Not rustup's, which may come first on PATH and cannot make these targets.
CARGO=/usr/bin/cargo
TARGETS='x86_64-pc-windows-gnu i686-pc-windows-gnu i686-win7-windows-gnu'
TEST_TARGETS='x86_64-pc-windows-gnu i686-pc-windows-gnu'
case ${1:-} in
  '') given_away="$TARGETS" ;;
  --quick) given_away= ;;
  *) given_away="$*" ;;
esac

say() { printf '%s toolchain: %s\n' "$(date +%T)" "$*"; }
# Tells whether a part was made by the same recipe: a stamp holds all that it depends on.
is_made() { [ "$(cat "$1/.stamp" 2>/dev/null)" = "$2" ]; }

mkdir -p "$WIN_HOME/bin"
exec 9>"$WIN_HOME/.lock"
flock 9

packages='ca-certificates gcc rustc-web cargo-web rust-web-src gcc-mingw-w64-x86-64-win32 gcc-mingw-w64-i686-win32 wine64'
if ! dpkg-query -W -f='${db:Status-Status}\n' $packages 2>/dev/null | awk '$1 != "installed" { bad = 1 } END { exit bad || NR < 8 }'; then
  say 'packages'
  apt-get -o DPkg::Lock::Timeout=300 update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -qy --no-install-recommends $packages >"$WIN_HOME/apt.log" 2>&1 ||
    { tail -20 "$WIN_HOME/apt.log"; exit 1; }
fi

version="$($RUSTC --version | awk '{ print $2 }')"
sources="/usr/src/rustc-$version/library"
[ -d "$sources" ] || { say "rust-web-src is not of version $version, as rustc-web is: no $sources"; exit 1; }

# Compiles the standard library: its name, the manifest's profile, flags, cargo's words for it, targets.
standard_library() {
  local name="$1" profile="$2" flags="$3" parts="$4" targets="$5" target todo='' stamp work lib object
  stamp="$(printf '%s\n' "$version" "$profile" "$flags" "$parts")"
  for target in $targets; do
    is_made "$WIN_HOME/std/$name/lib/rustlib/$target" "$stamp" || todo="$todo $target"
  done
  [ -n "$todo" ] || return 0
  say "the standard library for $name:$todo"
  work="$WIN_HOME/std-build"
  rm -rf "$work"
  mkdir -p "$work/src"
  : >"$work/src/lib.rs"
  # As in Rust's own: each function an object, for the linker takes whole ones.
  printf '[package]\nname = "seed"\nversion = "0.0.0"\nedition = "2021"\n[profile.release]\n%s\n[profile.release.package.compiler_builtins]\ncodegen-units = 10000\n' \
    "$profile" >"$work/Cargo.toml"
  (
    cd "$work"
    env -u CARGO_BUILD_TARGET -u RUSTC_WRAPPER RUSTC_BOOTSTRAP=1 RUSTC=$RUSTC RUSTFLAGS="$flags" CARGO_TARGET_DIR="$work/target" \
      $CARGO build --quiet --release $parts $(printf -- '--target %s ' $todo)
  )
  for target in $todo; do
    lib="$WIN_HOME/std/$name/lib/rustlib/$target/lib"
    rm -rf "$lib"
    mkdir -p "$lib"
    cp "$work/target/$target/release/deps/"*.rlib "$lib/"
    rm -f "$lib"/libseed-*
    # What rustc puts before and after every program of this target: they tell the C library of the unwind tables.
    if [ "$target" = i686-pc-windows-gnu ]; then
      for object in rsbegin rsend; do
        if [ "$name" = release ]; then
          # There are none, see `without-unwind-tables.ld`.
          i686-w64-mingw32-gcc -c -x c -o "$lib/$object.o" /dev/null
        else
          RUSTC_BOOTSTRAP=1 $RUSTC --target "$target" --emit obj -O -o "$lib/$object.o" "$sources/rtstartup/$object.rs"
        fi
      done
    fi
    printf '%s\n' "$stamp" >"$lib/../.stamp"
  done
  rm -rf "$work"
}

# What users get: no unwinding, no tracing back (both are of no use to a program without symbols that aborts), the
# smaller of two algorithms, no source places of the library's own panics; messages stay. Bitcode is for `lto`.
standard_library release $'opt-level = "z"\npanic = "abort"' '-Cembed-bitcode=yes -Zlocation-detail=none' \
  '-Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size' "$given_away"
# Tests unwind.
standard_library test 'opt-level = 1' '' '-Zbuild-std=std,panic_abort,panic_unwind,test,proc_macro' "$TEST_TARGETS"

# Debian's wine64 runs programs of 32 bits as well if it has its DLLs of 32 bits. They are unpacked beside it: dpkg need
# not know of another architecture for them.
wine="$(dpkg-query -W -f='${Version}' libwine)"
wine32="$WIN_HOME/wine32/usr/lib/i386-linux-gnu/wine"
if ! is_made "$WIN_HOME/wine32" "$wine"; then
  say "Wine's DLLs of 32 bits, $wine"
  apt32="$WIN_HOME/apt32"
  rm -rf "$apt32" "$WIN_HOME/wine32"
  mkdir -p "$apt32/lists/partial" "$apt32/cache/archives/partial" "$WIN_HOME/wine32"
  # The place where this machine gets its packages.
  place="$( (cat /etc/apt/sources.list.d/*.sources 2>/dev/null || true) | awk '/^URIs:/ { print $2; exit }')"
  [ -n "$place" ] || place="$(awk '/^deb / { for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) { print $i; exit } }' /etc/apt/sources.list)"
  cat >"$apt32/i386.sources" <<END
Types: deb
URIs: $place
Suites: bookworm
Components: main
Architectures: i386
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
  apt="apt-get -qq -o Dir::Etc::sourcelist=$apt32/i386.sources -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists=$apt32/lists
    -o Dir::Cache=$apt32/cache -o APT::Architecture=i386 -o APT::Architectures=i386 -o APT::Sandbox::User=root"
  $apt update
  (cd "$apt32" && $apt download "libwine=$wine")
  dpkg-deb --fsys-tarfile "$apt32"/libwine_*_i386.deb |
    tar --extract --directory "$WIN_HOME/wine32" --wildcards './usr/lib/i386-linux-gnu/wine/i386-windows/*'
  rm -rf "$apt32"
  printf '%s\n' "$wine" >"$WIN_HOME/wine32/.stamp"
fi

# Two DLLs that Wine 8 lacks; see their sources.
shims="$WIN_HOME/shims"
stamp="$(cat shims/* | sha256sum)"
if ! is_made "$shims" "$stamp"; then
  say 'two DLLs for Wine'
  rm -rf "$shims"
  mkdir -p "$shims/x86_64" "$shims/i686"
  x86_64-w64-mingw32-gcc -Os -s -shared -nostartfiles -Wl,-e,DllMain -o "$shims/x86_64/bcryptprimitives.dll" shims/bcryptprimitives.c -ladvapi32
  i686-w64-mingw32-gcc -Os -s -shared -nostartfiles -Wl,--kill-at,-e,_DllMain@12 -o "$shims/i686/bcryptprimitives.dll" shims/bcryptprimitives.c -ladvapi32
  i686-w64-mingw32-nm /usr/i686-w64-mingw32/lib/libws2_32.a 2>/dev/null | awk -f shims/ws2_32.awk >"$shims/ws2_32.s"
  { printf 'EXPORTS\n'; awk '/^\.globl _[A-Z_a-z]/ && !/DllMain/ { print substr($2, 2) }' "$shims/ws2_32.s"; } >"$shims/ws2_32.def"
  i686-w64-mingw32-gcc -s -shared -nostdlib -nostartfiles -Wl,--kill-at,-e,_DllMain@12 -o "$shims/i686/ws2_32.dll" "$shims/ws2_32.s" "$shims/ws2_32.def"
  printf '%s\n' "$stamp" >"$shims/.stamp"
fi

cat >"$WIN_HOME/bin/wine-run" <<END
#!/bin/sh
# No questions whether to install what Wine lacks, no menus of the desktop; our ws2_32 rather than Wine's.
export WINEPREFIX="\${WINEPREFIX:-$WIN_HOME/prefix}" WINEDEBUG="\${WINEDEBUG:--all}" WINEDLLPATH="$wine32"
export WINEDLLOVERRIDES='mscoree,mshtml=;winemenubuilder.exe=d;ws2_32=n,b'
exec /usr/lib/wine/wine64 "\$@"
END
{
  cat <<END
#!/bin/sh
std=$WIN_HOME/std/test
for word in "\$@"; do [ "\$word" != --release ] || std=$WIN_HOME/std/release; done
export RUSTC=$RUSTC RUSTDOC=/usr/bin/rustdoc CARGO_TARGET_DIR="\${CARGO_TARGET_DIR:-target/windows}"
# For those switches below that are not stable yet.
[ \$std != $WIN_HOME/std/release ] || export RUSTC_BOOTSTRAP=1
END
  for target in $TARGETS; do
    upper="CARGO_TARGET_$(printf '%s' "$target" | tr a-z- A-Z_)"
    echo "export ${upper}_RUNNER=$WIN_HOME/bin/wine-run ${upper}_LINKER=${target%%-*}-w64-mingw32-gcc"
    # Of 32 bits, where each byte counts: no unwind tables (a tenth), and nothing that reads them (21 KB); SHA-256 as a
    # loop for what is older than its instructions, a seventh slower there (9 KB); panics name their file, not the line
    # (24 KB).
    case $target in
      i686-*) echo "[ \$std != $WIN_HOME/std/release ] && small= || small=' -Clink-arg=-Wl,-T,$WIN_HOME/without-unwind-tables.ld -Zpre-link-arg=$WIN_HOME/without-unwinding.o --cfg sha2_backend_soft=\"compact\" -Zlocation-detail=file'" ;;
      *) echo 'small=' ;;
    esac
    echo "export ${upper}_RUSTFLAGS=\"--sysroot=\$std\$small\" ${upper}_RUSTDOCFLAGS=\"--sysroot=\$std\""
  done
  echo "exec $CARGO \"\$@\""
} >"$WIN_HOME/bin/cargo-win"
chmod 755 "$WIN_HOME/bin/"*
cp without-unwind-tables.ld "$WIN_HOME/"
i686-w64-mingw32-gcc -Os -c -o "$WIN_HOME/without-unwinding.o" without-unwinding.c

# A machine with Windows, never used itself: tests take copies of it.
stamp="$wine $(cat "$shims/.stamp") 1"
prefix="$WIN_HOME/prefix"
if ! is_made "$prefix" "$stamp"; then
  say 'a Wine prefix'
  rm -rf "$prefix"
  WINEPREFIX="$prefix" "$WIN_HOME/bin/wine-run" wineboot --init >"$WIN_HOME/wineboot.log" 2>&1
  WINEPREFIX="$prefix" /usr/lib/wine/wineserver64 -w
  cp "$shims/x86_64/bcryptprimitives.dll" "$prefix/drive_c/windows/system32/"
  rm -f "$prefix/drive_c/windows/syswow64/ws2_32.dll"
  cp "$shims/i686/"*.dll "$prefix/drive_c/windows/syswow64/"
  # The share \\localhost\c$.
  mkdir -p "$prefix/dosdevices/unc/localhost"
  ln -sfn ../../../drive_c "$prefix/dosdevices/unc/localhost/c\$"
  printf '%s\n' "$stamp" >"$prefix/.stamp"
fi
say "ready: $WIN_HOME/bin/cargo-win"
