"""Several processes that run one command, each in an environment of its own."""

import subprocess

from common.process import Failed


def run(words: list, environments: list, seconds: float) -> None:
    """Waits for all. Where one fails, or takes longer, none is left.

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
