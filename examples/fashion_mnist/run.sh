#!/usr/bin/env bash
# The quickstart: a trained Mish network becomes a ReLU and a hard-mish one, with one epoch of training.
#
# Without ACTSWAP_COMMAND it installs what the command needs and builds it into build/release.
#
#   ACTSWAP_COMMAND         an actswap that is installed: a path, or a name on PATH. Nothing is built
#   ACTSWAP_FASHION_MNIST   folder of the four *.gz files, /usr/share/datasets/fashion-mnist by default
#   QUICK=1                 trains and validates on 6000 images only, with a build that is there
#   ACTSWAP_BUILD           the build folder, build/release by default
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() { echo "run.sh: $*" >&2; exit 1; }

build="${ACTSWAP_BUILD:-build/release}"
data="${ACTSWAP_FASHION_MNIST:-/usr/share/datasets/fashion-mnist}"
actswap="${ACTSWAP_COMMAND:-$build/bin/actswap}"
limit=()
[ "${QUICK:-0}" != 1 ] || limit=(--limit 6000)
if [ -n "${ACTSWAP_COMMAND:-}" ]; then
  command -v "$actswap" >/dev/null || fail "ACTSWAP_COMMAND=$actswap is no program"
  echo "== with $("$actswap" --version)"
elif [ "${QUICK:-0}" != 1 ]; then
  scripts/setup.sh --command
fi
[ -f "$data/train-images-idx3-ubyte.gz" ] ||
  fail "no Fashion-MNIST in $data; install Debian's dataset-fashion-mnist, or set ACTSWAP_FASHION_MNIST"

mkdir -p "$build/quickstart"
for target in relu hard_mish; do
  echo "== to $target"
  "$actswap" convert examples/fashion_mnist/model_mish.pt -o "$build/quickstart/$target.pt" --to "$target" \
    --train "$data/train-images-idx3-ubyte.gz,$data/train-labels-idx1-ubyte.gz" \
    --val "$data/t10k-images-idx3-ubyte.gz,$data/t10k-labels-idx1-ubyte.gz" \
    --mean 0.2860 --deviation 0.3530 --epochs 1 "${limit[@]}"
done
ls -l examples/fashion_mnist/model_mish.pt "$build"/quickstart/*.pt
