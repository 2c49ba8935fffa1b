"""KataGo's b18c384nbt, a network that plays Go: nested residual blocks with batch norm and Mish before each convolution, a policy, a value, an ownership."""

import gzip
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from network import Case, Metric, Network, Package, Part, relative_error, trace
from networks import go

FILE = "katrain/models/kata1-b18c384nbt-s9996604416-d4316597426.bin.gz"
GAMES = {"train": (96, 4), "cal": (12, 1), "val": (6, 2), "test": (12, 3)}  # games and seed


class Reader:
    """Reads KataGo's own format: words between blanks, and float32 after @BIN@."""

    def __init__(self, path: Path):
        self.content, self.at = gzip.open(path).read(), 0

    def skip_blanks(self) -> None:
        while self.content[self.at : self.at + 1].isspace():
            self.at += 1

    def word(self) -> str:
        self.skip_blanks()
        begin = self.at
        while not self.content[self.at : self.at + 1].isspace():
            self.at += 1
        return self.content[begin : self.at].decode()

    def number(self) -> int:
        return int(self.word())

    def words(self, count: int) -> list:
        return [self.word() for _ in range(count)]

    def floats(self, *shape: int) -> Tensor:
        self.skip_blanks()
        if self.content[self.at : self.at + 5] != b"@BIN@":
            raise ValueError(f"katago: expected @BIN@ at byte {self.at}, but found {self.content[self.at : self.at + 5]!r}")
        values = np.frombuffer(self.content, "<f4", math.prod(shape), self.at + 5).reshape(shape).copy()
        self.at += 5 + values.nbytes
        return torch.from_numpy(values)

    def convolution(self) -> nn.Conv2d:
        _name, *sizes = self.words(7)
        height, width, inputs, outputs, *dilation = map(int, sizes)
        padding = (dilation[0] * (height // 2), dilation[1] * (width // 2))
        layer = nn.Conv2d(inputs, outputs, (height, width), padding=padding, dilation=tuple(dilation), bias=False)
        layer.weight.data = self.floats(height, width, inputs, outputs).permute(3, 2, 0, 1).contiguous()
        return layer

    def matrix(self) -> nn.Linear:
        _name, inputs, outputs = self.word(), self.number(), self.number()
        layer = nn.Linear(inputs, outputs, bias=False)
        layer.weight.data = self.floats(inputs, outputs).T.contiguous()
        return layer

    def linear(self) -> nn.Linear:
        layer = self.matrix()
        _name, outputs = self.word(), self.number()
        layer.bias = nn.Parameter(self.floats(outputs))
        return layer

    def norm(self) -> nn.BatchNorm2d:
        _name, channels, epsilon, has_scale, has_offset = self.words(5)
        layer = nn.BatchNorm2d(int(channels), eps=float(epsilon))
        layer.running_mean.data, layer.running_var.data = self.floats(int(channels)), self.floats(int(channels))
        if int(has_scale):
            layer.weight.data = self.floats(int(channels))
        if int(has_offset):
            layer.bias.data = self.floats(int(channels))
        return layer

    def activation(self) -> nn.Module:
        _name, kind = self.words(2)
        return {"ACTIVATION_MISH": nn.Mish, "ACTIVATION_RELU": nn.ReLU, "ACTIVATION_IDENTITY": nn.Identity}[kind]()

    def normed(self) -> nn.Sequential:
        return nn.Sequential(self.norm(), self.activation())

    def block(self) -> nn.Module:
        return {"ordinary_block": Ordinary, "gpool_block": Pooled, "nested_bottleneck_block": Nested}[self.word()](self)

    def expect_end(self) -> None:
        if rest := self.content[self.at :].strip():
            raise ValueError(f"katago: expected the end of the file, but found {len(rest)} bytes more")


def pooled(x: Tensor) -> Tensor:
    mean = x.mean((2, 3))
    return torch.cat([mean, mean * ((go.SIZE - 14) * 0.1), x.amax((2, 3))], 1)


class Ordinary(nn.Module):
    def __init__(self, reader: Reader):
        super().__init__()
        reader.word()
        self.body = nn.Sequential(reader.normed(), reader.convolution(), reader.normed(), reader.convolution())

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Pooled(nn.Module):
    """Pools some channels over the board and adds them to the others as a bias."""

    def __init__(self, reader: Reader):
        super().__init__()
        reader.word()
        self.first, self.regular, self.to_pool = reader.normed(), reader.convolution(), reader.convolution()
        self.before_pool, self.bias = reader.normed(), reader.matrix()
        self.rest = nn.Sequential(reader.normed(), reader.convolution())

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        bias = self.bias(pooled(self.before_pool(self.to_pool(y))))
        return x + self.rest(self.regular(y) + bias[:, :, None, None])


class Nested(nn.Module):
    def __init__(self, reader: Reader):
        super().__init__()
        _name, blocks = reader.word(), reader.number()
        self.body = nn.Sequential(reader.normed(), reader.convolution(), *(reader.block() for _ in range(blocks)), reader.normed(), reader.convolution())

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Player(nn.Module):
    """The network, as version 14 of the format describes it."""

    def __init__(self, reader: Reader):
        super().__init__()
        _name, version = reader.word(), reader.number()
        if version != 14:
            raise ValueError(f"katago: expected a network of version 14, but found {version}")
        reader.words(10)  # sizes of the input, what scales the outputs, the trunk's name
        blocks = reader.number()
        reader.words(5)  # channels
        self.spatial, self.numbers = reader.convolution(), reader.matrix()
        self.trunk = nn.Sequential(*(reader.block() for _ in range(blocks)), *reader.normed())
        reader.word()
        self.policy_in, self.policy_to_pool, self.policy_before_pool = reader.convolution(), reader.convolution(), reader.normed()
        self.policy_bias, self.policy_norm, self.policy_out = reader.matrix(), reader.normed(), reader.convolution()
        self.policy_pass = reader.matrix()
        reader.word()
        self.value_in, self.value_norm, self.value_hidden = reader.convolution(), reader.normed(), reader.linear()
        self.value_activation, self.value_out, self.score_out = reader.activation(), reader.linear(), reader.linear()
        self.ownership = reader.convolution()

    def forward(self, spatial: Tensor, numbers: Tensor) -> tuple:
        """@returns logits of the moves, the last one a pass; logits of win, loss and no result; ownership of each point, -1 to 1"""
        x = self.trunk(self.spatial(spatial) + self.numbers(numbers)[:, :, None, None])
        pool = pooled(self.policy_before_pool(self.policy_to_pool(x)))
        policy = self.policy_out(self.policy_norm(self.policy_in(x) + self.policy_bias(pool)[:, :, None, None]))
        moves = torch.cat([policy[:, 0].flatten(1), self.policy_pass(pool)[:, :1]], 1)
        value = self.value_norm(self.value_in(x))
        mean = value.mean((2, 3))
        off = go.SIZE - 14
        hidden = self.value_activation(self.value_hidden(torch.cat([mean, mean * (off * 0.1), mean * (off**2 * 0.01 - 0.1)], 1)))
        return moves, self.value_out(hidden), self.ownership(value).tanh()[:, 0]


class KataGo(Network):
    name = "katago"
    title = "KataGo b18c384nbt, plays Go, 26.3M"
    package = Package("katrain", "1.17.1", "MIT; the network under KataGo's permissive network licence")
    cases = (
        Case("katago", "Mish to ReLU", ("--to", "relu"), {"calibrated": 88, "trained": 93}),
        Case("katago-hard-mish", "Mish to hard-mish", ("--to", "hard_mish"), {"calibrated": 88, "trained": 93}),
    )
    metrics = (
        Metric("same move, %", 1),
        Metric("policy's divergence, nats", 3, less_is_better=True),
        Metric("win probability off", 3, less_is_better=True),
        Metric("ownership's relative error", 3, less_is_better=True),
    )
    epochs = 2
    batch = 25

    def make(self, wheel: Path) -> torch.jit.ScriptModule:
        reader = Reader(wheel / FILE)
        model = Player(reader).eval()
        reader.expect_end()
        planes, numbers = (torch.from_numpy(part)[None] for part in go.Board().features())
        with torch.no_grad():
            moves, value, _ = model(planes, numbers)
        best, win = int(moves.argmax()), float(value.softmax(1)[0, 0])
        # On an empty 9 x 9 board all opening moves are within two points of the centre, and with a komi of 7 the game is about even.
        if max(abs(coordinate - go.SIZE // 2) for coordinate in divmod(best, go.SIZE)) > 2 or not 0.3 < win < 0.7:
            raise ValueError(f"katago: expected an opening near the centre of an even game, but found move {divmod(best, go.SIZE)}, win {win:.2f}")
        return trace(model, planes.repeat(2, 1, 1, 1), numbers.repeat(2, 1))

    def inputs(self, model: nn.Module, wheel: Path) -> dict:
        @torch.no_grad()
        def policy(planes: Tensor, numbers: Tensor) -> Tensor:
            return model(planes, numbers)[0].softmax(1)

        return {part: Part(go.positions(policy, games, seed)) for part, (games, seed) in GAMES.items()}

    def judge(self, outputs: tuple, expected: tuple, known: dict) -> dict:
        (moves, value, ownership), (moves0, value0, ownership0) = outputs, expected
        found = (
            100 * float((moves.argmax(1) == moves0.argmax(1)).float().mean()),
            float(divergence(moves, moves0)),
            float((value.softmax(1)[:, 0] - value0.softmax(1)[:, 0]).abs().mean()),
            relative_error(ownership, ownership0),
        )
        return dict(zip((metric.name for metric in self.metrics), found, strict=True))

    def loss(self, outputs: tuple, expected: tuple) -> Tensor:
        return divergence(outputs[0], expected[0]) + divergence(outputs[1], expected[1]) + F.mse_loss(outputs[2], expected[2])


def divergence(logits: Tensor, expected: Tensor) -> Tensor:
    """The Kullback-Leibler divergence from the expected distribution, in nats."""
    return F.kl_div(logits.log_softmax(1), expected.log_softmax(1), reduction="batchmean", log_target=True)
