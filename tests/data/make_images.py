#!/usr/bin/env python3
"""Writes tests/data/images: small image files of all kinds, and what Pillow and torchvision make of them (expected.npz).

Made with Pillow 13.0, torchvision 0.28, numpy 2.4 and OpenCV 5.0 (for 16 bits a channel). Run it again only where a file is added: the
tests compare with what is stored.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

# torchvision's wheel is made for CUDA, and looks for two operators when it is imported.
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from torchvision.transforms import v2  # noqa: E402
from torchvision.transforms import functional as F  # noqa: E402

FOLDER = Path(__file__).resolve().parent / "images"
HEIGHT, WIDTH = 29, 37


def picture(channels: int, seed: int) -> np.ndarray:
    """Smooth colours, sharp edges and some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = []
    for channel in range(channels):
        wave = 127 + 90 * np.sin(x / (3 + channel) + seed) * np.cos(y / (4 + channel))
        wave[(x - 18) ** 2 + (y - 14) ** 2 < 50] = 30 * channel + 20
        planes.append(wave + rng.normal(0, 6, wave.shape))
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def write_images() -> None:
    rgb = Image.fromarray(picture(3, 0))
    grey = Image.fromarray(picture(1, 1)[:, :, 0])
    rgba = Image.fromarray(picture(4, 2))
    save = lambda image, name, **options: image.save(FOLDER / name, **options)  # noqa: E731
    save(rgb, "420.jpg", quality=90, subsampling="4:2:0")
    save(rgb, "422.jpg", quality=90, subsampling="4:2:2")
    save(rgb, "444_progressive.jpg", quality=80, subsampling="4:4:4", progressive=True)
    save(grey, "grey.jpg", quality=90)
    save(Image.fromarray(picture(4, 3), "CMYK"), "cmyk.jpg", quality=90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, which nobody does
    save(rgb, "turned.jpg", quality=90, exif=exif)
    save(rgb, "rgb.png")
    save(rgba, "rgba.png")
    save(rgb.crop((2, 3, 26, 11)), "wide.png")
    save(grey, "grey.png")
    save(rgba.convert("LA"), "grey_alpha.png")
    save(grey.convert("1"), "bits.png")
    save(grey.quantize(16), "palette16.png", bits=4)
    save(rgb.quantize(64), "palette_transparent.png", transparency=3)
    wide = picture(3, 4).astype(np.uint16) * 200 + 77
    cv2.imwrite(str(FOLDER / "rgb16.png"), wide)
    cv2.imwrite(str(FOLDER / "grey16.png"), (picture(1, 5)[:, :, 0].astype(np.uint16) * 3))
    save(rgb, "lossy.webp", quality=80)
    save(rgba, "lossless_alpha.webp", lossless=True)
    save(rgb, "animated.webp", save_all=True, append_images=[rgb.rotate(180)])


def resizes(image: Image.Image) -> dict:
    """By name: what the transforms make of the Pillow image, and of the tensor with antialiasing."""
    bicubic = F.InterpolationMode.BICUBIC
    transforms = {
        "resize16_crop12": v2.Compose([v2.Resize(16), v2.CenterCrop(12)]),
        "resize20": v2.Resize(20),
        "resize50": v2.Resize(50),
        "resize11x31": v2.Resize((11, 31)),
        "resize15_bicubic": v2.Resize(15, interpolation=bicubic),
        "crop10": v2.CenterCrop(10),
        "crop33x20": v2.CenterCrop((33, 20)),
        "grey_resize16": v2.Compose([v2.Grayscale(), v2.Resize(16)]),
    }
    tensor = F.pil_to_tensor(image)
    found = {}
    for name, transform in transforms.items():
        made = np.asarray(transform(image))
        found[name] = made if made.ndim == 3 else made[:, :, None]
        if "grey" not in name:
            found[name + "_tensor"] = transform(tensor).permute(1, 2, 0).numpy()
    return found


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    write_images()
    expected = {}
    for path in sorted(FOLDER.glob("*.*")):
        if path.suffix in (".jpg", ".png", ".webp") and path.stem != "animated":
            expected[path.name] = np.asarray(Image.open(path).convert("RGB"))
    expected |= resizes(Image.open(FOLDER / "rgb.png").convert("RGB"))
    np.savez_compressed(FOLDER / "expected.npz", **expected)


if __name__ == "__main__":
    main()
