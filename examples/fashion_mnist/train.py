#!/usr/bin/env python3
"""Trains the quickstart's model, a small residual CNN with Mish on Fashion-MNIST, and scripts it: some ten minutes on one core.

    build/venv/bin/python examples/fashion_mnist/train.py --out build/model_mish.pt

model_mish.pt beside this script is seed 0 with one thread. Other machines may round differently and then give another model.
"""

import argparse
import gzip
import math
import os
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MEAN, DEVIATION = 0.2860, 0.3530
DATA = Path(os.environ.get("ACTSWAP_FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))


def read(name: str, header: int) -> Tensor:
    return torch.frombuffer(bytearray(gzip.open(DATA / name).read()[header:]), dtype=torch.uint8)


def images(split: str) -> Tensor:
    return (read(f"{split}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28).float() / 255 - MEAN) / DEVIATION


def labels(split: str) -> Tensor:
    return read(f"{split}-labels-idx1-ubyte.gz", 8).long()


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.act1 = nn.Mish()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.act1(self.bn1(self.conv1(x)))
        return F.mish(self.bn2(self.conv2(y)) + self.shortcut(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Mish())
        self.blocks = nn.Sequential(Block(16, 16, 1), Block(16, 32, 2), Block(32, 32, 1), Block(32, 64, 2))
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)).mean([2, 3]))


def train(model: nn.Module, steps: int, batch: int) -> None:
    x, y = images("train"), labels("train")
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * step / steps))
    )
    model.train()
    for step in range(steps):
        index = torch.randint(len(y), (batch,))
        loss = F.cross_entropy(model(x[index]), y[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
        if (step + 1) % 500 == 0:
            print(f"step {step + 1} of {steps}, loss {loss.item():.4f}", flush=True)


@torch.no_grad()
def accuracy(model: nn.Module) -> float:
    x, y = images("t10k"), labels("t10k")
    return 100.0 * torch.cat([model(part).argmax(1) for part in x.split(500)]).eq(y).float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", required=True, help="the TorchScript file to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    model = Net()
    train(model, options.steps, options.batch)
    model.eval()
    print(f"test accuracy {accuracy(model):.2f} %")
    torch.jit.script(model).save(options.out)


if __name__ == "__main__":
    main()
