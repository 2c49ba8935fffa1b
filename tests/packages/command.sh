#!/usr/bin/env bash
# An installed command without checkout and build tree: how it finds LibTorch, and what it says where it does not.
# command.sh ACTSWAP LIBTORCH MODEL: the program, a LibTorch that fits, a model.
set -euo pipefail
actswap="$1"
libtorch="$2"
model="$3"
prefix="$(dirname "$(dirname "$actswap")")"
folder="$(dirname "$(find "$prefix/lib" -name subcommands.so)")"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"; rm -f "$folder/libtorch"' EXIT

fail() { echo "command.sh: $*" >&2; exit 1; }

# A path on which there is no Python, and an environment that says nothing.
mkdir "$scratch/bin"
bare() { env -i HOME="$scratch" PATH="$scratch/bin" "$@"; }

# expect CODE PATTERN... -- COMMAND...: the exit code, and what stdout and stderr hold.
expect() {
  local code="$1" patterns=() pattern
  shift
  while [ "$1" != -- ]; do patterns+=("$1"); shift; done
  shift
  local found=0
  "$@" > "$scratch/out" 2>&1 || found=$?
  [ "$found" = "$code" ] || { cat "$scratch/out"; fail "expected exit code $code, but got $found: $*"; }
  for pattern in "${patterns[@]}"; do
    grep -qF -e "$pattern" "$scratch/out" || { cat "$scratch/out"; fail "expected '$pattern' of: $*"; }
  done
}

version="$(sed -n 's/.*PACKAGE_VERSION "\([0-9]*\.[0-9]*\).*/\1/p' "$libtorch/share/cmake/Torch/TorchConfigVersion.cmake" | head -n 1)"
# A LibTorch of another version: no library is loaded to find that out.
other="$scratch/other/torch"
mkdir -p "$other/lib" "$other/share/cmake/Torch"
touch "$other/lib/libtorch.so" "$other/__init__.py"
echo 'set(PACKAGE_VERSION "1.99.7")' > "$other/share/cmake/Torch/TorchConfigVersion.cmake"

# Text needs no LibTorch.
expect 0 "actswap " -- bare "$actswap" --version
expect 0 "Usage" -- bare "$actswap" convert --help

# None: what to do.
expect 3 "LibTorch $version was not found" "ACTSWAP_LIBTORCH is not set" "$folder/libtorch/lib/libtorch.so" \
  "python3 has no package torch" "torch==$version" -- bare "$actswap" inspect "$model"

# Named by the variable.
expect 0 "would be swapped" -- bare ACTSWAP_LIBTORCH="$libtorch" "$actswap" inspect "$model"
expect 0 "$(realpath "$libtorch")/lib/libtorch_cpu.so" -- bare ACTSWAP_LIBTORCH="$libtorch" "$actswap" doctor
expect 0 "verified" -- bare ACTSWAP_LIBTORCH="$libtorch" "$actswap" convert "$model" -o "$scratch/relu.pt" --to relu
expect 3 "Expected ACTSWAP_LIBTORCH" "$scratch/nowhere/lib/libtorch.so" -- \
  bare ACTSWAP_LIBTORCH="$scratch/nowhere" "$actswap" inspect "$model"
expect 3 "1.99.7" "needs $version" -- bare ACTSWAP_LIBTORCH="$other" "$actswap" inspect "$model"

# On the system's own path.
expect 0 "would be swapped" -- bare LD_LIBRARY_PATH="$libtorch/lib" "$actswap" inspect "$model"

# Beside the command.
ln -s "$libtorch" "$folder/libtorch"
expect 0 "would be swapped" -- bare "$actswap" inspect "$model"
rm "$folder/libtorch"

# In the user's Python.
if python="$(python3 -c 'import sys; print(sys.executable)')"; then
  printf '#!/bin/sh\nexec "%s" "$@"\n' "$python" > "$scratch/bin/python3"
  chmod +x "$scratch/bin/python3"
  mkdir "$scratch/site"
  ln -s "$libtorch" "$scratch/site/torch"
  expect 0 "would be swapped" -- bare PYTHONPATH="$scratch/site" "$actswap" inspect "$model"
  expect 3 "1.99.7" "needs $version" "was not found" -- bare PYTHONPATH="$scratch/other" "$actswap" inspect "$model"
  # A folder of that name where the command is started is not the user's PyTorch.
  (cd "$scratch/site" && expect 3 "was not found" -- bare "$actswap" inspect "$model")
else
  echo "command.sh: there is no python3, and it is not asked for its PyTorch"
fi

# Copied out of its folder it says what is missing.
cp "$actswap" "$scratch/actswap"
expect 3 "subcommands.so" -- bare "$scratch/actswap" inspect "$model"
echo "command.sh: $actswap finds LibTorch"
