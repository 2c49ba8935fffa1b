#!/usr/bin/env python3
"""The command on two hosts: network namespaces of this machine with addresses of their own, one of which is killed, or cut off.

Each time torchrun is started there again, as a cluster does; both hosts then go on from the last checkpoint to the same bytes.

Ends with exit code 77 where this process may not make namespaces, or this Python has no torchrun.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from command import PATIENCE, UNAVAILABLE, Checks, make_inputs

NETWORK = "10.213.77"
PORT = 29511
EPOCHS = 60
RANK_TIMEOUT = 8  # seconds
CASES = ("killed", "cut off")


class Host:
    """A namespace with one network device."""

    def __init__(self, number: int):
        self.number, self.name, self.device = number, f"actswap{os.getpid()}-{number}", f"asw{os.getpid()}{number}"[-15:]
        self.address = f"{NETWORK}.{number}"

    def inside(self, *words: str) -> None:
        subprocess.run(["ip", "netns", "exec", self.name, *words], check=True, capture_output=True)

    def connect(self, is_up: bool) -> None:
        self.inside("ip", "link", "set", self.device, "up" if is_up else "down")

    def processes(self) -> list:
        found = subprocess.run(["ip", "netns", "pids", self.name], check=True, capture_output=True, text=True)
        return [int(word) for word in found.stdout.split()]


class Hosts:
    def __enter__(self) -> tuple:
        self.hosts = (Host(1), Host(2))
        first, second = self.hosts
        for host in self.hosts:
            subprocess.run(["ip", "netns", "add", host.name], check=True, capture_output=True)
        subprocess.run(["ip", "link", "add", first.device, "netns", first.name, "type", "veth", "peer", "name", second.device, "netns", second.name],
                       check=True, capture_output=True)  # fmt: skip
        for host in self.hosts:
            host.inside("ip", "addr", "add", f"{host.address}/24", "dev", host.device)
            host.inside("ip", "link", "set", "lo", "up")
            host.connect(is_up=True)
        return self.hosts

    def __exit__(self, *_error: object) -> None:
        for host in self.hosts:
            for process in host.processes():
                os.kill(process, signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", host.name], check=False, capture_output=True)


class HostChecks(Checks):
    def __init__(self, command: Path, folder: Path, hosts: tuple):
        super().__init__(command, folder)
        self.hosts = hosts

    def start_on(self, host: Host, out: Path) -> subprocess.Popen:
        agent = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d", f"--rdzv-id={out.stem}",
                 f"--rdzv-conf=is_host={int(host.number == 1)}",
                 f"--rdzv-endpoint={self.hosts[0].address}:{PORT}", f"--local-addr={host.address}", "--max-restarts=3", "--no-python"]  # fmt: skip
        words = [*self.convert(out, epochs=EPOCHS), "--checkpoint-every", "30steps", "--rank-timeout", RANK_TIMEOUT]
        # Otherwise the agent that stays never tells the one that comes for another where rank 0 is (PyTorch 2.13).
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": host.device, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
        log = (self.folder / f"{out.stem}-{host.number}.log").open("a")
        return subprocess.Popen(["ip", "netns", "exec", host.name, *agent, *map(str, words)], stdout=log, stderr=log, env=environment)

    def log(self, out: Path, host: Host) -> str:
        return (self.folder / f"{out.stem}-{host.number}.log").read_text()

    def finish(self, name: str, processes: list, out: Path) -> bool:
        for process, host in zip(processes, self.hosts, strict=True):
            try:
                code = process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                code = "none: it did not end"
            self.expect(code == 0, f"{name}: exit code of host {host.number}: {code}: {self.log(out, host)[-1500:]}")
        return out.exists()

    def undisturbed(self) -> bytes:
        out = self.folder / "undisturbed.pt"
        done = self.finish("undisturbed", [self.start_on(host, out) for host in self.hosts], out)
        return out.read_bytes() if done else b""

    # Which rank is on which host torchrun decides: so the second host, which does not serve the rendezvous, is disturbed.
    def disturbed(self, name: str, whole: bytes) -> None:
        out = self.folder / f"{name.replace(' ', '_')}.pt"
        first, second = [self.start_on(host, out) for host in self.hosts]
        if not self.wait_for_step(first, out, 100):
            return
        if name == "cut off":
            self.hosts[1].connect(is_up=False)
            time.sleep(RANK_TIMEOUT + 12)  # and a little for the word about it
        for process in self.hosts[1].processes():  # as a cluster clears away a host that it cannot reach
            os.kill(process, signal.SIGKILL)
        if name == "cut off":
            self.hosts[1].connect(is_up=True)
        second.wait()
        second = self.start_on(self.hosts[1], out)
        if self.finish(name, [first, second], out):
            self.expect(out.read_bytes() == whole, f"{name}: another file than undisturbed")
        logs = self.log(out, self.hosts[0]) + self.log(out, self.hosts[1])
        if name == "cut off":  # torchrun numbers ranks as it likes
            self.expect(bool(re.search(r"Rank [01] did not answer in time", logs)), f"{name}: nobody says which rank did not answer: {logs[:3000]}")
        self.expect("resuming from" in logs, f"{name}: nobody resumed: {logs[-1500:]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--command", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=CASES, default=CASES)
    options = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("ip"):
        print("hosts.py: expected root and the program ip, to make network namespaces", file=sys.stderr)
        return UNAVAILABLE
    try:
        import torch.distributed.run  # noqa: F401

        with Hosts() as hosts, tempfile.TemporaryDirectory() as folder:
            make_inputs(Path(folder))
            checks = HostChecks(options.command, Path(folder), hosts)
            if whole := checks.undisturbed():
                for name in options.only:
                    begin = time.monotonic()
                    checks.disturbed(name, whole)
                    print(f"{name}: {time.monotonic() - begin:.1f} s, {len(checks.problems)} problems so far", flush=True)
    except ImportError as error:
        print(f"hosts.py: {sys.executable} has no torchrun: {error}", file=sys.stderr)
        return UNAVAILABLE
    except subprocess.CalledProcessError as error:
        print(f"hosts.py: this machine makes no network namespaces: {error.stderr.decode().strip()}", file=sys.stderr)
        return UNAVAILABLE
    for problem in checks.problems:
        print(f"hosts.py: {problem}", file=sys.stderr)
    return 1 if checks.problems else 0


if __name__ == "__main__":
    sys.exit(main())
