"""PP-OCRv4's recogniser (SVTR-LCNet), which reads a line of text. The judge uses rendered lines whose text is known."""

import math
import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.verses import verses
from network import Case, Metric, Network, Package, Part, relative_error, trace
from networks import onnx_modules
from packages import ONNX_TO_TORCH

HEIGHT, WIDTH = 48, 320
FONTS = ("dejavu", "liberation*", "freefont")  # folders of Debian's fonts
# How many lines, the seed, and which of each ten verses the lines come from.
LINES = {"train": (1024, 1, range(6)), "cal": (192, 2, range(6)), "val": (128, 3, range(6, 7)), "test": (300, 4, range(7, 10))}


class RapidOcr(Network):
    name = "rapidocr"
    title = "PP-OCRv4 recogniser, reads text, 2.7M"
    package = Package("rapidocr-onnxruntime", "1.4.4", "Apache-2.0")
    requires = ONNX_TO_TORCH
    debian = ("bible-kjv", "fonts-dejavu", "fonts-liberation", "fonts-freefont-ttf")
    cases = (
        Case("rapidocr", "SiLU to ReLU", ("--to", "relu"), {"calibrated": 97, "trained": 98.5}),
        Case(
            "rapidocr-35", "hardswish and SiLU to ReLU", ("--to", "relu", "--source", "hardswish,swish"),
            {"calibrated": 95, "trained": 98.5}, decides="characters right, %",
        ),
    )  # fmt: skip
    metrics = (
        Metric("same line as the original, %", 1),
        Metric("characters right, %", 2),
        Metric("lines right, %", 1),
        Metric("relative error", 4, less_is_better=True),
    )
    epochs = 0.75  # a step takes about 5 s of processor time
    calibration = 192
    batch = 16

    def make(self, wheel: Path) -> torch.jit.ScriptModule:
        images = torch.randn(2, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
        model = trace(onnx_modules.from_onnx(onnx_file(wheel)), images)
        onnx_modules.check(model, onnx_file(wheel), images, 1e-3)
        return model

    def inputs(self, model: nn.Module, wheel: Path) -> dict:
        characters, texts = alphabet(wheel), verses()
        found = {}
        for part, (count, seed, tenths) in LINES.items():
            sources = [text for number, text in enumerate(texts) if number % 10 in tenths]
            lines = draw(count, seed, sources)
            found[part] = Part({"x": torch.stack([image for image, _ in lines])}, {"texts": [text for _, text in lines], "characters": characters})
        return found

    def judge(self, outputs: tuple, expected: tuple, known: dict) -> dict:
        found, original = read(outputs[0], known["characters"]), read(expected[0], known["characters"])
        # The recogniser was trained on Chinese and omits some spaces.
        ours, truth = ([text.replace(" ", "") for text in texts] for texts in (found, known["texts"]))
        wrong = sum(map(edit_distance, ours, truth))
        values = (
            100 * sum(map(str.__eq__, found, original)) / len(found),
            100 * (1 - wrong / sum(map(len, truth))),
            100 * sum(map(str.__eq__, ours, truth)) / len(found),
            relative_error(outputs[0], expected[0]),
        )
        return dict(zip((metric.name for metric in self.metrics), values, strict=True))

    def loss(self, outputs: tuple, expected: tuple) -> Tensor:
        """The outputs are probabilities: their divergence from the original's, per line."""
        found, original = outputs[0].clamp_min(1e-8), expected[0].clamp_min(1e-8)
        return F.kl_div(found.log(), original.log(), reduction="batchmean", log_target=True)


def onnx_file(wheel: Path) -> Path:
    return wheel / "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"


def alphabet(wheel: Path) -> list:
    """The character for each class of the outputs; the first is the blank."""
    import onnx

    properties = {entry.key: entry.value for entry in onnx.load(onnx_file(wheel)).metadata_props}
    return ["", *properties["character"].splitlines(), " "]


def draw(count: int, seed: int, sources: list) -> list:
    root = Path("/usr/share/fonts/truetype")
    fonts = sorted(path for folder in FONTS for path in root.glob(f"{folder}/*.ttf"))
    chooser = random.Random(seed)
    return [draw_line(chooser, sources, fonts) for _ in range(count)]


def draw_line(chooser: random.Random, sources: list, fonts: list) -> tuple:
    """Draws a few words of a verse in a random font and contrast, rotated, blurred, with noise. @returns [3, HEIGHT, WIDTH] from -1 to 1, and the text"""
    from PIL import Image, ImageDraw, ImageFilter, ImageFont

    words = chooser.choice(sources).split()
    first = chooser.randrange(max(1, len(words) - 4))
    text = " ".join(words[first : first + chooser.randint(1, 5)])[:32].strip()
    font = ImageFont.truetype(str(chooser.choice(fonts)), chooser.randint(24, 40))
    left, top, right, bottom = font.getbbox(text)
    margin = chooser.randint(2, 8)
    paper, ink = chooser.randint(150, 255), chooser.randint(0, 90)
    if chooser.random() < 0.2:
        paper, ink = ink, paper
    image = Image.new("RGB", (right - left + 2 * margin, bottom - top + 2 * margin), (paper, paper, paper))
    ImageDraw.Draw(image).text((margin - left, margin - top), text, font=font, fill=(ink, ink, ink))
    image = image.rotate(chooser.uniform(-2, 2), expand=True, fillcolor=(paper, paper, paper), resample=Image.Resampling.BILINEAR)
    if chooser.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(chooser.uniform(0.3, 1.5)))
    width = min(WIDTH, math.ceil(HEIGHT * image.width / image.height))
    pixels = np.asarray(image.resize((width, HEIGHT), Image.Resampling.BILINEAR), dtype=np.float32)
    pixels = pixels + np.random.RandomState(chooser.randrange(1 << 30)).randn(*pixels.shape) * chooser.uniform(0, 12)
    line = torch.zeros(3, HEIGHT, WIDTH)
    line[:, :, :width] = (torch.from_numpy(pixels.clip(0, 255)).float().permute(2, 0, 1) / 255 - 0.5) / 0.5
    return line, text


def read(outputs: Tensor, characters: list) -> list:
    """[lines, places, classes] -> texts: joins equal neighbours, drops blanks."""
    found = []
    for places in outputs.argmax(-1).tolist():
        found.append("".join(characters[here] for before, here in zip([0, *places], places, strict=False) if here and here != before))
    return found


def edit_distance(one: str, other: str) -> int:
    """Levenshtein's distance."""
    row = list(range(len(other) + 1))
    for i, ours in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, theirs in enumerate(other, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (ours != theirs))
    return row[-1]
