#!/usr/bin/env bash
# Sets up, checks the format, builds and passes all tests: tests/run.sh [ctest's options]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { echo "tests/run.sh: $*" >&2; exit 1; }

scripts/setup.sh --no-build --all-tests

format="$(command -v clang-format-19 || true)"
[ -n "$format" ] || fail "clang-format-19 is not installed, and the format cannot be checked; scripts/setup.sh installs it where apt has it"
git ls-files -z -- '*.h' '*.cpp' | xargs -0 -r "$format" --dry-run -Werror ||
  fail "the format differs; run scripts/format.sh"
# It holds torch::nn, whose templates each file then instantiates again: a second and a half for each.
! git grep -n '<torch/torch.h>' -- 'lib/*.h' 'lib/*.cpp' 'tools/*.h' 'tools/*.cpp' 'tests/*.h' 'tests/*.cpp' ||
  fail "expected torch/script.h, with torch/utils.h or torch/optim/... where it is needed, for torch/torch.h"

scripts/setup.sh

python=build/venv/bin/python
[ -x "$python" ] || python=python3
"$python" -c 'import torch' 2>/dev/null ||
  fail "the test models are made by Python with PyTorch, and $python has none; run without ACTSWAP_LIBTORCH and CMAKE_PREFIX_PATH,
    or install torch for $python"
"$python" tests/make_models.py build/release/test_models --if-missing

exec ctest --test-dir build/release --output-on-failure --parallel "$(nproc)" "$@"
