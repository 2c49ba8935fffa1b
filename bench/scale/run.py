#!/usr/bin/env python3
"""Measures what it costs to train with several processes: bench/scale/run.py [NETWORK...] [--rounds N]

Trains small networks (networks.py) with one process of one thread, one of two threads, and 2 and 4 ranks of one thread each, all on the
same batches, in turn, over several rounds; it calibrates them in the same ways (calibration.py). Ranks also train alone, all at the same
time, and add up gradients without training; this shows how much of the sending backward hides. As root, it measures over a slower
network as well (link.py). Writes tables into docs/scale-out.md (report.py). Each round of a network is a line of
docs/scale/results.jsonl, with the commit at which it was made. The script repeats a round only with --redo.

The script starts the ranks as torchrun does, with the same variables, but without torchrun's agent, so that nothing else is sent
meanwhile. It takes about eight minutes on two otherwise idle cores. Ends with exit code 77 if this Python has no PyTorch.
"""

import argparse
import json
import os
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import report  # noqa: E402
from calibration import ROUNDS, calibrate, write_inputs  # noqa: E402
from common.process import Failed  # noqa: E402
from common.results import ROOT, Results, commit  # noqa: E402
from link import Link, Unavailable  # noqa: E402
from networks import CLASSES, NETWORKS, Network, write  # noqa: E402
from processes import run  # noqa: E402

UNAVAILABLE = 77  # as ctest's SKIP_RETURN_CODE
SECONDS = 180  # the limit for one measurement
# As in lib/actswap/ranks/process_group.cpp.
FIRST_BUCKET, BUCKET = 1 << 20, 4 << 20


@dataclass(frozen=True)
class Setting:
    name: str
    ranks: int
    threads: int  # of each rank
    gigabits: float | None = None  # per second, if a slower network is between the ranks


SETTINGS = [Setting(report.ONE, 1, 1), Setting(report.TWO_THREADS, 1, 2), *(Setting(report.ranks(count), count, 1) for count in report.RANKS),
            Setting(report.SLOWER, 2, 1, report.GIGABITS)]  # fmt: skip
# In alternating order, so that no part always follows the same one.
PHASES = ["steps,idle,alone,sums", "alone,sums,steps,idle"]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def environments(setting: Setting) -> list:
    shared = {**os.environ, "OMP_NUM_THREADS": str(setting.threads)}
    for name in ("RANK", "WORLD_SIZE", "TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_RESTART_COUNT"):
        shared.pop(name, None)
    if setting.ranks == 1:
        return [shared]
    shared |= {"WORLD_SIZE": str(setting.ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "GLOO_SOCKET_IFNAME": "lo"}
    return [{**shared, "RANK": str(rank)} for rank in range(setting.ranks)]


def start(command: list, setting: Setting, prefix: list) -> list:
    """@returns what each rank writes

    @throws Failed
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        words = [*prefix, *(str(word) for word in (command[0], out, *command[1:]))]
        run(words, environments(setting), SECONDS)
        return [json.loads(Path(f"{out}.{rank}").read_text()) for rank in range(setting.ranks)]


def measure(network: Network, setting: Setting, number: int, options: argparse.Namespace) -> list:
    phases = PHASES[number % len(PHASES)] if setting.ranks > 1 else "steps"
    command = [options.worker, "--model", network.file(options.out), "--input", ",".join(map(str, network.input)), "--classes", CLASSES,
                  "--batch", network.batch, "--warm-up", options.warm_up, "--steps", options.steps, "--phases", phases,
                  "--first-bucket", FIRST_BUCKET, "--bucket", BUCKET]  # fmt: skip
    if setting.gigabits is None:
        return start(command, setting, [])
    with Link(setting.gigabits) as link:
        return start(command, setting, link.prefix)


def can_be_slower() -> bool:
    try:
        with Link(report.GIGABITS):
            return True
    except Unavailable as error:
        print(f"run.py: {report.SLOWER} are left out: {error}", file=sys.stderr)
        return False


def one_round(network: Network, number: int, settings: list, options: argparse.Namespace) -> dict:
    """Measures all settings; each round begins with another one."""
    first = number % len(settings)
    found = {setting.name: measure(network, setting, number, options) for setting in settings[first:] + settings[:first]}
    row = {"network": network.name, "round": number, "batch": network.batch, "commit": commit(), "processors": os.cpu_count(), "load": options.load}
    row |= {"found": found}
    together = [setting for setting in settings if setting.gigabits is None and number < ROUNDS]
    first %= max(1, len(together))
    row["calibration"] = {setting.name: calibrate(network, options.out, options.command, environments(setting))
                          for setting in together[first:] + together[:first]}  # fmt: skip
    return row | {"hidden": {setting.name: round(report.hidden(row, setting.name), 4) for setting in settings if setting.ranks > 1}}


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"all by default: {', '.join(NETWORKS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help="how many steps are timed in each part of a round")
    parser.add_argument("--warm-up", type=int, default=3, help="how many steps run before them")
    parser.add_argument("--redo", action="store_true", help="forget the results of the chosen networks, and make them anew")
    parser.add_argument("--out", type=Path, default=ROOT / "build/scale", help="the folder for the networks")
    parser.add_argument("--results", type=Path, default=ROOT / "docs/scale/results.jsonl", help="the file of the results")
    parser.add_argument("--page", type=Path, default=ROOT / "docs/scale-out.md", help="the page to write the tables into")
    parser.add_argument("--worker", type=Path, default=ROOT / "build/release/bin/scale_worker")
    parser.add_argument("--command", type=Path, default=ROOT / "build/release/bin/actswap", help="the command whose calibrations are timed")
    options = parser.parse_args()
    if unknown := [name for name in options.networks if name not in NETWORKS]:
        parser.error(f"expected networks among {', '.join(NETWORKS)}, but found {', '.join(unknown)}")
    if not options.worker.exists():
        parser.error(f"expected the worker at {options.worker}, but there is none; build it with -DACTSWAP_BUILD_BENCHMARKS=ON, or name it with --worker")
    if not options.command.exists():
        parser.error(f"expected the command at {options.command}, but there is none; build it, or name it with --command")
    if min(options.steps, options.warm_up, options.rounds) < 1:
        parser.error("expected at least one step, one step of warm-up and one round")
    options.networks = options.networks or list(NETWORKS)
    options.load = round(os.getloadavg()[0], 2)  # before this script adds its own
    return options


def main() -> int:
    options = read_options()
    results = Results(options.results, lambda row: (row["network"], row["round"]))
    if options.redo:
        results.forget({key for key in results.done() if key[0] in options.networks})
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        for name in options.networks:
            write(NETWORKS[name], options.out)
            write_inputs(NETWORKS[name], options.out)
    except ImportError as error:
        print(f"run.py: {sys.executable} has no PyTorch: {error}", file=sys.stderr)
        return UNAVAILABLE
    wanted = [(name, number) for number in range(options.rounds) for name in options.networks if (name, number) not in results.done()]
    settings = [setting for setting in SETTINGS if setting.gigabits is None or not wanted or can_be_slower()]
    try:
        for name, number in wanted:
            results.add(one_round(NETWORKS[name], number, settings, options))
            print(f"{name}, round {number + 1} of {options.rounds}: {report.one_line(results.rows[-1])}", flush=True)
    except Failed as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 1
    report.write(results.rows, options.page)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
