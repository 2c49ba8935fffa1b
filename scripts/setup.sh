#!/usr/bin/env bash
# Prepares this machine and builds: scripts/setup.sh [--command] [--no-build] [--all-tests]
#
# Installs the Debian packages that are missing, puts LibTorch 2.13 (the CPU build of the Python wheel) into build/venv unless
# ACTSWAP_LIBTORCH or CMAKE_PREFIX_PATH names another one, and builds into build/release. Run it again at any time.
#
#   --command             installs and builds what the command `actswap` needs, and no tests; a later run without it goes on
#                         from there and compiles nothing twice
#   --no-build            builds nothing
#   --all-tests           installs what single tests need besides: Doxygen, Chromium, TensorBoard. Where one cannot be had its test is skipped
#
#   ACTSWAP_LIBTORCH      a LibTorch folder to use instead of the wheel
#   ACTSWAP_TORCH_INDEX   the extra package index asked for the CPU wheel
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=yes
preset=ci
all_tests=no
for argument in "$@"; do
  case "$argument" in
    --command) preset=command ;;
    --no-build) build=no ;;
    --all-tests) all_tests=yes ;;
    -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' scripts/setup.sh; exit 0 ;;
    *) echo "setup.sh: unknown argument '$argument'; it knows --command, --no-build and --all-tests" >&2; exit 2 ;;
  esac
done

say() { printf 'setup %4d s: %s\n' "$SECONDS" "$*" >&2; }
fail() { say "$*"; exit 1; }

installed() { [ "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null)" = 'install ok installed' ]; }
# All of it is read: apt-cache that is cut off would fail the pipe.
in_apt() { apt-cache show "$1" 2>/dev/null | grep '^Package:' > /dev/null; }

as_root=()
become_root() {
  [ "$(id -u)" -ne 0 ] || return 0
  command -v sudo >/dev/null || return 1
  as_root=(sudo)
}

install_packages() {
  command -v dpkg-query >/dev/null ||
    fail "this is not a Debian or Ubuntu system; install the packages named in scripts/setup.sh by hand, then build with cmake --preset ci"
  local missing=() package
  local wanted=(cmake ninja-build g++ ccache libcli11-dev libspdlog-dev libhwy-dev nlohmann-json3-dev zlib1g-dev libssl-dev
    libseccomp-dev libgloo-dev libjpeg-dev libpng-dev libwebp-dev dataset-fashion-mnist python3 python3-venv)
  local tools=(clang)
  if [ "$preset" = ci ]; then
    wanted+=(libgtest-dev libbenchmark-dev)
    tools+=(clang-format clang-tidy)
  fi
  for package in "${wanted[@]}"; do
    # A tool that is on the path from elsewhere (a newer CMake, say) serves as well.
    case "$package" in
      cmake | ccache | g++ | python3) command -v "$package" >/dev/null && continue ;;
      ninja-build) command -v ninja >/dev/null && continue ;;
      python3-venv) python3 -c 'import ensurepip, venv' 2>/dev/null && continue ;;
    esac
    installed "$package" || missing+=("$package")
  done
  local tool
  for tool in "${tools[@]}"; do
    command -v "$tool-19" >/dev/null || installed "$tool-19" && continue
    # Where apt has no version 19, the distribution's own serves.
    installed "$tool" && ! in_apt "$tool-19" && continue
    missing+=("$tool-19")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0

  become_root || fail "these packages are missing, and there is neither root nor sudo; ask an administrator for:
    apt-get install ${missing[*]}"
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -q >&2 ||
    fail "apt-get update failed; without network, install these packages another way: ${missing[*]}"
  local available=()
  for package in "${missing[@]}"; do
    case "$package" in
      clang*-19) in_apt "$package" || package="${package%-19}"; installed "$package" && continue ;;
    esac
    available+=("$package")
  done
  [ "${#available[@]}" -gt 0 ] || return 0
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${available[@]}" >&2 ||
    fail "apt-get could not install: ${available[*]}"
}

install_for_all_tests() {
  local missing=()
  command -v doxygen >/dev/null || missing+=(doxygen)
  command -v chromium >/dev/null || command -v chromium-headless-shell >/dev/null || missing+=(chromium-headless-shell)
  if [ "${#missing[@]}" -gt 0 ]; then
    say "installing ${missing[*]}"
    { become_root && "${as_root[@]}" apt-get update -q >&2 &&
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2; } ||
      say "without ${missing[*]}, which could not be installed, tests are skipped"
  fi
  [ -x build/venv/bin/python ] || return 0
  build/venv/bin/python -c 'import importlib.util as u, sys; sys.exit(u.find_spec("tensorboard") is None)' ||
    "${pip[@]}" tensorboard >&2 || say "without tensorboard, which could not be installed, a test is skipped"
}

# Python compiles what it imports; all of PyTorch takes half a minute.
pip=(build/venv/bin/python -m pip install --no-compile --retries 1 --timeout 30 --disable-pip-version-check -q)

# Of the installed package: to import it takes seconds.
torch_version() { build/venv/bin/python -c 'import importlib.metadata as m; print(m.version("torch"))' 2>/dev/null; }

install_libtorch() {
  if [ -n "${ACTSWAP_LIBTORCH:-}" ]; then
    [ -d "$ACTSWAP_LIBTORCH" ] || fail "ACTSWAP_LIBTORCH=$ACTSWAP_LIBTORCH is not a folder"
    say "using LibTorch in $ACTSWAP_LIBTORCH"
    return 0
  fi
  if [ -n "${CMAKE_PREFIX_PATH:-}" ]; then
    say "using LibTorch from CMAKE_PREFIX_PATH=$CMAKE_PREFIX_PATH"
    return 0
  fi
  case "$(torch_version || true)" in 2.13.*) return 0 ;; esac
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "python3 is $(python3 -V 2>&1); PyTorch 2.13 needs Python 3.10 or later, or set ACTSWAP_LIBTORCH to a LibTorch folder"
  # An environment that is there is filled, never removed.
  if [ ! -x build/venv/bin/python ]; then
    python3 -m venv build/venv || fail "python3 -m venv failed; is python3-venv installed?"
  fi
  local index="${ACTSWAP_TORCH_INDEX:-https://download.pytorch.org/whl/cpu}"
  say "installing the CPU build of PyTorch 2.13 into build/venv (about 200 MB)"
  # The machine's own indexes first: a mirror may hold the CPU wheel, and then nothing else need be reachable.
  if ! "${pip[@]}" 'torch==2.13.0+cpu' numpy >&2; then
    say "the machine's own package index has no CPU wheel; asking $index as well"
    "${pip[@]}" --extra-index-url "$index" 'torch==2.13.0+cpu' numpy >&2 ||
      fail "PyTorch could not be installed. If $index cannot be reached from here, set ACTSWAP_TORCH_INDEX to a mirror of it,
    or unpack a LibTorch 2.13 CPU build and set ACTSWAP_LIBTORCH to its folder, then run this again."
  fi
}

configure() {
  # clang reads LibTorch's precompiled header in a third of gcc's time.
  if [ -z "${CXX:-}" ] && command -v clang++-19 >/dev/null; then
    export CXX=clang++-19 CC=clang-19
  fi
  local options=()
  [ -z "${ACTSWAP_LIBTORCH:-}" ] || options+=("-DCMAKE_PREFIX_PATH=$ACTSWAP_LIBTORCH")
  cmake --preset "$preset" "${options[@]}" >&2
}

say "looking for Debian packages"
install_packages
say "looking for LibTorch"
install_libtorch
[ "$all_tests" = no ] || install_for_all_tests
[ "$build" = yes ] || exit 0
# A folder that was configured for the tests as well builds the same command.
if [ "$preset" = ci ] || [ ! -f build/release/build.ninja ]; then
  say "configuring build/release"
  configure
fi
say "building"
NINJA_STATUS="${NINJA_STATUS:-[%f/%t, %e s] }" cmake --build --preset "$preset" >&2
say "done"
