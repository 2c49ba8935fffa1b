#!/usr/bin/env python3
"""A long training with checkpoints and checks: its memory and its open files stay what they are.

    soak.py --command build/release/bin/actswap [--steps 10000]

Trains a small network and looks at /proc meanwhile: the resident memory of the process that computes and of the one that supervises it, and how many
files each has open. From the first fifth on, memory may grow by MOST_MB while it trains, by a line fitted to it. It does grow
(docs/limitations.md): the log and the records of checks are kept until the run ends, and freed memory leaves holes in the heap. So the bound
finds what leaks a kilobyte in a step, and no less. The fewest open files of the last quarter are at most those of the second.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

MOST_MB = 10.0
STEPS_PER_EPOCH = 100
BATCH = 16


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.middle, self.norm, self.last = nn.Linear(16, 32), nn.Mish(), nn.Linear(32, 32), nn.BatchNorm1d(32), nn.Linear(32, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.act(self.norm(self.middle(self.act(self.first(x))))))


def children_of(pid: int) -> list:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def sample(pid: int) -> tuple:
    """Resident kilobytes, and open files."""
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")), 0)
    return resident, len(os.listdir(f"/proc/{pid}/fd"))


def is_training(folder: Path) -> bool:
    """From the end of the first epoch until the export."""
    log = folder / "soak.pt.run" / "metrics.jsonl"
    text = log.read_text().replace(" ", "") if log.exists() else ""
    return '"event":"epoch"' in text and '"phase":"export"' not in text


def watch(words: list, folder: Path, environment: dict) -> dict:
    """Of each process ("supervisor", "worker") a list of (seconds, kilobytes, files) while it trains."""
    samples = {"supervisor": [], "worker": []}
    begin = time.monotonic()
    with subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            time.sleep(0.5)
            try:
                worker = children_of(process.pid)
                if worker and is_training(folder):
                    for name, pid in (("supervisor", process.pid), ("worker", worker[0])):
                        samples[name].append((time.monotonic() - begin, *sample(pid)))
            except (FileNotFoundError, ProcessLookupError):
                pass
        if process.returncode != 0:
            raise SystemExit(f"soak.py: exit code {process.returncode}:\n{process.stderr.read()}")
    return samples


def judge(name: str, samples: list) -> bool:
    late = samples[len(samples) // 5 :]
    if len(late) < 20:
        raise SystemExit(f"soak.py: only {len(samples)} samples; more steps are needed")
    fit = statistics.linear_regression([at for at, _, _ in late], [kilobytes for _, kilobytes, _ in late])
    growth = fit.slope * (late[-1][0] - late[0][0]) / 1024
    quarter = len(samples) // 4
    before = min(files for _, _, files in samples[quarter : 2 * quarter])
    after = min(files for _, _, files in samples[-quarter:])
    most = max(kilobytes for _, kilobytes, _ in samples) / 1024
    tenth = max(1, len(samples) // 10)
    means = [statistics.mean(kilobytes for _, kilobytes, _ in samples[i : i + tenth]) / 1024 for i in range(0, len(samples) - tenth + 1, tenth)]
    print(f"{name}: resident MB, tenth by tenth: " + " ".join(f"{mean:.1f}" for mean in means))
    print(f"{name}: {most:.1f} MB at most, {growth:+.2f} MB over {len(late)} samples in {late[-1][0] - late[0][0]:.0f} s; {before} and {after} open files")
    return growth <= MOST_MB and after <= before


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--command", required=True)
    parser.add_argument("--steps", type=int, default=10000)
    parser.add_argument("--checkpoint-every", default="20steps")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.manual_seed(0)
        torch.jit.script(Net()).save(folder / "model.pt")
        count = STEPS_PER_EPOCH * BATCH
        torch.save({"x": torch.randn(count, 16), "y": torch.randint(0, 4, (count,))}, folder / "data.pt")
        torch.save({"x": torch.randn(64, 16), "y": torch.randint(0, 4, (64,))}, folder / "val.pt")
        words = [
            os.path.abspath(options.command), "convert", "model.pt", "-o", "soak.pt", "--train", "data.pt", "--val", "val.pt",
            "--epochs", str(options.steps // STEPS_PER_EPOCH), "--batch", str(BATCH), "--lr", "0.0001", "--calibrate-passes", "1",
            "--check-every", "0.2", "--checkpoint-every", options.checkpoint_every, "--keep-best", "--average", "0.99",
        ]
        samples = watch(words, folder, {**os.environ, "OMP_NUM_THREADS": "1"})
    return 0 if all([judge(name, found) for name, found in samples.items()]) else 1


if __name__ == "__main__":
    sys.exit(main())
