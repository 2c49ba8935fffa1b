"""A file of results as JSON lines, one for each cell of an experiment."""

import json
import subprocess
import threading
from collections.abc import Callable, Hashable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Results:
    """The lines of a file. Writes line by line, so that an interruption loses only what is running."""

    def __init__(self, path: Path, key: Callable[[dict], Hashable]):
        """key: the cell that a row belongs to."""
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        if lines and not lines[-1].endswith("\n"):  # cut off by a power failure, say
            path.write_text("".join(lines[:-1]))
            lines.pop()
        self.rows = [json.loads(line) for line in lines]
        self.path, self.key = path, key
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lock = threading.Lock()

    def done(self) -> set:
        return {self.key(row) for row in self.rows}

    def find(self, key: Hashable) -> dict | None:
        return next((row for row in self.rows if self.key(row) == key), None)

    def forget(self, keys: set) -> None:
        self.rows = [row for row in self.rows if self.key(row) not in keys]
        unfinished = self.path.with_suffix(".tmp")
        unfinished.write_text("".join(json.dumps(row) + "\n" for row in self.rows))
        unfinished.rename(self.path)

    def add(self, row: dict) -> None:
        with self.lock, self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
            self.rows.append(row)


def commit() -> str:
    """The commit of this project at which the results are made, with "-dirty" if anything except the benchmarks' outputs differs from it."""

    def git(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(["git", "-C", ROOT, *words], check=False, capture_output=True, text=True)

    name = git("describe", "--always").stdout.strip()
    if not name:
        return "unknown"
    is_clean = git("diff", "--quiet", "HEAD", "--", ".", ":!docs", ":!README.md").returncode == 0
    return name if is_clean else f"{name}-dirty"
