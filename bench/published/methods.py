"""The ways to retarget a network that the benchmark compares: the command's, and other people's recipes."""

from dataclasses import dataclass
from pathlib import Path

from network import Case, Network

ORIGINAL = "original"
SWAP_ALONE, CALIBRATED, TRAINED, PARTIAL = "swap alone", "calibrated", "trained", "partial"
BY_COMMAND = (SWAP_ALONE, CALIBRATED, TRAINED, PARTIAL)
KEPT_SHARE = 0.1  # of the sites: a rival leaves out those whose swap costs most, without labels
AGREEMENT = 0.98  # of a partial swap with the original
# A fixed number of passes for a joint fit, whatever else the machine does: by default the time that they take decides.
PASSES = ("--calibrate-passes", 20)
# Fewer before a training: each takes other inputs, for which the original runs as well, and the training continues from there.
PASSES_BEFORE_TRAINING = ("--calibrate-passes", 5)
SENSITIVITY_EXAMPLES = 64  # of val

SHORT_INPUTS = 128  # for --short to calibrate on
SHORT_SECONDS = 2  # of a rival's training with --short


@dataclass(frozen=True)
class Recipe:
    """A rival: distillation from the original's outputs in plain PyTorch, by AdamW with half a cosine."""

    rates: tuple  # peak learning rates; val chooses one after trials of a quarter of the time
    kept_share: float = 0.0  # of the sites: these stay as they are
    stages: int = 1  # groups of sites that are swapped and trained one after another


RIVALS = {
    "hard swap, distilled": Recipe((1e-4, 1e-3)),
    # Kim et al., "ReLUifying Smooth Functions", ACCV 2024: a high rate, and a few sites left out.
    "ReLUified": Recipe((3e-3, 1e-2), kept_share=KEPT_SHARE),
    # Tayaranian et al., "Faster Inference of Integer SWIN Transformer by Removing the GELU Activation", 2024.
    "distilled block by block": Recipe((1e-4, 1e-3), stages=6),
}

LATENCY = "latency of "
TIMED = (CALIBRATED, PARTIAL)  # a swap alone and a training have the operators of the calibrated export
METHODS = (ORIGINAL, *BY_COMMAND, *RIVALS, *(LATENCY + method for method in TIMED))
SHORT_METHODS = (ORIGINAL, SWAP_ALONE, CALIBRATED, next(iter(RIVALS)), LATENCY + CALIBRATED)


def options(method: str, network: Network, case: Case, data: Path, short: bool) -> list:
    """The options of `actswap convert`."""
    found = list(case.options)
    calibrate = ["--calibrate", data / "cal.pt", *PASSES]
    if short:
        calibrate += ["--calibrate-inputs", SHORT_INPUTS]
    if method == SWAP_ALONE:
        return [*found, "--epochs", 0]
    if method == CALIBRATED:
        return [*found, *calibrate, "--epochs", 0]
    if method == TRAINED:
        drawn = ["--calibrate-inputs", network.calibration] if network.calibration else []
        return [*found, "--train", data / "train.pt", "--epochs", network.epochs, *PASSES_BEFORE_TRAINING, *drawn]
    return [*found, *calibrate, "--epochs", 0, "--min-agreement", AGREEMENT]


def keep(sites: list) -> list:
    return [word for site in sites for word in ("--keep", site)]


def only(sites: list) -> list:
    return [word for site in sites for word in ("--only", site)]


def stages(sites: list, count: int) -> list:
    """The sites swapped by the end of each stage: equal groups in order, each added to the earlier ones."""
    count = min(count, len(sites))
    return [sites[: round((stage + 1) * len(sites) / count)] for stage in range(count)]
