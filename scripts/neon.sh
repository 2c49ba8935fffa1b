#!/bin/sh
# Cross-compiles the kernels for 64-bit Arm, runs their tests under qemu and measures how exact they are:
# scripts/neon.sh [STEP], where STEP is kernel_ulp's (default 4099). Needs Debian's g++-aarch64-linux-gnu,
# qemu-user and libgtest-dev, and what apt-get download finds for the architecture arm64, which must be known:
#
#   dpkg --add-architecture arm64 && apt-get update
#   apt-get install --no-install-recommends g++-aarch64-linux-gnu qemu-user libgtest-dev
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/build/neon
mkdir -p "$out"
cd "$out"

if [ ! -e highway/usr/lib/aarch64-linux-gnu/libhwy.so ]; then
  apt-get download libhwy-dev:arm64 libhwy1:arm64
  for package in libhwy*_arm64.deb; do
    dpkg -x "$package" highway
  done
fi

compile() {
  aarch64-linux-gnu-g++ -std=c++20 -O2 -Wno-psabi -DNDEBUG -DACTSWAP_BUILDING -I"$root/lib" -Ihighway/usr/include -c "$1" -o "$2"
}
for source in "$root"/lib/actswap/activation/*.cpp "$root"/lib/actswap/kernel/blend_float.cpp \
              "$root"/lib/actswap/kernel/blend_kernel.cpp; do
  compile "$source" "$(basename "$source" .cpp).o"
done
library="blend_float.o blend_kernel.o functions.o resolve.o table.o -Lhighway/usr/lib/aarch64-linux-gnu -lhwy"

compile "$root/bench/kernel/ulp.cpp" ulp.o
aarch64-linux-gnu-g++ ulp.o $library -o kernel_ulp

googletest=/usr/src/googletest/googletest
aarch64-linux-gnu-g++ -std=c++20 -O1 -I/usr/include -I$googletest -c $googletest/src/gtest-all.cc -o gtest.o
aarch64-linux-gnu-g++ -std=c++20 -O1 -I/usr/include -c $googletest/src/gtest_main.cc -o gtest_main.o
compile "$root/tests/kernel/blend_kernel_test.cpp" test.o
aarch64-linux-gnu-g++ test.o gtest.o gtest_main.o $library -o test_kernel

run() { qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH="$out/highway/usr/lib/aarch64-linux-gnu" "$@"; }
run ./test_kernel
run ./kernel_ulp --step "${1:-4099}"
