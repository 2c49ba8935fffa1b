"""Runs one command in several processes, each with an environment of its own."""

import subprocess

from common.process import Failed


def run(words: list, environments: list, seconds: float) -> None:
    """Waits for all of them. If one fails or takes too long, kills the others.

    @throws Failed
    """
    processes = [subprocess.Popen(words, env=each, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for each in environments]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=seconds)
            if process.returncode:
                raise Failed(words, process.returncode, errors)
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
