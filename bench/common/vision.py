"""torchvision beside a CPU build of PyTorch that it was not built for: its networks work, its operators are missing."""

import torch


def declare_operators() -> object:
    """Declares the operators, so that torchvision can be imported. @returns an object that must stay alive meanwhile"""
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
