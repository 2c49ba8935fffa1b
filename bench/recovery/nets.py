"""The networks that the benchmark trains, besides the quickstart's: small, each of a family of its own."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SqueezeExcitation(nn.Module):
    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.act = nn.SiLU()
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.expand(self.act(self.reduce(x.mean([2, 3], keepdim=True)))))


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list:
    return [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]


class InvertedBottleneck(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        wide = 4 * inputs
        self.body = nn.Sequential(
            *conv_norm(inputs, wide, 1), nn.SiLU(),
            *conv_norm(wide, wide, 3, stride, groups=wide), nn.SiLU(),
            SqueezeExcitation(wide, inputs // 2), *conv_norm(wide, outputs, 1))  # fmt: skip
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        return x + y if self.residual else y


class EfficientNet(nn.Module):
    """MBConv blocks: expansion, depthwise convolution, squeeze and excitation; SiLU and batch norm."""

    def __init__(self):
        super().__init__()
        block = InvertedBottleneck
        self.features = nn.Sequential(
            *conv_norm(1, 16, 3, 2), nn.SiLU(),
            block(16, 16, 1), block(16, 24, 2), block(24, 24, 1), block(24, 40, 2), block(40, 40, 1),
            *conv_norm(40, 128, 1), nn.SiLU())  # fmt: skip
        self.head = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean([2, 3]))


class ConvNeXtBlock(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 5, 1, 2, groups=channels), nn.GroupNorm(1, channels),
            nn.Conv2d(channels, 4 * channels, 1), nn.GELU(), nn.Conv2d(4 * channels, channels, 1))  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class ConvNeXt(nn.Module):
    """Eight blocks, GELU, no batch norm."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 2, 2), nn.GroupNorm(1, 16), *(ConvNeXtBlock(16) for _ in range(4)),
            nn.GroupNorm(1, 16), nn.Conv2d(16, 32, 2, 2), *(ConvNeXtBlock(32) for _ in range(4)))  # fmt: skip
        self.norm = nn.LayerNorm(32)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.features(x).mean([2, 3])))


class Deep(nn.Module):
    """Sixteen residual blocks without any normalisation; the blocks' outputs begin small."""

    def __init__(self, blocks: int = 16, channels: int = 16):
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, 2, 1)
        self.blocks = nn.Sequential(*(DeepBlock(channels, blocks**-0.5) for _ in range(blocks)))
        self.act = nn.GELU()
        self.head = nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.blocks(self.stem(x))).mean([2, 3]))


class DeepBlock(nn.Module):
    def __init__(self, channels: int, gain: float):
        super().__init__()
        self.body = nn.Sequential(nn.GELU(), nn.Conv2d(channels, channels, 3, 1, 1), nn.GELU(), nn.Conv2d(channels, channels, 3, 1, 1))
        with torch.no_grad():
            self.body[3].weight.mul_(gain)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class TransformerBlock(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        n, length, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.projection(mixed.transpose(1, 2).reshape(n, length, width))
        return x + self.mlp(self.norm2(x))


class CharacterTransformer(nn.Module):
    """Logits of the next character, N x vocabulary x length: cross-entropy expects the classes in that dimension."""

    def __init__(self, vocabulary: int, length: int):
        super().__init__()
        width = 96
        self.characters = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.randn(length, width) * 0.02)
        self.blocks = nn.Sequential(*(TransformerBlock(width, 4) for _ in range(4)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.blocks(self.characters(x) + self.positions[: x.shape[1]]))).transpose(1, 2)
