#!/usr/bin/env bash
# Installs a build into an empty folder, builds the project beside this script against it, and runs
# both: run.sh BUILD_FOLDER
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
build="$(cd "${1:?the build folder}" && pwd)"
source="$(cd "$here/../.." && pwd)"

fail() { echo "package test: $*" >&2; exit 1; }
# What the build was configured with.
cached() { sed -n "s|^$1:[A-Z]*=||p" "$build/CMakeCache.txt"; }

model="$build/test_models/scripted_module.pt"
[ -f "$model" ] || fail "there is no $model; tests/run.sh makes it, or tests/make_models.py"
torch="$(cached Torch_DIR)"
[ -d "$torch" ] || fail "there is no Torch_DIR in $build/CMakeCache.txt"
torch="$(cd "$torch/../../.." && pwd)"

cmake="$(cached CMAKE_COMMAND)"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
prefix="$scratch/prefix"
"$cmake" --install "$build" --prefix "$prefix" > "$scratch/install.log" ||
  { cat "$scratch/install.log"; fail "the installation failed"; }

# Nothing that is installed may point back to where it was built.
if grep -rIl -e "$source/lib" -e "$build" "$prefix"; then
  fail "these installed files name the source or the build folder"
fi

# LibTorch first: with a distribution's own beside it, that one's libraries would be taken.
"$cmake" -S "$here" -B "$scratch/build" -G "$(cached CMAKE_GENERATOR)" \
  -DCMAKE_BUILD_TYPE="$(cached CMAKE_BUILD_TYPE)" -DCMAKE_CXX_FLAGS="$(cached CMAKE_CXX_FLAGS)" \
  -DCMAKE_CXX_COMPILER="$(cached CMAKE_CXX_COMPILER)" \
  -DCMAKE_CXX_COMPILER_LAUNCHER="$(cached ACTSWAP_CCACHE | sed 's/.*NOTFOUND$//')" \
  -DCMAKE_PREFIX_PATH="$torch;$prefix" > "$scratch/configure.log" 2>&1 ||
  { cat "$scratch/configure.log"; fail "find_package(actswap) failed"; }
found="$(sed -n 's|^actswap_DIR:PATH=||p' "$scratch/build/CMakeCache.txt")"
case "$found" in
  "$prefix"/*) ;;
  *) fail "found another actswap: $found" ;;
esac
"$cmake" --build "$scratch/build"

output="$(cd "$scratch" && "$scratch/build/consumer" "$model" "$scratch/relu.pt")"
echo "$output"
expected="sites swapped: 3, verified: yes
error: There is no file 'missing.pt'"
[ "$output" = "$expected" ] || fail "expected: $expected"

# The command finds its libraries by its own path: without the build folder, without variables.
command="$prefix/bin/actswap"
version="$(env -u LD_LIBRARY_PATH "$command" --version)"
wanted="$(cached CMAKE_PROJECT_VERSION)"
case "$version" in
  *"$wanted"*) echo "$version" ;;
  *) fail "expected version $wanted, but got $version" ;;
esac
module="$(find "$prefix" -name subcommands.so)"
linked="$(env -u LD_LIBRARY_PATH ldd "$module")"
grep -q "libactswap.*$prefix/" <<< "$linked" || fail "not the installed library: $linked"
grep "not found" <<< "$linked" && fail "libraries are missing"
env -u LD_LIBRARY_PATH "$command" verify "$scratch/relu.pt"

# Man pages and completions lie where shells and man look for them.
for file in share/man/man1/actswap.1 share/man/man1/actswap-convert.1 \
  share/bash-completion/completions/actswap share/zsh/site-functions/_actswap share/fish/vendor_completions.d/actswap.fish; do
  [ -s "$prefix/$file" ] || fail "$file is not installed"
done
