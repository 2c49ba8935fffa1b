#!/usr/bin/env python3
"""Disks that are full, read-only or gone: found before the first step, or the last checkpoint stays whole and the message says so.

Works on small tmpfs in a mount namespace of its own. Exit code 77: mounting is not allowed here.
"""
import argparse
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import torch

INSIDE = "ACTSWAP_TEST_IN_NAMESPACE"


def enter_namespace():
    if os.environ.get(INSIDE):
        return
    environment = dict(os.environ, **{INSIDE: "1"})
    for flags in (["-m"], ["-r", "-m"]):
        trial = subprocess.run(["unshare", *flags, "sh", "-c", "mount -t tmpfs tmpfs /mnt"], stderr=subprocess.DEVNULL)
        if trial.returncode == 0:
            os.execvpe("unshare", ["unshare", *flags, sys.executable, *sys.argv], environment)
    print("skipped: no tmpfs can be mounted here")
    sys.exit(77)


def mount(folder, size):
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)


class Test:
    def __init__(self, options, folder):
        self.command = os.path.abspath(options.command)
        self.folder = folder
        torch.manual_seed(0)
        torch.save({"x": torch.randn(64, 3, 8, 8), "y": torch.randint(0, 4, (64,))}, folder / "data.pt")
        self.words = ["convert", str((options.models / "dropout_bn.pt").absolute()), "--train", "data.pt", "--batch", "16",
                      "--calibrate-passes", "2", "--checkpoint-every", "1steps", "--lr", "0.001", "--epochs", "40"]

    def start(self, *words):
        return subprocess.Popen([self.command, *words], cwd=self.folder, env=dict(os.environ, OMP_NUM_THREADS="1"),
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def convert(self, run, output):
        return self.start(*self.words, "-o", output, "--run-dir", run)

    def hash_of(self, output):
        return hashlib.sha256((self.folder / output).read_bytes()).hexdigest()


def expect(is_so, what):
    if not is_so:
        raise SystemExit(what)


def expect_failure(process, *parts):
    error = process.communicate()[1]
    expect(process.returncode == 3, f"expected the exit code 3, but got {process.returncode}:\n{error}")
    for part in parts:
        expect(part in error, f"expected '{part}' in\n{error}")


def wait_for_training(run):
    begin = time.monotonic()
    while time.monotonic() - begin < 60:
        log = run / "metrics.jsonl"
        if (run / "checkpoint-1").exists() and log.exists() and '"retarget"' in log.read_text():
            return
        time.sleep(0.01)
    raise SystemExit("no checkpoint was written")


def too_small_from_the_start(test):
    mount(test.folder / "small", "64k")
    expect_failure(test.convert("small/run", "out.pt"), "room for the checkpoints", "small/run")


def read_only_from_the_start(test):
    mount(test.folder / "fixed", "10m")
    subprocess.run(["mount", "-o", "remount,ro", str(test.folder / "fixed")], check=True)
    expect_failure(test.convert("fixed/run", "out.pt"), "--run-dir", "fixed")


def full_in_the_middle(test, wanted):
    disk = test.folder / "filling"
    mount(disk, "10m")
    process = test.convert("filling/run", "out.pt")
    wait_for_training(disk / "run")
    with open(disk / "filler", "wb", buffering=0) as filler:
        try:
            while process.poll() is None:
                filler.write(bytes(4096))
        except OSError:
            pass
    expect_failure(process, "No space left", "is whole", "actswap convert --resume")
    (disk / "filler").unlink()
    process = test.start("convert", "--resume", "filling/run")
    error = process.communicate()[1]
    expect(process.returncode == 0, error)
    expect(test.hash_of("out.pt") == wanted, "the export of the resumed run is another one")


def read_only_in_the_middle(test):
    disk = test.folder / "freezing"
    mount(disk, "10m")
    process = test.convert("freezing/run", "other.pt")
    wait_for_training(disk / "run")
    while subprocess.run(["mount", "-o", "remount,ro", str(disk)], stderr=subprocess.DEVNULL).returncode != 0:
        time.sleep(0.01)  # while a file is open for writing
    expect_failure(process, "Read-only", "is whole")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", required=True)
    parser.add_argument("--models", type=pathlib.Path, required=True)
    options = parser.parse_args()
    enter_namespace()
    with tempfile.TemporaryDirectory() as name:
        test = Test(options, pathlib.Path(name))
        process = test.convert("plain", "plain.pt")
        error = process.communicate()[1]
        expect(process.returncode == 0, error)
        wanted = test.hash_of("plain.pt")
        try:
            too_small_from_the_start(test)
            read_only_from_the_start(test)
            full_in_the_middle(test, wanted)
            read_only_in_the_middle(test)
        finally:
            for disk in ("small", "fixed", "filling", "freezing"):
                subprocess.run(["umount", "-l", str(test.folder / disk)], stderr=subprocess.DEVNULL)
    print("full and read-only disks: all as expected")


if __name__ == "__main__":
    main()
