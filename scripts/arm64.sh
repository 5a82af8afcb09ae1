#!/usr/bin/env bash
# Python programs as on a Raspberry Pi or a Jetson, on an x86-64 machine: emulated, user space only.
#
#   scripts/arm64.sh BOARD [script.py | -m module | -c code] [arguments...]
#
# Without a program it sets up and stops. BOARD: pi4, pi5, jetson-nano, jetson-orin (64 bit), pi4-32 (32 bit). It decides
# the processor, so that a wheel with instructions that the board does not have dies here as it would there, and the
# files by which programs recognise the board. Needs a Debian (bookworm or newer) with apt-get, dpkg-deb and the
# Debian keys; root is not needed. No container, no binfmt_misc. What was fetched once is used again.
#
#   SUITE=bookworm      bookworm (Python 3.11) or trixie (Python 3.13): those of Raspberry Pi OS
#   PACKAGES="..."      what pip gets, as wheels for the board; default: numpy, Pillow, click and LiteRT
#   EXTRA_PYTHONPATH=   put before the wheels
#   ARM64_CACHE=        where everything is kept; default: edgevision-arm64 in $XDG_CACHE_HOME or ~/.cache
#   PYTHON=python3      this machine's Python with pip: it fetches the wheels
#   QEMU=               an emulator for the board's processors; default: one that is installed, else Debian's own
#   SELFTEST=1          first prove that the processor is that of the board: an instruction that only some have
#
# Exit code 3: this machine cannot be set up for it (the reason is on stderr); else the program's.
set -euo pipefail
ulimit -c 0
say() { echo "arm64.sh: $*" >&2; }
cannot() { say "$*"; exit 3; }
[ $# -ge 1 ] || { sed -n '2,20p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
BOARD=$1; shift
SUITE=${SUITE:-bookworm} PYTHON=${PYTHON:-python3} PACKAGES=${PACKAGES:-numpy Pillow click ai-edge-litert}
CACHE=${ARM64_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/edgevision-arm64}

# The board: qemu's processor, what the kernel says of it, the machine's name. qemu has no Cortex-A78AE; the A76 has the
# same 8-bit and half-precision instructions.
ARCH=arm64 OLD="fp asimd evtstrm crc32 cpuid"
NEW="fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
case $BOARD in
  pi4)         CPU=cortex-a72 PART=0xd08 FEATURES=$OLD MODEL="Raspberry Pi 4 Model B Rev 1.4";;
  pi5)         CPU=cortex-a76 PART=0xd0b FEATURES=$NEW MODEL="Raspberry Pi 5 Model B Rev 1.0";;
  jetson-nano) CPU=cortex-a57 PART=0xd07 FEATURES=$OLD MODEL="NVIDIA Jetson Nano Developer Kit";;
  jetson-orin) CPU=cortex-a76 PART=0xd42 FEATURES=$NEW MODEL="NVIDIA Jetson Orin Nano Developer Kit";;
  pi4-32)      CPU=cortex-a15 PART=0xd08 FEATURES="half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32"
               MODEL="Raspberry Pi 4 Model B Rev 1.4" ARCH=armhf;;
  *) say "there is no board '$BOARD'"; exit 2;;
esac
case $SUITE in bookworm) VERSION=3.11 GLIBC=36;; trixie) VERSION=3.13 GLIBC=41;; *) say "SUITE=$SUITE?"; exit 2;; esac
case $ARCH in arm64) MACHINE=aarch64 PROGRAM=qemu-aarch64;; armhf) MACHINE=armv7l PROGRAM=qemu-arm;; esac

mkdir -p "$CACHE"
exec 9> "$CACHE/lock"
flock 9  # two programs at once set up once

# Packages of the distribution are downloaded, checked by their signatures and unpacked, never installed.
fetch() { # ARCHITECTURE SUITE FOLDER PACKAGE...: unpacks the packages, with all they need, in FOLDER
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || cannot "apt-get and dpkg-deb are needed"
  local keys=/usr/share/keyrings/debian-archive-keyring.gpg arch=$1 suite=$2 out=$3 apt=$CACHE/apt mirror deb; shift 3
  [ -e "$keys" ] || cannot "$keys is missing: apt-get install debian-archive-keyring"
  mirror() { apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 2>/dev/null | awk '/^Debian .*\/debian\/?$/ && !n++ { print $2 } END { exit !n }'; }
  mirror=$(mirror) || { [ "$(id -u)" = 0 ] && apt-get update -qq >&2 && mirror=$(mirror); } ||
    cannot "apt-get knows no Debian mirror: run apt-get update"
  rm -rf "$apt" "$out"; mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$out"; : > "$apt/status"
  echo "deb [signed-by=$keys] $mirror $suite main" > "$apt/sources.list"
  private() { apt-get -qq -o APT::Architecture="$arch" -o APT::Architectures::="$arch" -o Debug::NoLocking=1 \
    -o APT::Sandbox::User= -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State="$apt" -o Dir::State::status="$apt/status" -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" "$@"; }
  say "fetching $* ($suite, $arch)"
  private update >&2 || cannot "the package lists of $suite cannot be fetched"
  private install --no-install-recommends --download-only -y "$@" >/dev/null || cannot "$* cannot be fetched"
  for deb in "$apt"/cache/archives/*.deb; do
    case ${deb##*/} in dpkg_*|tar_*|media-types_*|readline-common_*|tzdata_*) continue;; esac
    dpkg-deb -x "$deb" "$out"
  done
  rm -rf "$apt" "$out"/usr/share/{doc,man,locale}
}

# 1. the emulator: version 7.2 shows the files below to the program, and its -cpu is what the boards are told apart by
QEMU=${QEMU:-$(command -v "$PROGRAM" || command -v "$PROGRAM-static" || true)}
if [ -z "$QEMU" ]; then
  [ "$(uname -m)" = x86_64 ] || cannot "$PROGRAM is not installed"
  QEMU=$CACHE/qemu/$PROGRAM
  if [ ! -x "$QEMU" ]; then
    fetch amd64 bookworm "$CACHE/qemu.new" qemu-user-static
    mkdir -p "$CACHE/qemu"
    for each in qemu-aarch64 qemu-arm; do mv "$CACHE/qemu.new/usr/bin/$each-static" "$CACHE/qemu/$each"; done
    rm -rf "$CACHE/qemu.new"
  fi
fi
MAJOR=$("$QEMU" --version | sed -n '1s/.*version \([0-9]*\)\..*/\1/p')

# 2. Python and its libraries. Nobody but Debian has numpy and Pillow for 32 bit.
ROOT=$CACHE/root-$SUITE-$ARCH
if [ ! -e "$ROOT/.complete" ]; then
  case $ARCH in arm64) MORE=libstdc++6;; armhf) MORE="python3-numpy python3-pil";; esac
  # shellcheck disable=SC2086
  fetch "$ARCH" "$SUITE" "$ROOT" "python$VERSION" $MORE
  [ -e "$ROOT/lib" ] || ln -s usr/lib "$ROOT/lib"  # trixie has all below usr
  for each in blas/libblas.so.3 lapack/liblapack.so.3; do  # what update-alternatives would do
    [ ! -e "$ROOT/usr/lib/arm-linux-gnueabihf/$each" ] || ln -sf "$each" "$ROOT/usr/lib/arm-linux-gnueabihf/"
  done
  touch "$ROOT/.complete"
fi

# 3. the wheels. Compiled modules halve the time of a start; a Python of another minor version cannot make them, then the
# emulated one does, as it goes.
SITE=$CACHE/site-$SUITE-$ARCH-$(printf '%s' "$PACKAGES" | sha256sum | cut -c1-12)
if [ ! -e "$SITE/.complete" ]; then
  rm -rf "$SITE"; PLATFORMS=()
  for minor in $(seq "$GLIBC" -1 17); do PLATFORMS+=(--platform "manylinux_2_${minor}_$MACHINE"); done
  PLATFORMS+=(--platform "manylinux2014_$MACHINE" --platform "linux_$MACHINE")
  NODEPS=(); [ "$ARCH" = arm64 ] || NODEPS=(--no-deps)
  say "installing for $MACHINE, Python $VERSION: $PACKAGES"
  # shellcheck disable=SC2086
  "$PYTHON" -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-compile --only-binary=:all: \
    --python-version "$VERSION" --implementation cp --abi "cp${VERSION/./}" --abi abi3 --abi none "${PLATFORMS[@]}" \
    "${NODEPS[@]}" --target "$SITE" $PACKAGES >&2 || cannot "pip cannot get the wheels"
  if "$PYTHON" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$VERSION')"; then
    env -u PYTHONDONTWRITEBYTECODE "$PYTHON" -m compileall -q -j 0 "$ROOT/usr/lib/python$VERSION" "$SITE" >/dev/null || true
    [ ! -d "$ROOT/usr/lib/python3" ] || "$PYTHON" -m compileall -q -j 0 "$ROOT/usr/lib/python3" >/dev/null || true
  else
    touch "$SITE/.uncompiled"
  fi
  touch "$SITE/.complete"
fi

# 4. what programs read to know where they are
BASE=$CACHE/board-$SUITE-$BOARD
if [ ! -e "$BASE/.complete" ]; then
  rm -rf "$BASE"; mkdir -p "$BASE/proc/device-tree" "$BASE/etc" "$BASE/boot"
  ln -s "$ROOT/usr" "$ROOT/lib" "$BASE"
  for each in "$ROOT"/etc/*; do ln -s "$each" "$BASE/etc"; done
  for number in 0 1 2 3; do
    printf 'processor\t: %s\nBogoMIPS\t: 108.00\nFeatures\t: %s\nCPU implementer\t: 0x41\nCPU architecture: 8\n' $number "$FEATURES"
    printf 'CPU variant\t: 0x0\nCPU part\t: %s\nCPU revision\t: 3\n\n' $PART
    registers=$BASE/sys/devices/system/cpu/cpu$number/regs/identification
    mkdir -p "$registers"; echo "0x00000000410f${PART#0x}3" > "$registers/midr_el1"
  done > "$BASE/proc/cpuinfo"
  printf 'Model\t\t: %s\n' "$MODEL" >> "$BASE/proc/cpuinfo"
  printf '%s\0' "$MODEL" > "$BASE/proc/device-tree/model"
  [ "$BOARD" != jetson-orin ] || echo '# R36 (release), REVISION: 4.3' > "$BASE/etc/nv_tegra_release"
  # The emulated program cannot start programs of the board, but scripts of this machine: one of them is its Python.
  printf 'import os, sys\nsys.executable = os.environ["ARM64_PYTHON"]\n' > "$BASE/boot/sitecustomize.py"
  touch "$BASE/.complete"
fi
PAGES=(); [ "$BOARD" != pi5 ] || [ "$MAJOR" -gt 8 ] || PAGES=(-p 16384)  # Raspberry Pi OS gives a Pi 5 pages of 16 KiB
COMMAND=("$QEMU" -cpu "$CPU" "${PAGES[@]}" -L "$BASE" "$BASE/usr/bin/python$VERSION")
{ echo '#!/bin/sh'; printf 'exec'; printf ' "%s"' "${COMMAND[@]}"; echo ' "$@"'; } > "$BASE/python.new"
chmod +x "$BASE/python.new"; mv "$BASE/python.new" "$BASE/python"
exec 9>&-

SEARCHED=$BASE/boot${EXTRA_PYTHONPATH:+:$EXTRA_PYTHONPATH}:$SITE
[ "$ARCH" = arm64 ] || SEARCHED=$SEARCHED:$ROOT/usr/lib/python3/dist-packages
COMPILED=(); [ ! -e "$SITE/.uncompiled" ] || COMPILED=(PYTHONDONTWRITEBYTECODE= "PYTHONPYCACHEPREFIX=$CACHE/compiled-$SUITE")
run() { env -u LD_PRELOAD -u LD_LIBRARY_PATH -u PYTHONHOME -u VIRTUAL_ENV "${COMPILED[@]}" ARM64_PYTHON="$BASE/python" \
  PYTHONNOUSERSITE=1 PYTHONPATH="$SEARCHED" "${COMMAND[@]}" "$@"; }

if [ -n "${SELFTEST:-}" ] && [ "$ARCH" = arm64 ]; then  # sdot v0.4s, v1.16b, v2.16b; ret
  wanted=0; [ "$FEATURES" = "$NEW" ] || wanted=132  # 128 + SIGILL
  status=0; run -c 'import ctypes, mmap, struct
code = mmap.mmap(-1, 16384, prot=7)
code.write(struct.pack("<II", 0x4E829420, 0xD65F03C0))
ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()' >/dev/null 2>&1 || status=$?
  [ $status = $wanted ] || { say "an 8-bit dot product on $BOARD ended with $status, not with $wanted"; exit 4; }
fi
[ $# -gt 0 ] || { say "ready: $BOARD, Python $VERSION, $QEMU"; exit 0; }
run "$@"
