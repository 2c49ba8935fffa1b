#!/usr/bin/env bash
# What the zoo needs beside the project's own set-up: torchvision and timm, without a second PyTorch.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
scripts/setup.sh
pip=(build/venv/bin/python -m pip install --disable-pip-version-check -q)
"${pip[@]}" --no-deps torchvision==0.28.0 timm==1.0.31
"${pip[@]}" pillow pyyaml safetensors huggingface_hub
