#!/usr/bin/env bash
# Writes the API reference into build/api/html, by Doxygen: of the headers for users, those that actswap/actswap.h reaches. Ends with an
# error where Doxygen finds anything amiss. Installs Doxygen by apt-get where it is missing; with --if-installed it ends with 77 there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v doxygen > /dev/null; then
  if [ "${1:-}" = --if-installed ]; then
    echo "api.sh: doxygen is not installed" >&2
    exit 77
  fi
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get install -y -q --no-install-recommends doxygen >&2 ||
    { echo "api.sh: apt-get could not install doxygen" >&2; exit 1; }
fi

rm -rf build/api
mkdir -p build/api
cmake -DOUTPUT=build/api/Doxyfile -P docs/doxygen_input.cmake
doxygen build/api/Doxyfile
echo "build/api/html/index.html"
