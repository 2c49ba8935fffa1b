#!/usr/bin/env python3
"""Trains a blended file in a PyTorch loop of one's own: train.py BLENDED OUT [--device cuda]. PyTorch alone; actswap is not needed here."""

import argparse
import copy
import gzip
import os
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F

warnings.filterwarnings("ignore", category=DeprecationWarning)
DATA = Path(os.environ.get("ACTSWAP_FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))


def images() -> torch.Tensor:
    raw = gzip.open(DATA / "train-images-idx3-ubyte.gz").read()[16:]
    pixels = torch.frombuffer(bytearray(raw), dtype=torch.uint8).reshape(-1, 1, 28, 28)
    return (pixels.float() / 255 - 0.2860) / 0.3530


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("blended")
    parser.add_argument("out")
    parser.add_argument("--steps", type=int, default=937)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", default="cpu", help="where to train, as PyTorch names it: cpu, cuda, cuda:1, ...")
    options = parser.parse_args()
    torch.manual_seed(0)

    model = torch.jit.load(options.blended, map_location=options.device)
    teacher = copy.deepcopy(model).eval()  # at t = 0: the original
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    x = images()
    model.train()
    for step in range(options.steps):
        model.set_blend(step / (0.3 * options.steps))  # held at 1 from 1 on
        batch = x[torch.randint(len(x), (options.batch,))].to(options.device)
        with torch.no_grad():
            labels = teacher(batch).softmax(1)
        loss = F.cross_entropy(model(batch), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"step {step}, loss {loss.item():.4f}", flush=True)
    model.eval()
    model.save(options.out)


if __name__ == "__main__":
    main()
