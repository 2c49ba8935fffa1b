#!/usr/bin/env python3
"""Runs the command on models that do harm (models.py), and looks at what they reached.

    tests/hostile/run.py --command build/release/bin/actswap

With each model each of inspect, convert, blend, verify and bench is run, confined. None may change or make a file but its outputs, show what is in another
file, leave a process behind, or run beyond its limits; and the command has to end with a message, by an exit code of its own.
Some are then run with --confine off, to see that they do harm where nothing stops them. Ends with exit code 77 where this kernel confines nothing.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import models

SKIPPED = 77
PROCESSOR_SECONDS = 3  # that a run may take, by --max-processor-time
LONGEST = 60  # of a run, on a busy machine
MEMORY = "2GB"
DO_HARM = ["writes", "overwrites", "maps to write", "makes by mapping", "reads", "writes while it is loaded"]
EXIT_CODES = {0, 2, 3, 4, 5}


class Run:
    def __init__(self, command: Path, folder: Path):
        self.command, self.folder = command, folder
        self.outside, self.inside = folder / "outside", folder / "inside"
        self.problems = []

    def of(self, what: str, model: Path, words: list, confine: str = "require") -> None:
        models.prepare(self.outside)
        shutil.rmtree(self.inside, ignore_errors=True)
        self.inside.mkdir()
        limits = ["--max-processor-time", PROCESSOR_SECONDS, "--max-memory", MEMORY] if confine == "require" else []
        command = [self.command, *words, "--confine", confine, *limits]
        command = [str(model if word is MODEL else self.inside / "out.pt" if word is OUTPUT else word) for word in command]
        begin = time.monotonic()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.inside, start_new_session=True)
        try:
            output = child.communicate(timeout=LONGEST)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            output = child.communicate()[0].decode(errors="replace")
            self.found(what, words, f"did not end within {LONGEST} s", output)
        self.seconds = time.monotonic() - begin
        self.code, self.output = child.returncode, output
        try:
            os.killpg(child.pid, 0)
            self.found(what, words, "left a process behind", output)
        except ProcessLookupError:
            pass

    def harm(self) -> str:
        """What was reached, in words."""
        if (self.outside / "victim").read_text(errors="replace") != models.VICTIM:
            return "changed another file"
        if made := {path.name for path in self.outside.iterdir()} - {"victim", "secret"}:
            return f"made {sorted(made)}"
        shown = self.output + "".join(path.read_bytes().decode("latin-1") for path in self.inside.rglob("*") if path.is_file())
        if models.SECRET in shown or "root:x:0" in shown:
            return "showed another file"
        if others := {path.name.split(".")[0] for path in self.inside.iterdir()} - {"out"}:
            return f"left {sorted(others)} beside its output"
        return ""

    def found(self, what: str, words: list, problem: str, output: str) -> None:
        self.problems.append(f"{what}, {words[0]}: {problem}")
        print(f"{self.problems[-1]}\n{output[-800:]}", file=sys.stderr, flush=True)

    def check(self, what: str, model: Path, words: list) -> None:
        self.of(what, model, words)
        if harm := self.harm():
            self.found(what, words, harm, self.output)
        elif self.code not in EXIT_CODES:
            self.found(what, words, f"ended with exit code {self.code}", self.output)
        elif self.code != 0 and "error: " not in self.output:
            self.found(what, words, "said nothing", self.output)
        elif what == "is sound" and self.code != 0:
            self.found(what, words, f"was refused with exit code {self.code}", self.output)


MODEL, OUTPUT = object(), object()
SHAPE = "x".join(map(str, models.INPUT))
COMMANDS = [
    ["inspect", MODEL, "--input", SHAPE],
    ["convert", MODEL, "-o", OUTPUT, "--to", "relu", "--epochs", 0, "--input", SHAPE],
    ["blend", MODEL, "-o", OUTPUT, "--to", "relu", "--input", SHAPE],
    ["verify", MODEL, "--against", MODEL, "--input", SHAPE],
    ["bench", MODEL, MODEL, "--input", SHAPE],
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--command", type=Path, required=True, help="the actswap command")
    options = parser.parse_args()
    doctor = json.loads(subprocess.run([options.command, "doctor", "--json"], check=True, capture_output=True).stdout)
    if missing := doctor["confinement"]["missing"]:
        print(f"skipped: this machine leaves open {'; '.join(missing)}", file=sys.stderr)
        return SKIPPED
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = Run(options.command.resolve(), folder)
        models.prepare(run.outside)
        files = models.make(folder / "models", run.outside)
        for what, model in files.items():
            for words in COMMANDS:
                run.check(what, model, words)
        for what in DO_HARM:
            run.of(what, files[what], COMMANDS[0], confine="off")
            if not run.harm():
                run.found(what, COMMANDS[0], "did no harm without confinement, so this test shows nothing", run.output)
        tried = len(files) * len(COMMANDS)
    print(f"{tried - len(run.problems)} of {tried} runs were stopped or did no harm")
    return 1 if run.problems else 0


if __name__ == "__main__":
    sys.exit(main())
