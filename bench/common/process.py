"""Runs a program and measures its cost: wall-clock and processor seconds, peak memory.

A process inherits the peak memory of the process that starts it. So this file is also a small program in between:

    python process.py COSTS.json COMMAND...
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    seconds: float  # by the clock
    processor: float  # seconds, of all threads, including the kernel's
    megabytes: float  # 1e6 bytes, peak resident memory of the process

    def row(self) -> dict:
        return {"seconds": round(self.seconds, 2), "processor": round(self.processor, 2), "megabytes": round(self.megabytes)}


class Failed(RuntimeError):
    """The program ended with an exit code other than 0."""

    def __init__(self, command: list, code: int, errors: str):
        super().__init__(f"exit code {code} of {' '.join(command)}\n{errors.strip()[-1000:]}")
        self.code = code
        self.reason = next((line for line in reversed(errors.strip().splitlines()) if line.strip()), f"ended with exit code {code}")


def run(command: list, threads: int) -> tuple[str, Cost]:
    """@returns what the command prints, and what it costs, with this many threads for each parallel region

    @throws Failed
    """
    words = [str(word) for word in command]
    with tempfile.TemporaryDirectory() as folder:
        costs = Path(folder) / "costs.json"
        done = subprocess.run([sys.executable, "-S", "-E", __file__, costs, *words], check=False, capture_output=True, text=True,
                              env={**os.environ, "OMP_NUM_THREADS": str(threads)})  # fmt: skip
        if done.returncode:
            raise Failed(words, done.returncode, done.stderr)
        return done.stdout, Cost(**json.loads(costs.read_text()))


def measure(costs: Path, command: list) -> int:
    begin = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    cost = {"seconds": time.monotonic() - begin, "processor": usage.ru_utime + usage.ru_stime, "megabytes": usage.ru_maxrss * 1024 / 1e6}
    costs.write_text(json.dumps(cost))
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(measure(Path(sys.argv[1]), sys.argv[2:]))
