"""Models that are special when they run: random, in train mode for good, with gradients in their forward, that count, print, raise."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Rows(nn.Module):
    """A linear layer from 6 to 6: all of these take rows of 6 numbers."""

    def __init__(self):
        super().__init__()
        self.l = nn.Linear(6, 6)


class Noisy(Rows):
    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.l(x)) + 0.1 * torch.randn_like(x)


class Dropping(Rows):
    """torch.nn.functional.dropout drops in eval mode too, unless it is told the mode."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(F.silu(self.l(x)), 0.1)


class Gradient(Rows):
    """What physics takes for a force: minus the gradient of an energy."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.detach().requires_grad_(True)
        force = torch.autograd.grad([self.l(F.silu(self.l(x))).sum()], [x])[0]
        assert force is not None
        return -force


class Counting(Rows):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls.add_(1.0)
        return self.l(F.silu(self.l(x)))


class Printing(Rows):
    def forward(self, x: Tensor) -> Tensor:
        print("rows:", x.size(0))
        return F.silu(self.l(x))


class Raising(Rows):
    def forward(self, x: Tensor) -> Tensor:
        if x.size(0) != 4:
            raise ValueError("expected 4 rows")
        return F.silu(self.l(x))


class Nothing(Rows):
    def forward(self, x: Tensor) -> Tensor:
        return torch.log(-torch.abs(F.silu(self.l(x))) - 1.0)


class Masked(Rows):
    def forward(self, x: Tensor) -> Tensor:
        y = self.l(F.silu(self.l(x)))
        return y.masked_fill(torch.tensor([False, False, True, False, False, True]), float("-inf"))


def in_train_mode() -> torch.jit.ScriptModule:
    model = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.SiLU(), nn.Dropout(0.3), nn.Linear(6, 3)).train()
    return torch.jit.trace(model, torch.randn(8, 6), check_trace=False)


MODELS = {
    "noisy": Noisy,
    "dropping": Dropping,
    "gradient": Gradient,
    "counting": Counting,
    "printing": Printing,
    "raising": Raising,
    "nothing_finite": Nothing,
    "masked": Masked,
}
FILES = [f"{name}.pt" for name in [*MODELS, "traced_in_train_mode"]]


def write(folder: Path) -> None:
    for name, make in MODELS.items():
        torch.manual_seed(0)
        torch.jit.script(make().eval()).save(str(folder / f"{name}.pt"))
    torch.manual_seed(0)
    in_train_mode().save(str(folder / "traced_in_train_mode.pt"))
