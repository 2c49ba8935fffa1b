"""Changing what a saved model holds."""

import zipfile
from pathlib import Path


def edit_archive(source: Path, target: Path, edit) -> None:
    """Copies an archive with its entries passed through edit(name inside the archive, bytes)."""
    changed = False
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for info in old.infolist():
            before = old.read(info)
            after = edit(info.filename.split("/", 1)[1], before)
            changed = changed or after != before
            new.writestr(zipfile.ZipInfo(info.filename), after)
    if not changed:
        raise AssertionError(f"nothing was edited in {source}")


def make_old(path: Path) -> None:
    """Makes a file one of before PyTorch 1.6, whose divisions LibTorch then takes for those of that time."""
    new = path.with_suffix(".new")
    path.rename(new)
    edit_archive(new, path, lambda name, data: b"3\n" if name in ("version", ".data/version") else data)
    new.unlink()
