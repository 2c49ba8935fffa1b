#!/usr/bin/env python3
"""Kills conversions at random moments and resumes them: the export has to be that of a run that nobody disturbed.

    kill.py --command build/release/bin/actswap --models build/release/test_models [--kills 200]

Each conversion is killed (SIGKILL) a few times before it may end, in the middle of checkpoints too: their interval is one step.
"""
import argparse
import hashlib
import json
import math
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import torch

# Together they go through all phases that a checkpoint holds.
CASES = {
    "labels": ["--epochs", "2", "--calibrate-passes", "2", "--control", "--seeds", "2", "--lr", "0.003", "--keep-best", "--augment", "flip"],
    "without labels": ["--epochs", "2", "--calibrate-passes", "3", "--loss", "outputs"],
    "ramp": ["--recipe", "calibrated-ramp", "--epochs", "2", "--calibrate-passes", "2", "--bound", "5", "--order", "forward", "--optimizer", "sgd"],
    "sweep": ["--recipe", "ramp", "--epochs", "2", "--lr", "auto", "--patience", "3"],
    "pruned": ["--epochs", "1", "--calibrate-passes", "3", "--prune", "0.3", "--loss", "outputs"],
    "faded": ["--epochs", "1", "--calibrate-passes", "2", "--prune", "0.3", "--loss", "outputs", "--recipe", "calibrated-ramp"],
    "plan": ["--epochs", "1", "--calibrate-passes", "2", "--min-agreement", "0.01", "--agreement", "error"],
}
MODEL = "dropout_bn.pt"


def arguments(options, case, output):
    return [
        options.command, "convert", str(options.models / MODEL), "-o", output, "--train", "data.pt", "--val", "data.pt",
        "--batch", "16", "--checkpoint-every", "1steps", "--seed", "3", *CASES[case],
    ]


def call(words, folder, **more):
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    return subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **more)


def finish(process):
    error = process.communicate()[1]
    if process.returncode != 0:
        raise SystemExit(f"exit code {process.returncode} of {process.args}:\n{error}")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def undisturbed(options, case, folder):
    """The export's hash, and how long it took."""
    begin = time.monotonic()
    finish(call(arguments(options, case, "undisturbed.pt"), folder))
    return digest(folder / "undisturbed.pt"), time.monotonic() - begin


def next_call(options, case, folder):
    record = folder / "killed.pt.run" / "run.json"
    if not record.exists():
        return arguments(options, case, "killed.pt")
    if json.loads(record.read_text())["status"] == "done":
        return None
    return [options.command, "convert", "--resume", "killed.pt.run"]


def survive(options, case, folder, kills, seconds, draw):
    """Kills one conversion at most so many times. Gives how often it did, and the export's hash."""
    done = 0
    while done < kills and (words := next_call(options, case, folder)) is not None:
        process = call(words, folder)
        try:
            process.wait(draw.uniform(0.0, 1.0) ** 1.5 * seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            done += 1
        process.communicate()
        if process.returncode not in (0, -signal.SIGKILL):
            raise SystemExit(f"exit code {process.returncode} of {words}")
    if (words := next_call(options, case, folder)) is not None:
        finish(call(words, folder))
    found = digest(folder / "killed.pt")
    (folder / "killed.pt").unlink()
    shutil.rmtree(folder / "killed.pt.run")
    return done, found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", required=True)
    parser.add_argument("--models", type=pathlib.Path, required=True)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", choices=CASES, action="append", help="these alone")
    options = parser.parse_args()
    options.command = os.path.abspath(options.command)
    options.models = options.models.absolute()
    draw = random.Random(options.seed)
    cases = options.case or list(CASES)
    share = math.ceil(options.kills / len(cases))
    killed = 0
    wrong = 0
    for case in cases:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            torch.manual_seed(0)
            torch.save({"x": torch.randn(96, 3, 8, 8), "y": torch.randint(0, 4, (96,))}, folder / "data.pt")
            expected, seconds = undisturbed(options, case, folder)
            kills_of_case = 0
            while kills_of_case < share:
                kills, found = survive(options, case, folder, min(5, share - kills_of_case), seconds, draw)
                kills_of_case += kills
                killed += kills
                wrong += found != expected
                print(f"{case}: {kills} kills, the export is {'the same' if found == expected else 'ANOTHER ONE'}", flush=True)
    print(f"{killed} kills, {wrong} exports differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
