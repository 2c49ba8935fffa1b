#!/usr/bin/env python3
"""Prints the error of each block of the calibrated MiniLM: its own, and what it inherits from the blocks before it.

    bench/published/blocks.py --folder build/published/minilm CALIBRATED.pt...

run.py made the folder. For each block, the script prints the error as a share of the variance of its output, on sentences of val:

    own        if the block gets the inputs of the original's block
    inherited  if the original's block gets the outputs of the calibrated blocks before it
    both       in the calibrated model
"""

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.encoder import Encoder

HEADS = 12  # of 32 channels


def read(path: Path, activation: nn.Module) -> Encoder:
    state = torch.jit.load(str(path)).state_dict()
    words, positions = state["words.weight"], state["positions.weight"]
    layers = len({name.split(".")[1] for name in state if name.startswith("layers.")})
    encoder = Encoder(len(words), len(positions), words.shape[1], len(state["layers.0.intermediate.weight"]), layers, HEADS)
    encoder.load_state_dict({name: state[name] for name in encoder.state_dict()})
    for layer in encoder.layers:
        layer.act = activation
    return encoder.eval()


def lacking(found: Tensor, expected: Tensor, present: Tensor) -> Tensor:
    """The error as a share of the variance, over the tokens that are not padding."""
    found, expected = found[present], expected[present]
    return (found - expected).square().sum() / (expected - expected.mean(0)).square().sum()


@torch.no_grad()
def compare(original: Encoder, calibrated: Encoder, tokens: Tensor) -> None:
    present = tokens != 0
    mask = present[:, None, None, :]
    before = original.norm(original.words(tokens) + original.positions.weight[: tokens.shape[1]] + original.types.weight[0])
    before_now = before
    for number, (block, block_now) in enumerate(zip(original.layers, calibrated.layers, strict=True)):
        after, after_now = block(before, mask), block_now(before_now, mask)
        own = lacking(block_now(before, mask), after, present)
        inherited = lacking(block(before_now, mask), after, present)
        print(f"block {number}: own {own:.4f}, inherited {inherited:.4f}, both {lacking(after_now, after, present):.4f}")
        before, before_now = after, after_now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="the network's folder, with model.pt and val.pt")
    parser.add_argument("--sentences", type=int, default=128)
    parser.add_argument("files", type=Path, nargs="+", help="files calibrated to relu")
    arguments = parser.parse_args()
    original = read(arguments.folder / "model.pt", nn.GELU())
    tokens = torch.load(arguments.folder / "val.pt", weights_only=True)["x"][: arguments.sentences]
    for path in arguments.files:
        print(path)
        compare(original, read(path, nn.ReLU()), tokens)


if __name__ == "__main__":
    main()
