"""Photographs, and frames of two videos, from Debian packages, as crops of one size."""

import random
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

DEBIAN = ("opencv-doc", "gnome-backgrounds", "plasma-workspace-wallpapers")
FOLDER = Path("/usr/share/doc/opencv-doc/examples/data")
WALLPAPERS = Path("/usr/share/wallpapers")
VIDEOS = (("Megamind.avi", 5), ("vtest.avi", 10))  # one of this many frames is taken
# Drawings, calibration targets and pairs of one scene.
NO_PHOTOGRAPHS = ("pic", "logo", "box", "digits", "gradient", "chessboard", "left0", "right0", "left1", "right1", "ellips", "pca", "ml.png")
SMALLEST = 100  # pixels of a side


def frames(path: Path, every: int) -> list:
    import cv2

    video, found, number = cv2.VideoCapture(str(path)), [], 0
    while True:
        there, frame = video.read()
        if not there:
            return found
        if number % every == 0:
            found.append(frame)
        number += 1


def photographs() -> list:
    import cv2

    paths = sorted([*FOLDER.glob("*.jpg"), *FOLDER.glob("*.png")])
    paths = [path for path in paths if not any(word in path.name for word in NO_PHOTOGRAPHS)]
    paths += sorted(WALLPAPERS.glob("*/contents/images/1920x1080.*"))[:30]
    found = [cv2.imread(str(path)) for path in paths]
    return [picture for picture in found if picture is not None and min(picture.shape[:2]) >= SMALLEST]


def groups(shares: dict) -> dict:
    """For each part a list of groups of pictures: the photographs, and each video's frames. shares: each part's share; parts have no pictures in common.

    Frames of a part are neighbours in time, so that those of another part do not show the same moment.
    """
    pictures = photographs()
    order = np.random.RandomState(0).permutation(len(pictures))
    sources = [[pictures[number] for number in order], *(frames(FOLDER / name, every) for name, every in VIDEOS)]
    found, begin = {}, 0.0
    for part, share in shares.items():
        found[part] = [source[round(begin * len(source)) : round((begin + share) * len(source))] for source in sources]
        begin += share
    return found


def crops(count: int, size: int, seed: int, sources: list) -> Tensor:
    """@returns [count, 3, size, size] bytes, RGB, at a random place, scale and orientation, from each group in turn"""
    import cv2

    chooser, found = random.Random(seed), []
    for number in range(count):
        group = sources[number % len(sources)]
        picture = group[chooser.randrange(len(group))]
        height, width = picture.shape[:2]
        side = int(min(height, width) * chooser.uniform(0.45, 1))
        top, left = chooser.randint(0, height - side), chooser.randint(0, width - side)
        crop = cv2.resize(picture[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA)
        if chooser.random() < 0.5:
            crop = crop[:, ::-1]
        found.append(crop[..., ::-1].transpose(2, 0, 1))
    return torch.from_numpy(np.ascontiguousarray(np.stack(found)))
