#!/usr/bin/env python3
"""Makes one task's data files and one original: the network, trained with a seed, as TorchScript.

    build/venv/bin/python bench/recovery/tasks.py residual --seed 0 --out build/recovery/residual

It writes train.pt and val.pt, if they do not exist, and original_<seed>.pt. With --from-start relu it trains the network with that
activation, from the same weights and in the same order, and writes <activation>_<seed>.pt instead. run.py runs this script for all tasks.
"""

import argparse
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ROOT / "build/release/bin/actswap"
sys.path.insert(0, str(ROOT / "examples/fashion_mnist"))
sys.path.append(str(ROOT / "bench"))

import nets  # noqa: E402
from common import encoder  # noqa: E402
from common.verses import verses as bible_verses  # noqa: E402
from train import DEVIATION, MEAN, Net, read  # noqa: E402

LENGTH = 64  # of a piece of text, in characters
TOKENS = 32  # of a sentence
WIDTH = 384  # of an embedding


@dataclass(frozen=True)
class Task:
    title: str
    metric: str  # accuracy (in percent), nats (per character) or cosine (to the original's embedding)
    net: Callable[[], nn.Module]
    data: Callable[[str], dict]  # for "train" or "val": x, and y if there are labels
    steps: int  # of the original's training; for a published one, the steps that budgets are shares of
    batch: int
    rate: float  # the original's peak learning rate; the retargeting uses a tenth of it
    examples: dict  # of each part of the data, at most
    published: bool = False  # it comes with weights, and has no labels
    calibration: int = 1024  # inputs for its calibration
    options: tuple = ()  # for the command
    only_study: bool = False  # not in the main table

    def short(self) -> "Task":
        return replace(self, steps=100, examples={"train": 2000, "val": 500}, calibration=64)

    def value(self, evaluation: dict) -> float:
        """The metric, from what the command measured."""
        if self.metric == "accuracy":
            return evaluation["value"]
        # The embeddings are of length 1: |a - b|^2 = 2 - 2 cos(a, b), and the error is the mean over their numbers.
        return evaluation["mean_loss"] if self.metric == "nats" else 1 - WIDTH / 2 * evaluation["mean_loss"]


def fashion(part: str) -> dict:
    split = {"train": "train", "val": "t10k"}[part]
    return {"x": read(f"{split}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28), "y": read(f"{split}-labels-idx1-ubyte.gz", 8)}


def verses(part: str) -> list:
    """The verses of a part: of each thousand, the last hundred are for validation."""
    texts = bible_verses()
    return [text for i, text in enumerate(texts) if (i % 1000 >= 900) == (part == "val")]


def characters(part: str) -> dict:
    known = {character: i for i, character in enumerate(vocabulary())}
    numbers = torch.tensor([known[character] for character in "\n".join(verses(part))])
    count = (len(numbers) - 1) // LENGTH
    return {"x": numbers[: count * LENGTH].reshape(count, LENGTH), "y": numbers[1 : count * LENGTH + 1].reshape(count, LENGTH)}


def vocabulary() -> list:
    return sorted(set("\n".join(verses("train") + verses("val"))))


def sentences(part: str) -> dict:
    # Spread over the whole text, in an order that does not follow it.
    texts = verses(part)
    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(0)).tolist()
    return {"x": encoder.tokenize([texts[i] for i in order], TOKENS)}


IMAGES = ("--mean", str(MEAN), "--deviation", str(DEVIATION))
ALL = {"train": None, "val": None}
TASKS = {
    "residual": Task("residual CNN, Mish, batch norm", "accuracy", Net, fashion, 3000, 64, 3e-3, ALL, options=IMAGES),
    "efficientnet": Task("EfficientNet-like, SiLU, squeeze and excitation", "accuracy", nets.EfficientNet, fashion, 2400, 64, 3e-3, ALL,
                         options=IMAGES),
    "convnext": Task("ConvNeXt-like, GELU, no batch norm", "accuracy", nets.ConvNeXt, fashion, 2400, 64, 3e-3, ALL, options=IMAGES),
    "text": Task("character transformer, GELU", "nats", lambda: nets.CharacterTransformer(len(vocabulary()), LENGTH), characters, 2500, 32, 2e-3,
                 {"train": None, "val": 2000}),
    "encoder": Task("all-MiniLM-L6-v2, GELU", "cosine", encoder.build, sentences, 1000, 16, 1e-3, {"train": 8192, "val": 500}, published=True),
    "deep": Task("16 residual blocks, GELU, no normalisation", "accuracy", nets.Deep, fashion, 2000, 64, 2e-3, ALL, options=IMAGES, only_study=True),
}  # fmt: skip


def as_input(x: Tensor) -> Tensor:
    """The tensor as the command reads it."""
    return (x.unsqueeze(1).float() / 255 - MEAN) / DEVIATION if x.dtype == torch.uint8 else x


def swapped(model: nn.Module, target: str, command: Path) -> torch.jit.ScriptModule:
    """The model after the command's swap: the command also finds activations that are functions."""
    with tempfile.TemporaryDirectory() as folder:
        untrained, found = Path(folder) / "untrained.pt", Path(folder) / "swapped.pt"
        torch.jit.script(model).save(str(untrained))
        subprocess.run([command, "convert", untrained, "--to", target, "--epochs", "0", "-o", found, "-q"], check=True, stdout=subprocess.PIPE)
        return torch.jit.load(str(found))


def train(task: Task, data: dict, seed: int, change: Callable[[nn.Module], nn.Module] = lambda model: model) -> nn.Module:
    torch.manual_seed(seed)
    model = change(task.net()).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=task.rate, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * step / task.steps))
    )
    x, y = data["x"], data["y"]
    for _ in range(task.steps):
        index = torch.randint(len(y), (task.batch,))
        loss = F.cross_entropy(model(as_input(x[index])), y[index].long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
    return model.eval()


def save(write: Callable[[Path], None], path: Path) -> None:
    unfinished = path.with_suffix(".tmp")
    write(unfinished)
    unfinished.rename(path)


def make_data(task: Task, folder: Path) -> dict:
    """Writes both data files if they do not exist. @returns the training data"""
    for part in ("train", "val"):
        path = folder / f"{part}.pt"
        if not path.exists():
            data = {name: tensor[: task.examples[part]].clone() for name, tensor in task.data(part).items()}
            if task.published and part == "val":
                model = task.net()
                with torch.no_grad():
                    data["y"] = torch.cat([model(x) for x in data["x"].split(50)])
            save(lambda unfinished, data=data: torch.save(data, unfinished), path)
    return torch.load(folder / "train.pt", weights_only=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="few steps on little data")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--from-start", metavar="ACTIVATION", help="train the network with this activation instead")
    parser.add_argument("--command", type=Path, default=COMMAND)
    options = parser.parse_args()
    task = TASKS[options.task].short() if options.short else TASKS[options.task]
    options.out.mkdir(parents=True, exist_ok=True)
    data = make_data(task, options.out)
    if options.from_start:
        model = train(task, data, options.seed, lambda net: swapped(net, options.from_start, options.command))
    else:
        model = torch.jit.script(task.net() if task.published else train(task, data, options.seed))
    save(lambda unfinished: model.save(str(unfinished)), options.out / f"{options.from_start or 'original'}_{options.seed}.pt")


if __name__ == "__main__":
    main()
