#!/usr/bin/env bash
# A PyTorch loop around a blended file: blend, train in Python, collapse, measure.
#
#   QUICK=1         100 steps, with a build that is there
#   ACTSWAP_BUILD   the build folder, build/release by default
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

build="${ACTSWAP_BUILD:-build/release}"
data="${ACTSWAP_FASHION_MNIST:-/usr/share/datasets/fashion-mnist}"
python="${ACTSWAP_PYTHON:-build/venv/bin/python}"
steps=()
if [ "${QUICK:-0}" = 1 ]; then
  steps=(--steps 100)
else
  scripts/setup.sh
fi

out="$build/python_loop"
mkdir -p "$out"
"$build/bin/actswap" blend examples/fashion_mnist/model_mish.pt -o "$out/blended.pt" --to relu
"$python" examples/python_loop/train.py "$out/blended.pt" "$out/trained.pt" "${steps[@]}"
"$build/bin/actswap" collapse "$out/trained.pt" -o "$out/relu.pt" --input 8x1x28x28
"$build/bin/actswap" verify "$out/relu.pt"
"$build/bin/actswap" eval "$out/relu.pt" --data "$data/t10k-images-idx3-ubyte.gz,$data/t10k-labels-idx1-ubyte.gz" \
  --mean 0.2860 --deviation 0.3530
