#!/usr/bin/env python3
"""Writes the networks for timing training steps and exports: models.py FOLDER

They are scripted residual CNNs of two sizes: narrow, the quickstart's network (examples/fashion_mnist), for inputs of 64x1x28x28, and
wide, for inputs of 32x3x32x32. narrow_mish.pt, narrow_silu.pt, narrow_gelu.pt and narrow_relu.pt share their weights; so do the wide ones.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

ACTIVATIONS = {"mish": nn.Mish, "silu": nn.SiLU, "gelu": nn.GELU, "relu": nn.ReLU}


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, activation: type):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.act1 = activation()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.act2 = activation()
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.act1(self.bn1(self.conv1(x)))
        return self.act2(self.bn2(self.conv2(y)) + self.shortcut(x))


def network(channels: int, width: int, stride: int, activation: type) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), activation(),
        Block(width, width, 1, activation), Block(width, 2 * width, 2, activation),
        Block(2 * width, 2 * width, 1, activation), Block(2 * width, 4 * width, 2, activation),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 10),
    )  # fmt: skip


def main() -> int:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, activation in ACTIVATIONS.items():
        torch.jit.script(network(1, 16, 2, activation)).save(folder / f"narrow_{name}.pt")
        torch.jit.script(network(3, 32, 1, activation)).save(folder / f"wide_{name}.pt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
