"""ANI-1x, a neural potential: energies of molecules of H, C, N and O. It has eight networks for each element; their rows are atoms."""

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from network import Case, Metric, Network, Package, Part

ELEMENTS = "HCNO"
FEATURES = 384
KCAL_PER_HARTREE = 627.5095
# TorchANI's documentation gives this energy, in hartree, for a methane with these coordinates, in angstrom.
METHANE_ENERGY = -40.4590
METHANE = [[0.03192167, 0.00638559, 0.01301679], [-0.83140486, 0.39370209, -0.26395324], [-0.66518241, -0.84461308, 0.20759389],
           [0.45554739, 0.54289633, 0.81170881], [0.66091919, -0.16799635, -0.91037834]]  # fmt: skip
CONFORMERS = 20  # of each molecule
LARGEST_SHIFT = 0.08  # angstrom, standard deviation


class Features(nn.Module):
    """Atomic environment vectors (Smith, Isayev, Roitberg 2017): each atom's surroundings, as sums over its neighbours and pairs of them."""

    def __init__(self, parameters: dict):
        super().__init__()
        for name in ("EtaR", "ShfR", "Zeta", "ShfZ", "EtaA", "ShfA"):
            self.register_buffer(name, torch.tensor(parameters[name]))
        self.radial_cutoff, self.angular_cutoff = parameters["Rcr"][0], parameters["Rca"][0]
        kinds = len(ELEMENTS)
        pair = torch.zeros(kinds, kinds, dtype=torch.long)
        for number, (i, j) in enumerate((i, j) for i in range(kinds) for j in range(i, kinds)):
            pair[i, j] = pair[j, i] = number
        self.register_buffer("pair", pair)

    def forward(self, species: Tensor, coordinates: Tensor) -> Tensor:
        """species: [examples, atoms], -1 is padding; coordinates: [examples, atoms, 3] in angstrom -> [examples, atoms, features]."""
        examples, atoms = species.shape
        present = species >= 0
        # Comparisons instead of eye() and triu_indices(), which ONNX Runtime and the exporter lack.
        number = torch.arange(atoms, device=species.device)
        neighbours = present[:, None] & present[:, :, None] & (number[:, None] != number)
        apart = coordinates[:, None] - coordinates[:, :, None]
        distance = (apart.square().sum(-1) + 1e-12).sqrt()
        known = species.clamp(min=0)
        zero = torch.zeros_like(distance)

        kind = (F.one_hot(known, 4) * present[..., None]).to(coordinates.dtype)
        fades = torch.where(neighbours & (distance < self.radial_cutoff), 0.5 * torch.cos(distance * (math.pi / self.radial_cutoff)) + 0.5, zero)
        terms = 0.25 * torch.exp(-self.EtaR * (distance[..., None] - self.ShfR).square()) * fades[..., None]
        radial = torch.einsum("bijk,bjs->bisk", terms, kind).reshape(examples, atoms, -1)

        fades = torch.where(neighbours & (distance < self.angular_cutoff), 0.5 * torch.cos(distance * (math.pi / self.angular_cutoff)) + 0.5, zero)
        j, k = (number[:, None] < number).nonzero().unbind(1)
        cosine = (apart[:, :, j] * apart[:, :, k]).sum(-1) / (distance[:, :, j] * distance[:, :, k])
        angle = torch.acos(0.95 * cosine.clamp(-1, 1))
        by_angle = ((1 + torch.cos(angle[..., None] - self.ShfZ)) / 2).pow(self.Zeta)
        by_distance = torch.exp(-self.EtaA * ((distance[:, :, j] + distance[:, :, k])[..., None] / 2 - self.ShfA).square())
        terms = (2 * by_distance[..., None] * by_angle[..., None, :]).flatten(3) * (fades[:, :, j] * fades[:, :, k])[..., None]
        kinds = F.one_hot(self.pair[known[:, j], known[:, k]], 10).to(coordinates.dtype)
        angular = torch.einsum("bipk,bpq->biqk", terms, kinds).reshape(examples, atoms, -1)
        return torch.cat([radial, angular], -1)


class Energies(nn.Module):
    def __init__(self, features: Features, nets: nn.ModuleList, models: int):
        """nets: by element, then by model."""
        super().__init__()
        self.features, self.nets, self.models = features, nets, models

    def forward(self, species: Tensor, coordinates: Tensor) -> Tensor:
        """@returns [examples]: energies in hartree, without those of the single atoms"""
        features = self.features(species, coordinates)
        of_atoms = torch.zeros(species.shape, dtype=features.dtype, device=features.device)
        for element, nets in enumerate(self.nets):
            mine = species == element
            rows = features[mine]
            total = torch.zeros(rows.shape[0], dtype=rows.dtype, device=rows.device)
            for net in nets:
                total = total + net(rows).squeeze(1)
            of_atoms = of_atoms.masked_scatter(mine, total / self.models)
        return of_atoms.sum(1)


def read_parameters(path: Path) -> dict:
    pairs = (line.split("=") for line in path.read_text().splitlines() if "=" in line)
    numeric = ((name.strip(), value.strip().strip("[]")) for name, value in pairs)
    return {name: [float(number) for number in value.split(",")] for name, value in numeric if value[:1].isdigit()}


def read_net(path: str) -> nn.Sequential:
    """Reads raw float32 files with the weights and the bias of each of four layers."""
    layers, width = [], FEATURES
    for number in range(1, 5):
        bias = np.fromfile(f"{path}-l{number}.bparam", "<f4")
        layer = nn.Linear(width, len(bias))
        layer.weight.data = torch.from_numpy(np.fromfile(f"{path}-l{number}.wparam", "<f4").reshape(len(bias), width))
        layer.bias.data = torch.from_numpy(bias)
        width = len(bias)
        layers += [layer] if number == 4 else [layer, nn.CELU(0.1)]
    return nn.Sequential(*layers)


def molecules() -> tuple:
    """Rattled molecules of ASE's G2 set: species, coordinates, and for each conformer the number of its molecule."""
    from ase.build import molecule
    from ase.collections import g2

    generator = np.random.RandomState(0)
    found = [molecule(name) for name in g2.names]
    found = [atoms for atoms in found if set(atoms.get_chemical_symbols()) <= set(ELEMENTS) and len(atoms) > 2]
    largest = max(map(len, found))
    species = torch.full((len(found) * CONFORMERS, largest), -1)
    coordinates = torch.zeros(len(species), largest, 3)
    for row in range(len(species)):
        atoms = found[row // CONFORMERS]
        shifted = atoms.get_positions() + generator.randn(len(atoms), 3) * generator.uniform(0, LARGEST_SHIFT)
        species[row, : len(atoms)] = torch.tensor([ELEMENTS.index(symbol) for symbol in atoms.get_chemical_symbols()])
        coordinates[row, : len(atoms)] = torch.from_numpy(shifted).float()
    return species, coordinates, torch.arange(len(species)) // CONFORMERS


class Ani1x(Network):
    name = "ani1x"
    title = "ANI-1x, neural potential, 2.6M"
    package = Package("torchani", "2.0", "MIT")
    requires = ("ase", "scipy")
    cases = (Case("ani1x", "CELU to ReLU", ("--to", "relu"), {"calibrated": 1.0, "trained": 0.7}),)
    metrics = (
        Metric("energy off, kcal/mol", 2, less_is_better=True),
        Metric("off within a molecule's conformers, kcal/mol", 2, less_is_better=True),
    )
    epochs = 100
    batch = 50

    def make(self, wheel: Path) -> torch.jit.ScriptModule:
        folder = wheel / "torchani/resources/ani-1x_8x"
        features = Features(read_parameters(folder / "rHCNO-5.2R_16-3.5A_a4-8.params"))
        nets = nn.ModuleList(nn.ModuleList(read_net(f"{folder}/train{model}/networks/ANN-{element}.nnf") for model in range(8)) for element in ELEMENTS)
        model = torch.jit.script(Energies(features, nets, 8).eval())
        alone = [float(line.split("=")[1]) for line in (folder / "sae_linfit.dat").read_text().splitlines() if "=" in line]
        with torch.no_grad():
            energy = float(model(torch.tensor([[1, 0, 0, 0, 0]]), torch.tensor([METHANE]))) + alone[1] + 4 * alone[0]
        if abs(energy - METHANE_ENERGY) > 1e-3:
            raise ValueError(f"ani1x: expected methane's energy to be {METHANE_ENERGY} hartree, but found {energy}")
        return model

    def inputs(self, model: nn.Module, wheel: Path) -> dict:
        species, coordinates, which = molecules()
        order = torch.randperm(int(which.max()) + 1, generator=torch.Generator().manual_seed(0))
        count = len(order)
        groups = {"train": order[: count * 6 // 10], "val": order[count * 6 // 10 : count * 7 // 10], "test": order[count * 7 // 10 :]}

        def part(rows: Tensor) -> Part:
            return Part({"species": species[rows], "coordinates": coordinates[rows]}, {"molecule": which[rows]})

        rows = {name: torch.isin(which, group).nonzero()[:, 0] for name, group in groups.items()}
        train = rows["train"][torch.randperm(len(rows["train"]), generator=torch.Generator().manual_seed(1))]
        return {"train": part(train), "cal": part(train[:768]), "val": part(rows["val"]), "test": part(rows["test"])}

    def judge(self, outputs: tuple, expected: tuple, known: dict) -> dict:
        off = (outputs[0] - expected[0]) * KCAL_PER_HARTREE
        which = known["molecule"]
        within = torch.cat([off[which == molecule] - off[which == molecule].mean() for molecule in which.unique()])
        return dict(zip((metric.name for metric in self.metrics), (float(off.abs().mean()), float(within.abs().mean())), strict=True))

    def loss(self, outputs: tuple, expected: tuple) -> Tensor:
        return F.mse_loss(outputs[0], expected[0])
