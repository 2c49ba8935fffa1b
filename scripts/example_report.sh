#!/usr/bin/env bash
# Writes docs/report.html, the example of a report: the quickstart's two conversions on 2000 images, each with its control.
#
#   ACTSWAP_FASHION_MNIST   folder of the four *.gz files, /usr/share/datasets/fashion-mnist by default
#   ACTSWAP_BUILD           the build folder, build/release by default
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build="${ACTSWAP_BUILD:-build/release}"
data="${ACTSWAP_FASHION_MNIST:-/usr/share/datasets/fashion-mnist}"
runs=()
for target in relu hard_mish; do
  output="$build/example_report/$target.pt"
  mkdir -p "$build/example_report"
  "$build/bin/actswap" convert examples/fashion_mnist/model_mish.pt -o "$output" --to "$target" \
    --train "$data/train-images-idx3-ubyte.gz,$data/train-labels-idx1-ubyte.gz" \
    --val "$data/t10k-images-idx3-ubyte.gz,$data/t10k-labels-idx1-ubyte.gz" \
    --mean 0.2860 --deviation 0.3530 --epochs 1 --limit 2000 --check-every 0.2 --control --calibrate-inputs 128 --calibrate-passes 2
  runs+=("$output.run")
done
"$build/bin/actswap" report "${runs[@]}" -o docs/report.html
# The folder of this checkout is nobody's business.
sed -i "s|$PWD|/home/you/actswap|g" docs/report.html
