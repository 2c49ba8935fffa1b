#!/usr/bin/env bash
# Sets up and runs the zoo's cut (its quick selection of models) afresh, as CI does: bench/zoo/run_cut.sh [options of zoo.py]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bench/zoo/setup.sh --no-build
rm -f build/zoo/cut.jsonl
exec build/venv/bin/python bench/zoo/zoo.py --cut --out build/zoo/cut.jsonl "$@"
