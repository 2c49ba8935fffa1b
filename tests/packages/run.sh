#!/usr/bin/env bash
# The packages in full: run.sh [BUILD_FOLDER]. Makes the .deb and the .tar.gz of a build, installs them in a Debian that
# debootstrap makes, and uses them there, from g++ and clang++ as well. Needs root, debootstrap and a network; takes minutes.
#
#   ACTSWAP_ROOT   the folder of that Debian, which stays and is used again; build/packages-root by default
#   ACTSWAP_DEBIAN the release, bookworm by default
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source="$(cd "$here/../.." && pwd)"
build="$(cd "${1:-$source/build/release}" && pwd)"
root="${ACTSWAP_ROOT:-$source/build/packages-root}"
. "$here/common.sh"

[ "$(id -u)" -eq 0 ] || fail "expected to be run by root, which debootstrap and chroot need"
if [ ! -x "$root/usr/bin/apt-get" ]; then
  command -v debootstrap >/dev/null || fail "debootstrap is not installed"
  echo "run.sh: making a Debian in $root"
  debootstrap --variant=minbase "${ACTSWAP_DEBIAN:-bookworm}" "$root" > "$root.log" || { tail "$root.log"; fail "debootstrap failed"; }
  # As this machine reaches the archive.
  cp /etc/apt/sources.list.d/debian.sources "$root/etc/apt/sources.list.d/" 2>/dev/null && rm -f "$root/etc/apt/sources.list"
fi
cp /etc/resolv.conf "$root/etc/resolv.conf"

work="$root/packages"
rm -rf "$work"
mkdir -p "$work/libtorch"
make_packages "$build" "$work/made" "DEB;TGZ"
deb="$(echo "$work"/made/*.deb)"
archive="$(echo "$work"/made/*.tar.gz)"
dpkg-deb --info "$deb"
if command -v lintian >/dev/null; then
  # The library, its headers and the command are in one package, as is meant; CPack writes the scripts.
  lintian --allow-root --fail-on error,warning \
    --suppress-tags package-name-doesnt-match-sonames,maintscript-calls-ldconfig,link-to-shared-library-in-wrong-package,initial-upload-closes-no-bugs "$deb"
else
  echo "run.sh: lintian is not installed, and the .deb is not looked at by it"
fi
cp "$(test_model "$build")" "$work/model.pt"
cp -r "$here" "$work/tests"

mount --bind "$(libtorch_of "$build")" "$work/libtorch"
mount -t proc proc "$root/proc"
trap 'umount "$work/libtorch" "$root/proc"' EXIT
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"; }
get() { inside apt-get install -o Dpkg::Use-Pty=0 -y -q --no-install-recommends "$@" > "$work/apt.log" || { tail "$work/apt.log"; fail "apt-get could not install $*"; }; }

inside apt-get update -q > "$work/apt.log"
get "/packages/made/$(basename "$deb")"
check_files "$root/usr"
inside /packages/tests/command.sh /usr/bin/actswap /packages/libtorch /packages/model.pt

get python3 man-db cmake ninja-build g++ clang
inside /packages/tests/command.sh /usr/bin/actswap /packages/libtorch /packages/model.pt
for compiler in g++ clang++; do
  inside /packages/tests/consumer.sh /usr /packages/libtorch /packages/model.pt "$compiler"
done

# Without the package, but with the libraries that it asked for, the archive does the same.
inside apt-get remove -o Dpkg::Use-Pty=0 -y -q actswap > "$work/apt.log"
[ -z "$(find "$root/usr" -name '*actswap*' -not -path '*/doc/*')" ] || fail "the package leaves files behind"
mkdir -p "$work/opt"
tar -xzf "$archive" -C "$work/opt"
prefix="$(echo "$work"/opt/*)"
check_files "$prefix"
prefix="${prefix#"$root"}"
inside /packages/tests/command.sh "$prefix/bin/actswap" /packages/libtorch /packages/model.pt
inside /packages/tests/consumer.sh "$prefix" /packages/libtorch /packages/model.pt g++ row
echo "run.sh: the packages work"
