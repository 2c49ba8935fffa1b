#!/usr/bin/env bash
# find_package(actswap): builds the project in consumer/ against an installed actswap, and runs it.
# consumer.sh PREFIX LIBTORCH MODEL COMPILER [TARGET]: with TARGET that program alone.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
prefix="$1"
libtorch="$2"
model="$3"
compiler="$4"
target="${5:-all}"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

fail() { echo "consumer.sh: $compiler: $*" >&2; exit 1; }

generator=()
! command -v ninja >/dev/null || generator=(-G Ninja)
# As gcc links on Ubuntu: what a program itself does not call is dropped. LibTorch's libraries are found by actswap's package.
configure() {
  cmake -S "$here/consumer" -B "$scratch/build" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_EXE_LINKER_FLAGS=-Wl,--as-needed -DCMAKE_PREFIX_PATH="$prefix" "$@" \
    > "$scratch/configure.log" 2>&1
}

# Without a LibTorch, and with one that does not fit, CMake says so.
mkdir -p "$scratch/other/share/cmake/Torch"
echo 'set(PACKAGE_VERSION "1.99.7")' > "$scratch/other/share/cmake/Torch/TorchConfigVersion.cmake"
unset ACTSWAP_LIBTORCH
if configure -DACTSWAP_LIBTORCH="$scratch/other"; then
  fail "expected that a LibTorch 1.99.7 is refused"
fi
tr -s ' \n' ' ' < "$scratch/configure.log" | grep 'actswap needs LibTorch .*1\.99\.7' > /dev/null ||
  { cat "$scratch/configure.log"; fail "expected CMake to name LibTorch 1.99.7"; }
rm -rf "$scratch/build"

configure -DACTSWAP_LIBTORCH="$libtorch" || { cat "$scratch/configure.log"; fail "find_package(actswap) failed"; }
found="$(sed -n 's|^actswap_DIR:PATH=||p' "$scratch/build/CMakeCache.txt")"
case "$found" in
  "$prefix"/*) ;;
  *) fail "found another actswap: $found" ;;
esac
cmake --build "$scratch/build" --target "$target" > "$scratch/build.log" 2>&1 || { cat "$scratch/build.log"; fail "the build failed"; }

output="$(env -u LD_LIBRARY_PATH "$scratch/build/row" relu 2.5)" || fail "row does not run"
[ "$output" = 2.5 ] || fail "expected row to print 2.5, but got $output"
[ "$target" = all ] || { echo "consumer.sh: $compiler: $target runs"; exit 0; }
output="$(cd "$scratch" && env -u LD_LIBRARY_PATH "$scratch/build/consumer" "$model" "$scratch/relu.pt")"
expected="sites swapped: 3, verified: yes
error: There is no file 'missing.pt'"
[ "$output" = "$expected" ] || fail "expected: $expected
but got: $output"
echo "consumer.sh: $compiler: the programs run"
