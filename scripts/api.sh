#!/usr/bin/env bash
# Writes the API reference into build/api/html, by Doxygen: of the headers that lib/actswap/actswap.h includes, and of those that
# these include. Ends with an error where Doxygen finds anything amiss. Installs Doxygen by apt-get where it is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { echo "api.sh: $*" >&2; exit 1; }

if ! command -v doxygen > /dev/null; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get install -y -q --no-install-recommends doxygen >&2 || fail "apt-get could not install doxygen"
fi

declare -A known=()
waiting=(actswap/actswap.h)
while [ "${#waiting[@]}" -gt 0 ]; do
  header="${waiting[0]}"
  waiting=("${waiting[@]:1}")
  [ -z "${known[$header]:-}" ] || continue
  known[$header]=yes
  mapfile -t included < <(sed -n 's|^#include <\(actswap/[^>]*\)>.*|\1|p' "lib/$header")
  waiting+=("${included[@]}")
done

mkdir -p build/api
rm -rf build/api/html
{ cat docs/Doxyfile; echo "INPUT = $(printf 'lib/%s ' "${!known[@]}" | tr ' ' '\n' | sort | tr '\n' ' ')"; } | doxygen -
echo "build/api/html/index.html"
