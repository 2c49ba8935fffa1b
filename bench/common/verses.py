"""English sentences: the King James Bible from Debian's package bible-kjv."""

import re
import shutil
import subprocess


def verses() -> list:
    """All verses in order, without their numbers."""
    if not shutil.which("bible"):
        raise SystemExit("verses.py: expected the command bible (Debian's package bible-kjv), but there is none; install it, or run bench/recovery/setup.sh")
    lines = subprocess.run(["bible", "-f", "ge1:1-rev22:21"], check=True, capture_output=True, text=True).stdout.splitlines()
    return [re.sub(r"^\S+ ", "", line) for line in lines]
