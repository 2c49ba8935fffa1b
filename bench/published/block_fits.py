#!/usr/bin/env python3
"""Compares two ways to fit MiniLM's blocks by gradients: one after another, and all at once. Which comes closer to the original?

    bench/published/block_fits.py SOLVED.pt --folder build/published/minilm

run.py made the folder; SOLVED.pt is a calibration whose layers were solved for but not fitted together (--calibrate-passes 0). On
sentences of cal, its blocks then learn the outputs of the original's blocks, by AdamW with half a cosine:

    at once            all blocks in the same steps; a step's loss adds up the errors of the blocks' outputs
    one after another  each block alone, on the outputs of the fitted blocks before it
    then at once       one after another in half of the passes, at once in the others

Each way has the same number of passes; in a pass each block runs forward and backward once. The first half of val chooses the rate of each
way; the cosines printed last are on the other half. BRECQ (Li et al. 2021) fits blocks one after another for quantised networks.
"""

import argparse
import copy
import math
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from blocks import lacking, read  # noqa: E402
from common.encoder import Encoder  # noqa: E402

RATES = (3e-5, 1e-4, 3e-4)
BATCH = 32
LARGEST_NORM = 1.0


def embedded(encoder: Encoder, tokens: Tensor) -> Tensor:
    return encoder.norm(encoder.words(tokens) + encoder.positions.weight[: tokens.shape[1]] + encoder.types.weight[0])


@torch.no_grad()
def traced(blocks: nn.ModuleList, hidden: Tensor, mask: Tensor) -> list:
    """The outputs of each block, computed in batches."""
    parts = []
    for x, m in zip(hidden.split(BATCH), mask.split(BATCH), strict=True):
        outputs = []
        for block in blocks:
            x = block(x, m)
            outputs.append(x)
        parts.append(outputs)
    return [torch.cat(found) for found in zip(*parts, strict=True)]


def fit(parameters: list, loss: Callable, count: int, passes: int, rate: float) -> None:
    """loss: takes the numbers of the examples"""
    optimizer = torch.optim.AdamW(parameters, weight_decay=0.0)
    generator = torch.Generator().manual_seed(0)
    steps = passes * math.ceil(count / BATCH)
    orders = torch.cat([torch.randperm(count, generator=generator) for _ in range(passes)]).split(BATCH)
    for step, rows in enumerate(orders):
        optimizer.param_groups[0]["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        optimizer.zero_grad()
        loss(rows).backward()
        nn.utils.clip_grad_norm_(parameters, LARGEST_NORM)
        optimizer.step()


class Fits:
    def __init__(self, original: Encoder, solved: Encoder, tokens: Tensor):
        self.solved = solved
        self.present = tokens != 0
        self.mask = self.present[:, None, None, :]
        with torch.no_grad():
            self.hidden = embedded(original, tokens)
        self.expected = traced(original.layers, self.hidden, self.mask)

    def at_once(self, blocks: nn.ModuleList, passes: int, rate: float) -> None:
        def loss(rows: Tensor) -> Tensor:
            x, total = self.hidden[rows], torch.zeros(())
            for block, expected in zip(blocks, self.expected, strict=True):
                x = block(x, self.mask[rows])
                total = total + lacking(x, expected[rows], self.present[rows])
            return total

        fit(list(blocks.parameters()), loss, len(self.hidden), passes, rate)

    def one_after_another(self, blocks: nn.ModuleList, passes: int, rate: float) -> None:
        hidden = self.hidden
        for block, expected in zip(blocks, self.expected, strict=True):

            def loss(rows: Tensor, block=block, hidden=hidden, expected=expected) -> Tensor:
                return lacking(block(hidden[rows], self.mask[rows]), expected[rows], self.present[rows])

            fit(list(block.parameters()), loss, len(hidden), passes, rate)
            hidden = traced(nn.ModuleList([block]), hidden, self.mask)[0]

    def then_at_once(self, blocks: nn.ModuleList, passes: int, rate: float) -> None:
        self.one_after_another(blocks, passes // 2, rate)
        self.at_once(blocks, passes - passes // 2, rate)

    def fitted(self, way: Callable, passes: int, rate: float) -> Encoder:
        model = copy.deepcopy(self.solved)
        way(self, model.layers, passes, rate)
        return model


WAYS = {"at once": Fits.at_once, "one after another": Fits.one_after_another, "then at once": Fits.then_at_once}


@torch.no_grad()
def embeddings(model: Encoder, tokens: Tensor) -> Tensor:
    return torch.cat([model(part) for part in tokens.split(BATCH)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="the network's folder, with model.pt, cal.pt and val.pt")
    parser.add_argument("--sentences", type=int, default=1000, help="how many sentences of cal to learn from")
    parser.add_argument("--passes", type=int, default=6)
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("solved", type=Path, help="a file calibrated to relu with --calibrate-passes 0")
    options = parser.parse_args()
    original, solved = read(options.folder / "model.pt", nn.GELU()), read(options.solved, nn.ReLU())
    tokens, val = (torch.load(options.folder / f"{part}.pt", weights_only=True)["x"] for part in ("cal", "val"))
    expected = embeddings(original, val)

    def cosines(model: Encoder) -> tuple:
        """The cosine on the half of val that chooses, and on the half that is reported."""
        found = nn.functional.cosine_similarity(embeddings(model, val), expected)
        return float(found[: len(val) // 2].mean()), float(found[len(val) // 2 :].mean())

    fits = Fits(original, solved, tokens[: options.sentences])
    print(f"solved: {cosines(solved)[1]:.5f}", flush=True)
    for name in options.ways:
        trials = [(*cosines(fits.fitted(WAYS[name], options.passes, rate)), rate) for rate in options.rates]
        _chosen_by, told, rate = max(trials)
        print(f"{name}: {told:.5f}, at the rate {rate:g}", flush=True)


if __name__ == "__main__":
    main()
