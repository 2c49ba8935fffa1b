#!/usr/bin/env python3
"""The quickstart's question over several seeds: how much accuracy does each way to ReLU keep? Some 40 minutes on 2 cores.

    build/venv/bin/python bench/recovery/quickstart.py

For each seed it trains an original (examples/fashion_mnist/train.py), converts it with the ramp and beside it a control (the original
trained on with the same budget, data and seed), and once more with a hard swap (t = 1 from the first step). What is there already is not
made again. Prints a table in Markdown.
"""

import argparse
import json
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("ACTSWAP_FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
# Of Student's distribution, two-sided 95 %, by degrees of freedom.
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}


def train_original(seed: int, folder: Path) -> Path:
    path = folder / f"original_{seed}.pt"
    if not path.exists():
        script = ROOT / "examples/fashion_mnist/train.py"
        unfinished = path.with_suffix(".tmp")
        subprocess.run([sys.executable, script, "--seed", str(seed), "--out", unfinished], check=True, stdout=subprocess.DEVNULL)
        unfinished.rename(path)
    return path


def convert(command: Path, original: Path, name: str, options: list) -> dict:
    record = original.with_name(f"{original.stem}_{name}.json")
    if not record.exists():
        done = subprocess.run(
            [command, "convert", original, "-o", record.with_suffix(".pt"), "--to", "relu", "--loss", "distil", "--epochs", "1", "--json", "-q",
             "--train", f"{DATA}/train-images-idx3-ubyte.gz,{DATA}/train-labels-idx1-ubyte.gz",
             "--val", f"{DATA}/t10k-images-idx3-ubyte.gz,{DATA}/t10k-labels-idx1-ubyte.gz",
             "--mean", "0.2860", "--deviation", "0.3530", *options],
            check=True, stdout=subprocess.PIPE, env=ONE_THREAD)  # fmt: skip
        record.write_bytes(done.stdout)
    return json.loads(record.read_text())


def one_seed(seed: int, folder: Path, command: Path) -> dict:
    original = train_original(seed, folder)
    ramp = convert(command, original, "ramp", ["--recipe", "ramp", "--control", "--seed", str(seed)])
    hard = convert(command, original, "hard", ["--recipe", "hard", "--seed", str(seed)])
    return {
        "original": ramp["original"],
        "swap alone": ramp["swap_alone"],
        "hard swap, trained": hard["retargeted"],
        "ramp, trained": ramp["retargeted"],
        "control": ramp["control"],
    }


def interval(values: list) -> str:
    half = STUDENT[len(values) - 1] * stdev(values) / math.sqrt(len(values))
    return f"{mean(values):.2f} ± {half:.2f}"


def table(seeds: list, rows: list) -> str:
    lines = ["| accuracy, % | " + " | ".join(f"seed {seed}" for seed in seeds) + " | mean, 95 % interval | against the control, paired |"]
    lines.append("|---" * (len(seeds) + 3) + "|")
    for name in rows[0]:
        values = [row[name] for row in rows]
        against = interval([row[name] - row["control"] for row in rows]) if name != "control" else ""
        lines.append(f"| {name} | " + " | ".join(f"{value:.2f}" for value in values) + f" | {interval(values)} | {against} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=5, help="from 2 to 10")
    parser.add_argument("--out", type=Path, default=ROOT / "build/recovery/quickstart")
    parser.add_argument("--command", type=Path, default=ROOT / "build/release/bin/actswap")
    options = parser.parse_args()
    if not 2 <= options.seeds <= 10:
        parser.error("expected 2 to 10 seeds")
    options.out.mkdir(parents=True, exist_ok=True)
    seeds = list(range(options.seeds))
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as workers:
        rows = list(workers.map(lambda seed: one_seed(seed, options.out, options.command), seeds))
    print(table(seeds, rows))


if __name__ == "__main__":
    main()
