"""Makes the results of one network with one seed."""

import argparse
import json
import os
import sys
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import torch

from common.process import Failed, run
from common.results import Results, commit
from latency import in_libtorch, of_onnx
from methods import FADED, FROM_START, PRUNED, ROUNDED, STEPS, TIMED, UNPRUNED, Cell
from subjects import Network, make_original, reset, save_module
from tasks import train as train_from_start

HERE = Path(__file__).resolve().parent
SHORT_PASSES = 2
RATE = 0.1  # of the original's peak learning rate, as in bench/recovery


class Cells:
    def __init__(self, network: Network, seed: int, options: argparse.Namespace, results: Results):
        self.network, self.seed, self.options, self.results = network, seed, options, results
        self.command = options.command

    def make(self, cell: Cell) -> dict:
        """@throws Failed"""
        make_original(self.network, self.seed, self.options.short)
        if cell.method in (UNPRUNED, PRUNED, ROUNDED, FADED):
            return self.converted(cell)
        if cell.method in TIMED.values():
            return self.timed(cell)
        return self.from_start(cell) if cell.method == FROM_START else self.by_peer(cell)

    def keep(self, cell: Cell, row: dict, seconds: float) -> None:
        machine = {"processors": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
        self.results.add({**asdict(cell), **row, "seconds": round(seconds, 1), **machine, "commit": self.commit})
        found = f"{row['value']:.{self.network.digits}f}" if "value" in row else row.get("error", "measured")
        print(f"{cell.network}, seed {cell.seed}, {cell.method}, {100 * cell.share:.0f} %, budget {cell.budget}: {found}", flush=True)

    @cached_property
    def commit(self) -> str:
        return commit()

    def path(self, cell: Cell) -> Path:
        return self.network.folder / f"{cell.method}_{cell.seed}_{100 * cell.share:.0f}_{cell.budget.replace(' %', '')}.pt"

    def there(self, method: str, share: float, budget: str = "none") -> Path:
        path = self.path(Cell(self.network.name, self.seed, method, share, budget))
        if not path.exists():
            raise Failed([], 1, f"expected {path.name}, but it is not there; make '{method}' first")
        return path

    def value(self, model: Path) -> dict:
        return {"value": self.network.measured(model, self.command)}

    def steps(self, cell: Cell) -> int:
        return round(STEPS[cell.budget] * self.network.steps)

    def converted(self, cell: Cell) -> dict:
        network, output = self.network, self.path(cell)
        words = [self.command, "convert", network.original(self.seed), "-o", output, "--to", "relu", "--seed", self.seed, *network.options]
        words += [*network.calibrate(), "--calibrate-passes", SHORT_PASSES if self.options.short else network.passes, "--run-dir", output.with_suffix(".run"), "--json", "-q"]
        if not network.published:
            words += ["--val", network.folder / "val.pt"]
        if cell.share:
            words += ["--prune", cell.share, *(["--prune-round", 16] if cell.method == ROUNDED else [])]
        if steps := self.steps(cell):
            examples = len(torch.load(network.folder / "train.pt", weights_only=True, mmap=True)["x"])
            words += ["--train", network.folder / "train.pt", "--batch", network.batch, "--epochs", steps / (examples // network.batch)]
            words += {UNPRUNED: ["--control"], PRUNED: [], FADED: ["--recipe", "calibrated-ramp"]}[cell.method]
        printed, cost = run(words, 1)
        record = json.loads(printed)
        row = {**self.value(output), "calibration_seconds": round(record.get("calibration", {}).get("seconds", 0.0), 1), **cost.row()}
        if original := record.get("evaluations", {}).get("original"):
            row["original"] = network.task.value(original)
        if control := record.get("evaluations", {}).get("control"):
            row["control"] = network.task.value(control)
        return {**row, **self.of_pruning(record)}

    def of_pruning(self, record: dict) -> dict:
        if "pruning" not in record:
            return {}
        pruning = record["pruning"]
        found = {key: pruning[key] for key in ("multiplications", "parameters")}
        found["pruning_seconds"] = round(pruning["seconds"], 1)
        for stage in ("before_pruning", "after_pruning", "after_joint_fit"):
            if pruning.get(stage, {}).get("value") is not None:
                found[stage] = pruning[stage]["value"]
        return found

    def by_peer(self, cell: Cell) -> dict:
        """Starts from the unpruned export, and ends at no more of the multiplications than the command's result."""
        size = self.size_of(cell)
        words = [sys.executable, HERE / "peers.py", self.network.name, self.there(UNPRUNED, 0.0), "--method", cell.method, "--left", size["left"],
                 "--data", self.network.folder, "--steps", self.steps(cell), "--rate", RATE, "--seed", self.seed, "-o", self.path(cell),
                 *(["--short"] if self.options.short else [])]  # fmt: skip
        printed, cost = run(words, 1)
        return {**self.value(self.path(cell)), **json.loads(printed.splitlines()[-1]), **cost.row()}

    def size_of(self, cell: Cell) -> dict:
        row = self.results.find(Cell(cell.network, cell.seed, PRUNED, cell.share, "none"))
        if not row or "multiplications" not in row:
            raise Failed([], 1, f"expected the size of '{PRUNED}', {100 * cell.share:.0f} %, in the results; make it first")
        return {"left": row["multiplications"]["after"] / row["multiplications"]["before"], **row["multiplications"]}

    def from_start(self, cell: Cell) -> dict:
        network = self.network
        data = torch.load(network.folder / "train.pt", weights_only=True)
        torch.set_num_threads(1)
        smaller = torch.jit.load(str(self.there(PRUNED, cell.share)))
        model = train_from_start(network.task, data, self.seed, lambda _net: reset(smaller))
        save_module(model, self.path(cell))
        return self.value(self.path(cell))

    def timed(self, cell: Cell) -> dict:
        pruned = next(method for method, timed in TIMED.items() if timed == cell.method)
        files = [self.there(UNPRUNED, 0.0), self.there(pruned, cell.share)]
        threads, seconds = ([1], 1) if self.options.short else ([1, 2], 10)
        inputs = self.network.example()
        rows = [{"runtime": "LibTorch", "threads": count, **in_libtorch(files, inputs, count, seconds)} for count in threads]
        return {"latency": [*rows, *of_onnx(files, inputs, threads, seconds)]}
