#!/usr/bin/env python3
"""Runs the command on damaged model and data files: files.py [--runs N] [--seed N] [--jobs N] [--keep FOLDER]

Each run changes a small sound file (bytes, the zip directory, records, pickles, source text, headers, sizes) and gives it to a subcommand:
models, and data of every format that is read. Wanted:
exit code 0, 2, 3, 4 or 5, no signal, no more than 20 s of the processor, no more memory than MOST_MB, no temporary folder left behind.
What is found is printed with the number of its run, and the file is kept in --keep; a run depends on --seed and its number alone, and
`--only NUMBER` repeats it. Ends with exit code 1 where something was found.

Needs fuzz_runner (a target of the build), and the models that make_models.py wrote.
"""

import argparse
import collections
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from damage import damaged_archive, damaged_idx, idx
from damage_data import damaged_data

ROOT = Path(__file__).resolve().parent.parent.parent
MOST_MB = 4096
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
ALLOWED = {"0", "2", "3", "4", "5"}
MODELS = ["scripted_module", "traced_train_free", "frozen", "attributes", "tied", "extra_files", "dropout_bn", "all_modules"]


class Files:
    """The sound files that the runs damage."""

    def __init__(self, models: Path, runner: Path, folder: Path):
        import torch

        self.folder = folder
        self.models = [models / f"{name}.pt" for name in MODELS]
        self.model = models / "scripted_module.pt"
        self.blended, self.export = folder / "blended.pt", folder / "export.pt"
        lines = [f"blend\t{self.model}\t-o\t{self.blended}\t-q", f"convert\t{self.model}\t-o\t{self.export}\t-q"]
        made = subprocess.run([runner, self.model], input="\n".join(lines) + "\n", text=True, capture_output=True, check=True, env=ONE_THREAD)
        if not (self.blended.exists() and self.export.exists()):
            raise RuntimeError("the sound files cannot be made: " + made.stdout)
        images, classes = torch.rand(12, 3, 8, 8), torch.arange(12) % 4
        self.data = [folder / "dict.pt", folder / "tuple.pt", folder / "tensor.pt"]
        for path, content in zip(self.data, [{"x": images, "y": classes}, (images, classes), images]):
            torch.save(content, path)
        shape = [12, 3, 8, 8]
        self.idx = idx(0x08, shape, bytes(range(256)) * 9)
        self.idx_labels = folder / "labels.idx"
        self.idx_labels.write_bytes(idx(0x08, [12], bytes(i % 4 for i in range(12))))
        self.arrays = sorted((ROOT / "tests/data/files").glob("*")) + sorted((ROOT / "tests/data/refused").glob("*"))
        self.images = [path for path in sorted((ROOT / "tests/data/images").glob("*")) if path.suffix != ".npz"]


def make_run(number: int, options: argparse.Namespace, files: Files, folder: Path) -> tuple:
    """The arguments of a run, the damaged file and a name for its kind."""
    rng = random.Random(f"{options.seed}/{number}")
    bad, out = folder / "bad.pt", folder / "out" / "out.pt"
    kinds = {"inspect": 4, "convert": 6, "collapse": 3, "verify": 3, "against": 1, "data": 4, "eval": 2, "idx": 2, "array": 6, "image": 3}
    kinds = {kind: weight for kind, weight in kinds.items() if not options.kind or kind in options.kind}
    kind = rng.choices(list(kinds), list(kinds.values()))[0]
    model = str(files.model)
    quick = ["--calibrate-passes", "1", "-q"]
    if kind in ("inspect", "convert"):
        bad.write_bytes(damaged_archive(rng.choice(files.models), rng))
        return (["inspect", bad] if kind == "inspect" else ["convert", bad, "-o", out, "-q"]), bad, kind
    if kind == "collapse":
        bad.write_bytes(damaged_archive(files.blended, rng))
        return ["collapse", bad, "-o", out, "-q"], bad, kind
    if kind in ("verify", "against"):
        bad.write_bytes(damaged_archive(files.export, rng))
        return ["verify", bad] + (["--against", files.export] if kind == "against" else []), bad, kind
    if kind == "idx":
        bad.write_bytes(damaged_idx(files.idx, rng))
        return ["eval", model, "--data", f"{bad},{files.idx_labels}"], bad, kind
    if kind == "array":
        bad.write_bytes(damaged_data(rng.choice(files.arrays), rng))
        return ["eval", model, "--data", bad], bad, kind
    if kind == "image":
        bad = folder / "images" / "class" / "bad.png"
        bad.parent.mkdir(parents=True, exist_ok=True)
        bad.write_bytes(damaged_data(rng.choice(files.images), rng))
        return ["eval", model, "--data", bad.parent.parent, "--resize", "8", "--crop", "8"], bad, kind
    bad.write_bytes(damaged_archive(rng.choice(files.data), rng))
    if kind == "eval":
        return ["eval", model, "--data", bad], bad, kind
    return ["convert", model, "-o", out, "--calibrate", bad, *quick], bad, kind


class Report:
    def __init__(self, keep: Path):
        self.keep, self.codes, self.findings, self.lock = keep, collections.Counter(), [], threading.Lock()
        self.slowest, self.largest, self.faults = 0.0, 0, collections.Counter()

    def add(self, number: int, words: list, bad: Path, kind: str, answer: list, left: list) -> None:
        code, seconds, peak, err = answer
        problem = ""
        if code not in ALLOWED:
            problem = f"exit code {code}"
        elif int(peak) > MOST_MB:
            problem = f"{peak} MB"
        elif left:
            problem = f"left behind: {left}"
        with self.lock:
            self.codes[(kind, code)] += 1
            done = sum(self.codes.values())
            if done % 500 == 0:
                print(f"{done} runs, {len(self.findings)} findings", flush=True)
            self.slowest, self.largest = max(self.slowest, float(seconds)), max(self.largest, int(peak))
            if "The process died" in err:
                self.faults[re.sub(r"'[^']*'", "FILE", err)[:160]] += 1
            if problem:
                kept = self.keep / f"{number}.pt"
                shutil.copyfile(bad, kept)
                self.findings.append(number)
                print(f"run {number}: {problem}: {' '.join(map(str, words))} ({kept})\n  {err[:600]}", flush=True)


def work(numbers: list, options: argparse.Namespace, files: Files, report: Report, folder: Path) -> None:
    out = folder / "out"
    out.mkdir(parents=True)
    with subprocess.Popen([options.runner, files.model], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="replace", env=ONE_THREAD) as runner:
        while True:
            with report.lock:
                if not numbers:
                    break
                number = numbers.pop()
            words, bad, kind = make_run(number, options, files, folder)
            runner.stdin.write("\t".join(map(str, words)) + "\n")
            runner.stdin.flush()
            answer = runner.stdout.readline().rstrip("\n").split("\t")
            if len(answer) != 4:
                raise RuntimeError(f"run {number}: the runner ended")
            left = sorted(path.name for path in out.iterdir() if "tmp" in path.name)
            report.add(number, words, bad, kind, answer, left)
            shutil.rmtree(out)
            out.mkdir()
        runner.stdin.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="this run alone")
    parser.add_argument("--kind", action="append", help="of these kinds alone: idx, array, image, ...")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "actswap_fuzz_found")
    parser.add_argument("--models", type=Path, default=ROOT / "build/release/test_models")
    parser.add_argument("--runner", type=Path, default=ROOT / "build/release/bin/fuzz_runner")
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    report = Report(options.keep)
    begin = time.monotonic()
    numbers = list(range(options.runs, 0, -1)) if options.only is None else [options.only]
    count = len(numbers)
    with tempfile.TemporaryDirectory() as name:
        files = Files(options.models, options.runner, Path(name))
        threads = [threading.Thread(target=work, args=(numbers, options, files, report, Path(name) / str(job))) for job in range(options.jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for (kind, code), times in sorted(report.codes.items()):
        print(f"{kind:10} exit code {code:>4}  {times:6}")
    for text, times in report.faults.most_common():
        print(f"{times:6} times: {text}")
    done = sum(report.codes.values())
    print(f"{done} runs in {time.monotonic() - begin:.0f} s, slowest {report.slowest:.1f} s, most memory {report.largest} MB, {len(report.findings)} findings")
    return 0 if not report.findings and done == count else 1


if __name__ == "__main__":
    sys.exit(main())
