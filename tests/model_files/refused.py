"""Files that actswap refuses, with a message each."""

import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_files.archive import edit_archive
from model_files.usual import ScriptedModule


class PlainRelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


class NonAsciiName(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleDict({"é tage": nn.Linear(4, 4)})

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.stages["é tage"](x))


class Größe(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x)


class ForeignOperator(nn.Module):
    def forward(self, x):
        return torch.nn.functional.mish(torch.ops.actswap_test.twice(x))


def write_foreign(folder: Path) -> None:
    """A model with an operator of the library tests/tools/operators.cpp."""
    library = torch.library.Library("actswap_test", "DEF")
    library.define("twice(Tensor x) -> Tensor")
    library.impl("twice", lambda x: x * 2, "CompositeExplicitAutograd")
    torch.jit.script(ForeignOperator()).save(str(folder / "foreign_op.pt"))


def write_bad(folder: Path) -> None:
    torch.manual_seed(0)
    model = ScriptedModule().eval()
    torch.save(model.state_dict(), folder / "state_dict.pt")
    torch.save(torch.arange(6.0), folder / "tensor.pt")
    torch.export.save(torch.export.export(model, (torch.zeros(2, 3, 8, 8),)), folder / "exported.pt2")
    torch.save(model, folder / "pickled_module.pt")
    torch.save(model, folder / "legacy_module.pt", _use_new_zipfile_serialization=False)
    np.savez(folder / "arrays.npz", x=np.zeros(3), y=np.ones(2))
    (folder / "text.pt").write_text("This is no model.\n")
    (folder / "empty.pt").write_bytes(b"")
    content = (folder / "scripted_module.pt").read_bytes()
    (folder / "truncated.pt").write_bytes(content[: len(content) // 2])
    # LibTorch reads the version from .data/version in some releases and from version in others.
    edit_archive(
        folder / "scripted_module.pt",
        folder / "newer_version.pt",
        lambda name, data: b"99\n" if name in ("version", ".data/version") else data,
    )
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "unknown_op.pt"
        torch.jit.script(PlainRelu()).save(str(plain))
        edit_archive(
            plain,
            folder / "unknown_op.pt",
            lambda name, data: data.replace(b"torch.relu", b"torch.conv99d") if name.endswith(".py") else data,
        )


def write_unreadable(folder: Path) -> None:
    """Files that TorchScript writes and cannot read."""
    torch.jit.script(NonAsciiName()).save(str(folder / "non_ascii_name.pt"))
    torch.jit.script(Größe()).save(str(folder / "non_ascii_class.pt"))


def write_made_ready(folder: Path) -> None:
    """Models that were quantized, optimized, or saved for mobile devices."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Mish(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)).eval()
    scripted = torch.jit.script(model)
    scripted._save_for_lite_interpreter(str(folder / "mobile.ptl"))
    torch.jit.optimize_for_inference(scripted).save(str(folder / "optimized.pt"))
    quantized = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    torch.jit.script(quantized).save(str(folder / "quantized.pt"))


FILES = ["pickled_module.pt", "legacy_module.pt", "arrays.npz", "foreign_op.pt", "mobile.ptl", "optimized.pt", "quantized.pt", "state_dict.pt", "tensor.pt", "exported.pt2", "text.pt", "empty.pt", "truncated.pt", "newer_version.pt", "unknown_op.pt", "non_ascii_name.pt", "non_ascii_class.pt"]
