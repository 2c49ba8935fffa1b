#!/usr/bin/env bash
# Installs what the zoo needs besides the project's own set-up: torchvision, timm, ONNX Runtime and pnnx, without a second PyTorch:
# bench/zoo/setup.sh [options of scripts/setup.sh]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
scripts/setup.sh "$@"
python=build/venv/bin/python
"$python" -c 'import torch' 2>/dev/null || {
  echo "bench/zoo/setup.sh: expected PyTorch in build/venv, where scripts/setup.sh puts it, but there is none;" \
    "run without ACTSWAP_LIBTORCH and CMAKE_PREFIX_PATH" >&2
  exit 1
}
pip=("$python" -m pip install --disable-pip-version-check -q)
"${pip[@]}" --no-deps torchvision==0.28.0 timm==1.0.31 pnnx==20261020
"${pip[@]}" pillow pyyaml safetensors huggingface_hub onnx onnxruntime
