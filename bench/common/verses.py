"""Sentences of English: the King James Bible of Debian's package bible-kjv."""

import re
import shutil
import subprocess


def verses() -> list:
    """All of them in their order, without their numbers."""
    if not shutil.which("bible"):
        raise SystemExit("verses.py: expected the command bible (Debian's package bible-kjv), but there is none; install it, or run bench/recovery/setup.sh")
    lines = subprocess.run(["bible", "-f", "ge1:1-rev22:21"], check=True, capture_output=True, text=True).stdout.splitlines()
    return [re.sub(r"^\S+ ", "", line) for line in lines]
