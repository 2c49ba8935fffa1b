#!/usr/bin/env bash
# clang-tidy over lib/ and tools/: scripts/tidy.sh [regular expressions of files]
#
# Where the build compiles the files of a room together, as the scripts' does, they are also read together: unity_lib_actswap_graph, say.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v run-clang-tidy-19 >/dev/null || { echo "tidy: run-clang-tidy-19 (package clang-tidy-19) is not installed" >&2; exit 1; }
database=build/release/compile_commands.json
[ -f "$database" ] || { echo "tidy: $database is not there; run scripts/setup.sh first" >&2; exit 1; }
mkdir -p build/tidy
# gcc's precompiled header is nothing clang can read; the sources include what they need.
sed -E 's/ -Winvalid-pch//g; s/ -include [^ "]*cmake_pch\.hxx//g' "$database" > build/tidy/compile_commands.json
if [ "$#" -eq 0 ]; then
  set -- "$PWD/(lib|tools)/.*\.cpp" 'unity_(lib|tools|text|log)_.*'
fi
exec run-clang-tidy-19 -quiet -p build/tidy -j "${ACTSWAP_JOBS:-$(nproc)}" "$@"
