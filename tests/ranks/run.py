#!/usr/bin/env python3
"""Several processes that train together, under torchrun, against one process alone.

Ends with exit code 77 where this Python has no torchrun.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

UNAVAILABLE = 77  # as ctest's SKIP_RETURN_CODE
CLOSE = 1e-5  # relative, of losses: sums in another order


def torchrun(count: int, worker: Path, *words: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nnodes=1", f"--nproc-per-node={count}", "--no-python"]
    return subprocess.run([*command, worker, *map(str, words)], capture_output=True, text=True, timeout=120, check=False)


def results(out: Path, count: int) -> list:
    return [json.loads(Path(f"{out}.{rank}").read_text()) for rank in range(count)]


class Checks:
    def __init__(self, worker: Path, folder: Path):
        self.worker, self.folder, self.problems, self.runs = worker, folder, [], 0

    def expect(self, is_so: bool, what: str) -> None:
        if not is_so:
            self.problems.append(what)

    def run(self, count: int, *words: object) -> list:
        self.runs += 1
        out = self.folder / f"run{self.runs}"
        if count == 1:
            found = subprocess.run([self.worker, out, *map(str, words)], capture_output=True, text=True, timeout=120, check=False,
                                   env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
        else:
            found = torchrun(count, self.worker, out, *words)
        if found.returncode != 0:
            self.problems.append(f"{count} ranks {words}: exit code {found.returncode}: {found.stderr[-800:]}")
            return []
        return results(out, count)

    def equals_one_process(self, count: int) -> None:
        alone, together = self.run(1), self.run(count)
        if not alone or not together:
            return
        expected, found = alone[0]["losses"], together[0]["losses"]
        self.expect(len(expected) == len(found) >= 50, f"{count} ranks: expected 50 losses, as {len(expected)}, but found {len(found)}")
        worst = max(abs(a - b) / abs(a) for a, b in zip(expected, found, strict=True))
        self.expect(worst < CLOSE, f"{count} ranks: losses differ by {worst} from those of one process")
        self.expect(worst > 0 or count == 2, f"{count} ranks: the same bits as one process, so they took no shares")
        self.expect(all(rank == together[0] for rank in together), f"{count} ranks: their parameters or losses are not the same bits")
        self.expect(self.run(count) == together, f"{count} ranks: run again, they give other bits")

    # Each rank has other random numbers and statistics of its own; all end with the same.
    def with_random_numbers(self) -> None:
        first, second = self.run(2, "--dropout", 0.3), self.run(2, "--dropout", 0.3)
        if first and second:
            self.expect(first == second, "with dropout: run again, they give other bits")
            self.expect(first[0] == first[1], "with dropout: the ranks' parameters or statistics are not the same bits")
            self.expect(all(map(math.isfinite, first[0]["losses"])), "with dropout: a loss is not finite")

    def is_refused(self) -> None:
        out = self.folder / "refused"
        found = torchrun(2, self.worker, out, "--examples", 100)
        self.expect(found.returncode != 0, "other data on rank 1: not refused")
        self.expect("rank 0 has 'examples: 125' and rank 1 has 'examples: 100'" in found.stderr, f"other data on rank 1: {found.stderr[-800:]}")

    def stops_together(self) -> None:
        found = self.run(2, "--stop-at", 7)
        if found:
            self.expect(found[0].get("stopped") == found[1].get("stopped") == 8, f"a stop asked for by rank 1 after step 7: {[rank.get('stopped') for rank in found]}")

    def notices_a_death(self) -> None:
        begin = time.monotonic()
        found = torchrun(2, self.worker, self.folder / "dead", "--die-at", 5)
        self.expect(found.returncode != 0, "a rank that dies: exit code 0")
        self.expect(time.monotonic() - begin < 60, "a rank that dies: the other was not stopped within a minute")

    # Gloo throws exceptions of its own from a backward pass.
    def names_a_rank_that_hangs_in_backward(self) -> None:
        found = torchrun(2, self.worker, self.folder / "hangs", "--hang-in", 5, "--timeout", 3)
        expected = "error: Rank 1 did not answer in time while ranks average gradients"
        self.expect(found.returncode != 0 and expected in found.stderr, f"a rank that hangs in its backward pass: {found.stderr[-3000:]}")

    def explains_the_environment(self) -> None:
        for variables, part in (
            ({"WORLD_SIZE": "2", "RANK": "2"}, "RANK to be a number from 0 to 1"),
            ({"WORLD_SIZE": "two", "RANK": "0"}, "WORLD_SIZE to be a number"),
            ({"WORLD_SIZE": "2", "RANK": "0"}, "MASTER_ADDR"),
            ({"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "x"}, "MASTER_PORT"),
        ):
            found = subprocess.run([self.worker, self.folder / "env"], capture_output=True, text=True, timeout=60, check=False,
                                   env={**os.environ, **variables})  # fmt: skip
            self.expect(found.returncode == 2 and part in found.stderr, f"{variables}: exit code {found.returncode}: {found.stderr}")

    # All ranks would write the same file.
    def the_command_refuses(self, command: Path, models: Path) -> None:
        found = subprocess.run([command, "blend", models / "scripted_module.pt", "-o", self.folder / "relu.pt", "--to", "relu"],
                               capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "WORLD_SIZE": "2", "RANK": "1"})  # fmt: skip
        self.expect(found.returncode == 2 and "Expected one process" in found.stderr, f"the command: exit code {found.returncode}: {found.stderr}")
        self.expect(not (self.folder / "relu.pt").exists(), "the command: wrote a file although it refused")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--worker", type=Path, required=True)
    parser.add_argument("--command", type=Path, help="actswap, whose blend is to refuse several processes")
    parser.add_argument("--models", type=Path, help="the folder of the test models, for --command")
    options = parser.parse_args()
    try:
        import torch.distributed.run  # noqa: F401
    except ImportError as error:
        print(f"run.py: {sys.executable} has no torchrun: {error}", file=sys.stderr)
        return UNAVAILABLE
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(options.worker, Path(folder))
        for count in (2, 4):
            checks.equals_one_process(count)
        checks.with_random_numbers()
        checks.is_refused()
        checks.stops_together()
        checks.notices_a_death()
        checks.names_a_rank_that_hangs_in_backward()
        checks.explains_the_environment()
        if options.command:
            checks.the_command_refuses(options.command, options.models)
    for problem in checks.problems:
        print(f"run.py: {problem}", file=sys.stderr)
    return 1 if checks.problems else 0


if __name__ == "__main__":
    sys.exit(main())
