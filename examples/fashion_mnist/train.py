#!/usr/bin/env python3
"""Trains the quickstart's model: a small residual CNN with Mish activations on Fashion-MNIST.

The result, model_mish.pt, is shipped beside this script; run it only to make another one:

    build/venv/bin/python examples/fashion_mnist/train.py --out my_model.pt
"""

import argparse
import gzip
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

MEAN, DEVIATION = 0.2860, 0.3530
DEFAULT_DATA = os.environ.get("ACTSWAP_FASHION_MNIST", "/usr/share/datasets/fashion-mnist")


@torch.no_grad()
def accuracy(model, images: torch.Tensor, labels: torch.Tensor) -> float:
    right = 0
    for x, y in zip(images.split(500), labels.split(500)):
        right += int((model(x).argmax(1) == y).sum())
    return right / len(labels)


class Block(nn.Module):
    """Two 3 x 3 convolutions around a shortcut; the activation as a module and as a function."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.act1 = nn.Mish()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        if stride == 1 and inputs == outputs:
            self.shortcut = nn.Identity()
        else:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.act1(self.bn1(self.conv1(x)))
        return F.mish(self.bn2(self.conv2(y)) + self.shortcut(x))


class Net(nn.Module):
    """96 314 parameters; the input is N x 1 x 28 x 28, the output ten scores."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.Mish()
        )
        self.blocks = nn.Sequential(
            Block(16, 16, 1), Block(16, 32, 2), Block(32, 32, 1), Block(32, 64, 2)
        )
        self.head = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.stem(x)).mean([2, 3]))


def read_idx(path: Path) -> torch.Tensor:
    """One IDX file of unsigned bytes, as a uint8 tensor."""
    with gzip.open(path, "rb") as file:
        content = file.read()
    if content[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path} is not an IDX file of unsigned bytes")
    rank = content[3]
    shape = [int(n) for n in np.frombuffer(content, ">u4", rank, 4)]
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * rank)
    return torch.from_numpy(values.copy()).reshape(shape)


def read_split(folder: Path, prefix: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Images N x 1 x 28 x 28, normalised, and their labels."""
    images = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz")
    return ((images.float() / 255 - MEAN) / DEVIATION).unsqueeze(1), labels.long()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    here = Path(__file__).resolve().parent
    parser.add_argument("--out", type=Path, default=here / "model_mish.pt", help="file to write")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.004, help="peak learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=Path(DEFAULT_DATA), help="folder of *.gz")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    images, labels = read_split(options.data, "train")
    test_images, test_labels = read_split(options.data, "t10k")

    model = Net()
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.lr, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.lr, total_steps=options.steps, pct_start=0.1
    )
    start = time.monotonic()
    order, at = torch.randperm(len(labels)), 0
    for step in range(1, options.steps + 1):
        if at + options.batch > len(order):
            order, at = torch.randperm(len(labels)), 0
        index = order[at : at + options.batch]
        at += options.batch
        loss = F.cross_entropy(model(images[index]), labels[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == options.steps:
            seconds = time.monotonic() - start
            print(f"step {step}  loss {loss.item():.3f}  {seconds:.0f} s", flush=True)

    model.eval()
    scripted = torch.jit.script(model)
    print(f"test accuracy {100 * accuracy(scripted, test_images, test_labels):.2f} %")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    part = options.out.with_name(options.out.name + ".tmp")
    scripted.save(str(part))
    part.replace(options.out)
    print(f"wrote {options.out}, {options.out.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
