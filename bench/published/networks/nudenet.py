"""NudeNet's detector, a YOLOv8n. The judge asks whether it finds what the original finds in pictures of people, animals, rooms and streets."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from network import Case, Metric, Network, Package, Part, relative_error, trace
from networks import onnx_modules, pictures
from packages import ONNX_TO_TORCH

SIDE = 320
STRIDES = (8, 16, 32)
BINS = 16  # of the distribution of a box's distance to a side
LEAST_SCORE = 0.2
SUPPRESSING, MATCHING = 0.45, 0.5  # intersections over unions


class Detector(nn.Module):
    """The exported graph up to its heads, and a decoder of the heads: the file's own decoder has shapes that a trace would fix."""

    def __init__(self, body: nn.Module):
        super().__init__()
        self.body = body
        x, y, strides = [], [], []
        for stride in STRIDES:
            count = SIDE // stride
            centres = torch.arange(count) + 0.5
            y.append(centres.repeat_interleave(count))
            x.append(centres.repeat(count))
            strides.append(torch.full((count * count,), float(stride)))
        self.register_buffer("centres", torch.stack([torch.cat(x), torch.cat(y)]))
        self.register_buffer("strides", torch.cat(strides))
        self.register_buffer("bins", torch.arange(float(BINS)))

    def forward(self, images: Tensor) -> Tensor:
        """@returns [N, 4 + classes, places]: centre and size of a box in pixels, and the score of each class"""
        heads = torch.cat([head.flatten(2) for head in self.body(images)], 2)
        boxes, classes = heads[:, : 4 * BINS], heads[:, 4 * BINS :]
        distances = (boxes.unflatten(1, (4, BINS)).softmax(2) * self.bins[:, None]).sum(2)
        low, high = self.centres - distances[:, :2], self.centres + distances[:, 2:]
        return torch.cat([(low + high) / 2 * self.strides, (high - low) * self.strides, classes.sigmoid()], 1)


def up_to_heads(model):
    import onnx.utils

    return onnx.utils.Extractor(model).extract_model(["images"], [f"/model.22/Concat{number}_output_0" for number in ("", "_1", "_2")])


class NudeNet(Network):
    name = "nudenet"
    title = "NudeNet's YOLOv8n, detector, 3.0M"
    package = Package("nudenet", "3.4.2", "MIT by its metadata; the licence file in the wheel is the AGPL-3.0")
    requires = (*ONNX_TO_TORCH, "opencv-python-headless")
    debian = pictures.DEBIAN
    cases = (Case("nudenet", "SiLU to ReLU", ("--to", "relu"), {"calibrated": 0.95, "trained": 0.97}),)
    metrics = (
        Metric("F1 of detections", 3),
        Metric("scores' relative error", 4, less_is_better=True),
        Metric("boxes' relative error", 5, less_is_better=True),
    )
    epochs = 3
    calibration = 256
    batch = 16

    def make(self, wheel: Path) -> torch.jit.ScriptModule:
        path = wheel / "nudenet/320n.onnx"
        images = torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
        model = trace(Detector(onnx_modules.from_onnx(path, up_to_heads)), images[:2])
        onnx_modules.check(model, path, images, 1e-4)
        return model

    def inputs(self, model: nn.Module, wheel: Path) -> dict:
        sources = pictures.groups({"train": 0.6, "val": 0.15, "test": 0.25})
        plan = {"train": (1024, 1, "train"), "cal": (256, 2, "train"), "val": (128, 3, "val"), "test": (300, 4, "test")}
        return {part: Part({"images": pictures.crops(count, SIDE, seed, sources[group])}) for part, (count, seed, group) in plan.items()}

    def judge(self, outputs: tuple, expected: tuple, known: dict) -> dict:
        found, original = outputs[0], expected[0]
        values = (
            f1(detections(found), detections(original)),
            relative_error(found[:, 4:], original[:, 4:]),
            relative_error(found[:, :4], original[:, :4]),
        )
        return dict(zip((metric.name for metric in self.metrics), values, strict=True))

    def loss(self, outputs: tuple, expected: tuple) -> Tensor:
        """Cross-entropy of the scores, and the distances of the boxes, as shares of a picture, where the original sees something."""
        found, original = outputs[0], expected[0]
        weight = original[:, 4:].amax(1, keepdim=True)
        boxes = ((found[:, :4] - original[:, :4]).abs() / SIDE * weight).sum() / weight.sum()
        return F.binary_cross_entropy(found[:, 4:].clamp(1e-6, 1 - 1e-6), original[:, 4:], reduction="sum") / len(found) + boxes


def detections(outputs: Tensor) -> list:
    """For each picture a list of (class, box as corners), without boxes that overlap a better one of their class."""
    found = []
    for picture in outputs:
        scores, classes = picture[4:].max(0)
        kept = scores > LEAST_SCORE
        centre, size = picture[:2, kept].T, picture[2:4, kept].T
        boxes, classes = torch.cat([centre - size / 2, centre + size / 2], 1), classes[kept].tolist()
        best = []
        for number in scores[kept].argsort(descending=True).tolist():
            if all(classes[number] != classes[other] or overlap(boxes[number], boxes[other]) < SUPPRESSING for other in best):
                best.append(number)
        found.append([(classes[number], boxes[number]) for number in best])
    return found


def overlap(one: Tensor, other: Tensor) -> float:
    """The intersection over the union of two boxes."""
    common = (torch.minimum(one[2:], other[2:]) - torch.maximum(one[:2], other[:2])).clamp(min=0).prod()
    return float(common / ((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - common + 1e-9))


def f1(found: list, expected: list) -> float:
    """2 hits / (found + expected); a hit has the same class and overlaps enough, and each detection hits at most once."""
    hits = 0
    for ours, theirs in zip(found, expected, strict=True):
        used = set()
        for kind, box in theirs:
            for number, (our_kind, our_box) in enumerate(ours):
                if number not in used and our_kind == kind and overlap(box, our_box) > MATCHING:
                    used.add(number)
                    hits += 1
                    break
    return 2 * hits / max(1, sum(map(len, found)) + sum(map(len, expected)))
