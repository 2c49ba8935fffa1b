"""The networks to train: small ones with Mish and several million parameters. A batch has as many examples as let a step take about a
fifth of a second."""

from dataclasses import dataclass
from pathlib import Path

CLASSES = 10
WIDE = 1024
LAYERS = 9
CHANNELS = (64, 128, 256, 512, 512)


@dataclass(frozen=True)
class Network:
    name: str
    title: str
    input: tuple
    batch: int  # of all ranks; four ranks must be able to share it

    def file(self, folder: Path) -> Path:
        return folder / f"{self.name}.pt"


NETWORKS = {
    network.name: network
    for network in (
        Network("mlp", f"{LAYERS + 1} linear layers", (784,), 256),
        Network("conv", f"{len(CHANNELS)} convolutions with batch norms", (3, 32, 32), 64),
    )
}


def write(network: Network, folder: Path) -> None:
    """Writes the network as TorchScript, with weights from a seed."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers, last = [], network.input[0]
    if network.name == "mlp":
        for _ in range(LAYERS):
            layers += [nn.Linear(last, WIDE), nn.Mish()]
            last = WIDE
    else:
        for channels in CHANNELS:
            stride = 1 if channels == last else 2
            layers += [nn.Conv2d(last, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.Mish()]
            last = channels
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    torch.jit.script(nn.Sequential(*layers, nn.Linear(last, CLASSES))).save(network.file(folder))
