#!/usr/bin/env python3
"""What confinement costs at the start of a run: bench/confinement.py COMMAND MODEL [--pairs N]

Runs `COMMAND inspect MODEL` with and without it in turn, and prints the median of the paired differences.
"""

import argparse
import statistics
import subprocess
import time


def milliseconds(options: argparse.Namespace, mode: str) -> float:
    begin = time.perf_counter()
    subprocess.run([options.command, "inspect", options.model, "-q", "--confine", mode], check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("command")
    parser.add_argument("model")
    parser.add_argument("--pairs", type=int, default=30)
    options = parser.parse_args()
    differences = [milliseconds(options, "require") - milliseconds(options, "off") for _ in range(options.pairs)]
    low, middle, high = statistics.quantiles(differences)
    print(f"confinement takes {middle:.1f} ms ({low:.1f} to {high:.1f}, quartiles of {options.pairs} pairs)")


if __name__ == "__main__":
    main()
