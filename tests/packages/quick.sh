#!/usr/bin/env bash
# The .tar.gz that cpack makes of a build, unpacked into an empty folder, where neither the checkout nor the build folder can be
# seen: quick.sh BUILD_FOLDER. run.sh has the .deb as well, and takes longer.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
build="$(cd "${1:?the build folder}" && pwd)"
source="$(cd "$here/../.." && pwd)"
. "$here/common.sh"

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
make_packages "$build" "$scratch/packages" TGZ
mkdir "$scratch/bare" "$scratch/libtorch"
tar -xzf "$scratch"/packages/*.tar.gz -C "$scratch/bare"
prefix="$(echo "$scratch"/bare/*)"
check_files "$prefix"
cp "$(test_model "$build")" "$scratch/model.pt"
cp -r "$here" "$scratch/tests"

# In a mount namespace of its own the checkout and the build folder are empty.
libtorch="$(libtorch_of "$build")"
hidden="mount --bind '$libtorch' '$scratch/libtorch' && for f in '$source' '$build'; do [ ! -d \$f ] || mount -t tmpfs none \$f; done && cd /"
libtorch_seen="$scratch/libtorch"
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(-r)
if ! unshare "${as_root[@]}" -m bash -c "$hidden" 2>"$scratch/unshare.log"; then
  echo "quick.sh: the checkout stays in sight, since mounts are not allowed here: $(cat "$scratch/unshare.log")"
  as_root=()
  hidden="cd /"
  libtorch_seen="$libtorch"
  namespace() { bash -c "$@"; }
else
  namespace() { unshare "${as_root[@]}" -m bash -c "$@"; }
fi
compilers="$(cached CMAKE_CXX_COMPILER "$build")"
others=""
for compiler in g++ clang++ clang++-19; do
  path="$(command -v "$compiler" || true)"
  [ -z "$path" ] || [ "$path" = "$compilers" ] || others+=" $path"
done
namespace "$hidden && cd '$scratch/tests' &&
  ./command.sh '$prefix/bin/actswap' '$libtorch_seen' '$scratch/model.pt' &&
  ./consumer.sh '$prefix' '$libtorch_seen' '$scratch/model.pt' '$compilers' &&
  for compiler in $others; do ./consumer.sh '$prefix' '$libtorch_seen' '$scratch/model.pt' \$compiler row || exit 1; done"
