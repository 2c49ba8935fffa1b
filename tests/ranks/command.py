#!/usr/bin/env python3
"""The command in several processes, under torchrun: against one process, killed, stopped, and with ranks that are not alike.

Ends with exit code 77 where this Python has no torchrun.
"""

import argparse
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

UNAVAILABLE = 77  # as ctest's SKIP_RETURN_CODE
CLOSE = 1e-5  # relative, of losses and errors: sums in another order
STEPS = 50
BATCH = 24
EXAMPLES = 240
PATIENCE = 240  # seconds, for a machine that does other things as well


def make_inputs(folder: Path) -> None:
    """A network with a batch norm, and activations before layers of one group and of two, and before a sum; data with labels."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Conv2d(3, 12, 3, padding=1)
            self.norm = torch.nn.BatchNorm2d(12)
            self.second = torch.nn.Conv2d(12, 12, 3, padding=1)
            self.grouped = torch.nn.Conv2d(12, 12, 1, groups=2)
            self.third = torch.nn.Linear(12 * 16, 24)
            self.last = torch.nn.Linear(24, 5)
            self.act = torch.nn.Mish()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.act(self.norm(self.first(x)))
            x = self.act(self.second(x))
            x = torch.nn.functional.avg_pool2d(x + self.grouped(x), 2)
            return self.last(self.act(self.third(x.flatten(1))))

    torch.manual_seed(1)
    net = Net().train()
    for _ in range(10):
        net(torch.randn(32, 3, 8, 9))  # statistics for the norm
    torch.jit.script(net.eval()).save(str(folder / "net.pt"))
    inputs = torch.randn(EXAMPLES, 3, 8, 9)
    with torch.no_grad():
        labels = net(inputs).argmax(1)
    torch.save({"inputs": inputs, "labels": labels}, folder / "data.pt")
    torch.save({"inputs": inputs[:100], "labels": labels[:100]}, folder / "fewer.pt")


def torchrun(count: int, *words: object) -> list:
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nnodes=1", f"--nproc-per-node={count}", *map(str, words)]


class Checks:
    def __init__(self, command: Path, folder: Path):
        self.command, self.folder, self.problems = command.resolve(), folder, []
        self.data = folder / "data.pt"

    def expect(self, is_so: bool, what: str) -> None:
        if not is_so:
            self.problems.append(what)

    def convert(self, out: Path, data: object = None, epochs: int = 5, more: tuple = ("--calibrate-passes", 2)) -> list:
        data = data or self.data
        return [self.command, "convert", self.folder / "net.pt", "-o", out, "--to", "relu", "--train", data, "--val", data, "--batch", BATCH,
                "--epochs", epochs, *more, "--run-dir", f"{out}.run"]  # fmt: skip

    def start(self, count: int, words: list, *, options: tuple = (), env: dict | None = None) -> subprocess.Popen:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **(env or {})}
        line = list(map(str, words)) if count == 1 else torchrun(count, *options, "--no-python", *words)
        return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def run(self, count: int, words: list, **more: object) -> tuple:
        process = self.start(count, words, **more)
        out, errors = process.communicate(timeout=PATIENCE)
        return process.returncode, out, errors

    def succeed(self, count: int, words: list, **more: object) -> str:
        code, out, errors = self.run(count, words, **more)
        self.expect(code == 0, f"{count} ranks, {' '.join(map(str, words[1:3]))}: exit code {code}: {errors[-1500:]}")
        return out

    def losses(self, out: Path) -> list:
        lines = [json.loads(line) for line in Path(f"{out}.run/metrics.jsonl").read_text().splitlines()]
        return [line["loss"] for line in lines if line["event"] == "step"]

    def compare(self, name: str, expected: list, found: list, close: float = CLOSE) -> None:
        self.expect(len(expected) == len(found) > 0, f"{name}: expected {len(expected)} numbers, but found {len(found)}")
        for place, (a, b) in enumerate(zip(expected, found, strict=False)):
            if abs(a - b) > close * max(abs(a), 1e-9):
                self.problems.append(f"{name}: expected {a} at {place}, but found {b}")
                return

    # What layers and outputs lack is the same. Shifts come from matrices in which rounding grows.
    def calibrates_together(self) -> None:
        out = {count: self.folder / f"calibrated{count}.pt" for count in (1, 2, 4)}
        for count, path in out.items():
            self.succeed(count, [self.command, "convert", self.folder / "net.pt", "-o", path, "--to", "relu", "--calibrate", self.data, "--val", self.data,
                                 "--calibrate-inputs", EXAMPLES, "--calibrate-batch", BATCH, "--calibrate-passes", 2])  # fmt: skip
        records = {count: json.loads(Path(f"{path}.run/run.json").read_text()) for count, path in out.items() if path.exists()}
        for count in set(records) - {1}:
            alone, found = records[1], records[count]
            name = f"{count} ranks, "
            self.compare(name + "layers", numbers_of(alone["calibration"]["layers"]), numbers_of(found["calibration"]["layers"]))
            self.compare(name + "joint fit", numbers_of(alone["calibration"]["joint"]), numbers_of(found["calibration"]["joint"]), close=1e-4)
            self.compare(name + "shifts", numbers_of(alone["calibration"]["sites"]), numbers_of(found["calibration"]["sites"]), close=1e-3)
            for part, close in (("original", CLOSE), ("swap_alone", CLOSE), ("calibrated", 1e-3)):
                self.compare(name + part, numbers_of(alone["evaluations"][part]), numbers_of(found["evaluations"][part]), close)

    # From the same start, each step of the training agrees with one process; as many ranks give the same bytes.
    def trains_together(self) -> None:
        # AdamW makes a whole step of a gradient that is nothing but rounding.
        more = ("--recipe", "hard", "--loss", "distil+3*layers+0.5*cross-entropy", "--optimizer", "sgd", "--lr", 1e-4)
        alone, hashes = self.folder / "alone.pt", set()
        self.succeed(1, self.convert(alone, more=more))
        for count, attempt in ((2, ""), (2, "_again"), (4, "")):
            out = self.folder / f"ranks{count}{attempt}.pt"
            self.succeed(count, self.convert(out, more=more))
            if not out.exists():
                return
            if count == 2:
                hashes.add(hashlib.sha256(out.read_bytes()).hexdigest())
            self.compare(f"{count} ranks, losses", self.losses(alone), self.losses(out))
            self.expect(len(self.losses(out)) == STEPS, f"{count} ranks: expected {STEPS} steps, but found {len(self.losses(out))}")
        self.expect(len(hashes) == 1, "2 ranks: run again, they write another file")

    def measures_together(self) -> None:
        for words in (["eval", self.folder / "net.pt", "--data", self.data, "--batch", 32],
                      ["sensitivity", self.folder / "net.pt", "--val", self.data, "--batch", 32, "--input", "1x3x8x9"]):  # fmt: skip
            line = [self.command, *words, "--json", "-q"]
            alone, together = (json.loads(self.succeed(count, line) or "{}") for count in (1, 2))
            for found in (alone, together):  # but the times, and the order by them
                found.pop("latency_ms", None)
                timed = ("calls", "shape", "share", "ratio", "gain_ms", "gain_per_loss")
                sites = sorted(found.pop("sites", []), key=lambda site: site["id"])
                found["sites"] = [{name: value for name, value in site.items() if name not in timed} for site in sites]
            self.compare(f"2 ranks, {words[0]}", numbers_of(alone), numbers_of(together))

    def rank(self, process: subprocess.Popen, number: int) -> int | None:
        """The process id of a rank that torchrun has started."""
        for status in Path("/proc").glob("[0-9]*/environ"):
            try:
                words = status.read_bytes().split(b"\0")
                parent = int(re.search(r"PPid:\s+(\d+)", status.with_name("status").read_text()).group(1))
            except (OSError, AttributeError):
                continue
            if parent == process.pid and f"RANK={number}".encode() in words:
                return int(status.parent.name)
        return None

    def wait_for_step(self, process: subprocess.Popen, out: Path, step: int) -> bool:
        end = time.monotonic() + PATIENCE / 2
        while time.monotonic() < end and process.poll() is None:
            log = Path(f"{out}.run/metrics.jsonl")
            steps = [int(found) for found in re.findall(r'"event":\s*"step".*?"step":\s*(\d+)', log.read_text())] if log.exists() else []
            if steps and steps[-1] >= step:
                return True
            time.sleep(0.02)
        self.problems.append(f"{out.name}: no step {step} was seen")
        return False

    # torchrun starts all of them anew, and they go on from the last checkpoint.
    def survives_a_death(self) -> None:
        whole, killed = self.folder / "whole.pt", self.folder / "killed.pt"
        self.succeed(2, self.convert(whole, epochs=60))
        process = self.start(2, [*self.convert(killed, epochs=60), "--checkpoint-every", "30steps"], options=("--max-restarts=2",))
        if self.wait_for_step(process, killed, 100) and (victim := self.rank(process, 1)):
            os.kill(victim, signal.SIGKILL)
        errors = process.communicate(timeout=PATIENCE)[1]
        self.expect(process.returncode == 0, f"a rank that is killed: exit code {process.returncode}: {errors[-1500:]}")
        self.expect("resuming from" in errors, f"a rank that is killed: nobody resumed: {errors[-1500:]}")
        if whole.exists() and killed.exists():
            self.expect(whole.read_bytes() == killed.read_bytes(), "a rank that is killed: another file than undisturbed")

    def names_a_rank_that_hangs(self) -> None:
        out = self.folder / "hangs.pt"
        process = self.start(2, [*self.convert(out, epochs=3000), "--rank-timeout", 5])
        victim = None
        if self.wait_for_step(process, out, 20) and (victim := self.rank(process, 1)):
            children = Path(f"/proc/{victim}/task/{victim}/children").read_text().split()
            for child in children:
                os.kill(int(child), signal.SIGSTOP)
        errors = process.communicate(timeout=PATIENCE)[1]
        self.expect(process.returncode != 0 and "Rank 1 did not answer in time" in errors, f"a rank that hangs: {errors[-1500:]}")

    # Each rank takes its words from a script.
    def refuses_what_differs(self) -> None:
        for name, first, second, part in (
            ("options", self.convert(self.folder / "refused.pt"), self.convert(self.folder / "refused.pt", epochs=7), "rank 0 has '--epochs: 5' and rank 1 has '--epochs: 7'"),
            ("data", self.convert(self.folder / "refused.pt"), self.convert(self.folder / "refused.pt", data=self.folder / "fewer.pt"), "data: 240 examples"),
        ):  # fmt: skip
            script = self.folder / "differ.sh"
            lines = ["#!/bin/sh", 'if [ "$RANK" = 0 ]; then', "exec " + " ".join(map(str, first)), "else", "exec " + " ".join(map(str, second)), "fi"]
            script.write_text("\n".join(lines) + "\n")
            script.chmod(0o755)
            code, _out, errors = self.run(2, [script])
            self.expect(code != 0 and part in errors, f"other {name} on rank 1: exit code {code}: {errors[-1500:]}")
            self.expect(not (self.folder / "refused.pt").exists(), f"other {name} on rank 1: a file was written")

    def refuses_what_is_not_shared(self) -> None:
        for words, part in (
            (["verify", self.folder / "net.pt"], "Expected one process"),
            ([*self.convert(self.folder / "pruned.pt")[1:], "--prune", 0.3], "Expected one process with --prune"),
        ):
            code, _out, errors = self.run(2, [self.command, *words])
            self.expect(code != 0 and part in errors, f"{words[0]}: exit code {code}: {errors[-1500:]}")

    def stops_in_order(self) -> None:
        out = self.folder / "stopped.pt"
        process = self.start(2, self.convert(out, epochs=3000))
        if self.wait_for_step(process, out, 20):
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
        record = Path(f"{out}.run/run.json")
        status = json.loads(record.read_text())["status"] if record.exists() else "no record"
        self.expect(status == "interrupted", f"SIGTERM to torchrun: expected an interrupted run, but found {status}")
        self.expect(any(record.parent.glob("checkpoint-*")), "SIGTERM to torchrun: no checkpoint")


def numbers_of(value: object) -> list:
    """All of a JSON value in their order, but times."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return []
    if isinstance(value, (int, float)):
        return [value]
    if isinstance(value, list):
        return [number for part in value for number in numbers_of(part)]
    return [number for name, part in value.items() if "seconds" not in name for number in numbers_of(part)]


CHECKS = ("calibrates_together", "trains_together", "measures_together", "survives_a_death", "names_a_rank_that_hangs", "refuses_what_differs",
          "refuses_what_is_not_shared", "stops_in_order")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--command", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=CHECKS, default=CHECKS)
    options = parser.parse_args()
    try:
        import torch.distributed.run  # noqa: F401
    except ImportError as error:
        print(f"command.py: {sys.executable} has no torchrun: {error}", file=sys.stderr)
        return UNAVAILABLE
    with tempfile.TemporaryDirectory() as folder:
        make_inputs(Path(folder))
        checks = Checks(options.command, Path(folder))
        for name in options.only:
            begin = time.monotonic()
            getattr(checks, name)()
            print(f"{name}: {time.monotonic() - begin:.1f} s, {len(checks.problems)} problems so far", flush=True)
    for problem in checks.problems:
        print(f"command.py: {problem}", file=sys.stderr)
    return 1 if checks.problems else 0


if __name__ == "__main__":
    sys.exit(main())
