"""Simulates a slower network between ranks on one machine: a namespace whose loopback device has a limited rate. Needs root."""

import os
import shutil
import subprocess
from types import TracebackType

BURST, LATENCY = "2mb", "100ms"  # of the token bucket that limits the rate; below these it drops nothing


class Unavailable(RuntimeError):
    """This machine cannot make such a namespace."""


class Link:
    def __init__(self, gigabits: float):
        """gigabits: per second, each way. The messages of two ranks pass one device in both directions."""
        self.name, self.rate = f"actswap_scale_{os.getpid()}", f"{2000 * gigabits:.0f}mbit"

    @property
    def prefix(self) -> list:
        """What to put before a command that runs in the namespace."""
        return ["ip", "netns", "exec", self.name]

    def __enter__(self) -> "Link":
        if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("tc"):
            raise Unavailable("expected to be root, and the commands ip and tc")
        self.run("ip", "netns", "add", self.name)
        try:
            self.run("ip", "-n", self.name, "link", "set", "lo", "up")
            self.run("tc", "-n", self.name, "qdisc", "add", "dev", "lo", "root", "tbf", "rate", self.rate, "burst", BURST, "latency", LATENCY)
        except Unavailable:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        subprocess.run(["ip", "netns", "del", self.name], check=False)

    @staticmethod
    def run(*words: str) -> None:
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if done.returncode:
            raise Unavailable(f"{' '.join(words)}: {done.stderr.strip()}")
