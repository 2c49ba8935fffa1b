"""Measures how long the command takes to calibrate the same networks, with one process or several."""

import json
import tempfile
from pathlib import Path

from networks import Network
from processes import run

INPUTS = 256
BATCH = 64  # of all ranks
PASSES = 1  # of the joint fit
ROUNDS = 3  # that measure calibration
SECONDS = 300  # the limit for one calibration


def inputs_of(network: Network, folder: Path) -> Path:
    return folder / f"{network.name}-inputs.pt"


def write_inputs(network: Network, folder: Path) -> None:
    import torch

    torch.manual_seed(1)
    torch.save({"inputs": torch.randn(INPUTS, *network.input)}, inputs_of(network, folder))


def calibrate(network: Network, folder: Path, command: Path, environments: list) -> float:
    """The seconds that the run's record gives. Starts one process for each of the environments.

    @throws Failed
    """
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "relu.pt"
        words = [str(word) for word in (command, "convert", network.file(folder), "-o", out, "--to", "relu", "--calibrate", inputs_of(network, folder),
                                        "--calibrate-inputs", INPUTS, "--calibrate-batch", BATCH, "--calibrate-passes", PASSES, "-q")]  # fmt: skip
        run(words, environments, SECONDS)
        return json.loads(Path(f"{out}.run/run.json").read_text())["calibration"]["seconds"]
