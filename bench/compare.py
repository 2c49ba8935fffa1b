#!/usr/bin/env python3
"""Prints what a blend costs as a table in Markdown, against the goals that were set for it.

    bench/compare.py BUILD_FOLDER [--repetitions N] [--min-time SECONDS] [--without SETS]

BUILD_FOLDER was configured with -DACTSWAP_BUILD_BENCHMARKS=ON. Every figure is a ratio of the least
times of two benchmarks of one run, whose repetitions are interleaved, so that what else the machine does
falls on both: processor time with one thread, elapsed time with two. --without AVX3 leaves AVX-512 out.
"""

import argparse
import collections
import json
import os
import platform
import subprocess
import sys

SIZES = {2**14: "2^14", 2**20: "2^20", 2**24: "2^24"}
ROWS = ["mish", "silu", "gelu", "gelu_tanh", "aptx", "swish_mish", "elu", "softplus", "tanh", "hardswish"]
SOURCE_GOALS = {"mish": 0.12, "silu": 0.85, "gelu": 0.75}
RELU_GOALS = {2**20: 2.5, 2**24: 1.5}


def run(arguments):
    """Least time in microseconds by (what, row, size, threads), and the run's context."""
    environment = dict(os.environ)
    if arguments.without:
        environment["ACTSWAP_WITHOUT"] = arguments.without
    program = os.path.join(arguments.build, "bin", "blend_benchmark")
    output = subprocess.run(
        [program, "--benchmark_format=json", "--benchmark_enable_random_interleaving=true",
         f"--benchmark_repetitions={arguments.repetitions}",
         f"--benchmark_min_time={arguments.min_time}", f"--benchmark_filter={arguments.filter}"],
        check=True, stdout=subprocess.PIPE, env=environment).stdout
    report = json.loads(output)
    times = collections.defaultdict(lambda: float("inf"))
    for entry in report["benchmarks"]:
        if entry.get("run_type") == "iteration":
            what, row, size, threads = entry["name"].split("/")[:4]
            key = (what, row, int(size), int(threads))
            times[key] = min(times[key], entry["cpu_time" if key[3] == 1 else "real_time"])
    return times, report["context"]


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.processor()


def ratio_cell(numerator, denominator, goal=None, at_least=False):
    if numerator == float("inf") or denominator == float("inf"):
        return "-"
    ratio = numerator / denominator
    if goal is None:
        return f"{ratio:.2f}"
    met = ratio >= goal if at_least else ratio <= goal
    return f"{ratio:.2f}" if met else f"**{ratio:.2f}** (goal {goal})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--min-time", type=float, default=0.05)
    parser.add_argument("--without", default="")
    parser.add_argument("--filter", default=".*")
    arguments = parser.parse_args()
    times, context = run(arguments)

    print(f"{processor()}, {context['num_cpus']} cores, {context['instruction_set']}; "
          f"LibTorch {context['libtorch']}; least of {arguments.repetitions} repetitions; "
          f"load {', '.join(f'{load:.1f}' for load in context.get('load_avg', []))}\n")
    print("Forward and backward of a blend to relu at t = 0.5, float32, one thread; bold misses its goal.\n")
    print("| from | elements | microseconds | / ATen's source | / lerp of ATen's two | / ATen's relu |")
    print("|---|---|---|---|---|---|")
    for row in ROWS:
        for size, text in SIZES.items():
            blend = times["blend", row, size, 1]
            if blend == float("inf"):
                continue
            lerp_goal = 0.10 if row == "mish" else 0.30
            print(f"| {row} | {text} | {blend:.0f} "
                  f"| {ratio_cell(blend, times['aten', row, size, 1], SOURCE_GOALS.get(row))} "
                  f"| {ratio_cell(blend, times['lerp', row, size, 1], lerp_goal)} "
                  f"| {ratio_cell(blend, times['relu', 'relu', size, 1], RELU_GOALS.get(size))} |")
    print("\n| from | two threads against one, 2^24 |\n|---|---|")
    for row in ROWS:
        one, two = times["blend", row, 2**24, 1], times["blend", row, 2**24, 2]
        if two != float("inf"):
            print(f"| {row} | {ratio_cell(one, two, 1.7, at_least=True)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
