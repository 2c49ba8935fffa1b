#!/usr/bin/env bash
# The quickstart: a trained Mish network becomes a ReLU and a hard-mish one, with one epoch of training.
#
#   ACTSWAP_FASHION_MNIST   folder of the four *.gz files, /usr/share/datasets/fashion-mnist by default
#   QUICK=1                 trains and validates on 6000 images only, with a build that is there
#   ACTSWAP_BUILD           the build folder, build/release by default
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

build="${ACTSWAP_BUILD:-build/release}"
data="${ACTSWAP_FASHION_MNIST:-/usr/share/datasets/fashion-mnist}"
limit=()
if [ "${QUICK:-0}" = 1 ]; then
  limit=(--limit 6000)
else
  scripts/setup.sh
fi
[ -f "$data/train-images-idx3-ubyte.gz" ] || {
  echo "run.sh: no Fashion-MNIST in $data; install dataset-fashion-mnist or set ACTSWAP_FASHION_MNIST" >&2
  exit 1
}

mkdir -p "$build/quickstart"
for target in relu hard_mish; do
  echo "== to $target"
  "$build/bin/actswap" convert examples/fashion_mnist/model_mish.pt -o "$build/quickstart/$target.pt" --to "$target" \
    --train "$data/train-images-idx3-ubyte.gz,$data/train-labels-idx1-ubyte.gz" \
    --val "$data/t10k-images-idx3-ubyte.gz,$data/t10k-labels-idx1-ubyte.gz" \
    --mean 0.2860 --deviation 0.3530 --epochs 1 "${limit[@]}"
done
ls -l examples/fashion_mnist/model_mish.pt "$build"/quickstart/*.pt
