"""torchvision beside a CPU build of PyTorch that it was not made for: its networks work, its operators are missing."""

import torch


def declare_operators() -> object:
    """So that torchvision can be imported. @returns what has to stay alive meanwhile"""
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
