#!/usr/bin/env bash
# Formats every C++ file of the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v clang-format-19 >/dev/null || { echo "format: clang-format-19 is not installed" >&2; exit 1; }
git ls-files -z --cached --others --exclude-standard -- '*.h' '*.cpp' | xargs -0 -r clang-format-19 -i
