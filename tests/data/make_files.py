#!/usr/bin/env python3
"""Writes tests/data/files: small data files as numpy, safetensors, pandas, tarfile and torch write them.

Made with numpy 2.4, safetensors 0.8 and torch 2.13; what pandas and WebDataset write is written here in the same way. Every file holds
x[i] = 3 i + (0, 1, 2), of ten examples, and y = i % 3, unless its name says otherwise.
"""

import csv
import io
import tarfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file

FOLDER = Path(__file__).resolve().parent / "files"
X = np.arange(30, dtype=np.float32).reshape(10, 3)
Y = np.arange(10) % 3


def arrays() -> None:
    np.save(FOLDER / "x.npy", X)
    np.save(FOLDER / "fortran.npy", np.asfortranarray(X))
    np.save(FOLDER / "big_endian.npy", X.astype(">f8"))
    np.save(FOLDER / "half.npy", X.astype(np.float16))
    np.save(FOLDER / "bool.npy", X > 10)
    np.save(FOLDER / "uint16.npy", X.astype(">u2"))
    np.save(FOLDER / "uint64.npy", np.array([1, 2**63], np.uint64))
    np.save(FOLDER / "complex.npy", (X + 1j).astype(">c16"))
    np.save(FOLDER / "objects.npy", np.array([{"a": 1}, None], object), allow_pickle=True)
    np.save(FOLDER / "texts.npy", np.array(["a", "bc"]))
    np.save(FOLDER / "records.npy", np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f4")]))
    for version in ((2, 0), (3, 0)):
        with open(FOLDER / f"version{version[0]}.npy", "wb") as file:
            np.lib.format.write_array(file, X, version=version)
    np.savez(FOLDER / "stored.npz", x=X, y=Y, classes=np.int64(3))
    np.savez_compressed(FOLDER / "compressed.npz", x=X, y=Y, names=np.array(["a", "b", "c"]))
    save_file({"x": X, "y": Y, "flags": X > 10}, FOLDER / "data.safetensors", metadata={"by": "us"})


def table() -> None:
    with open(FOLDER / "iris.csv", "w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(["width", "height, in cm", "depth", "kind"])
        for x, y in zip(X, Y):
            writer.writerow([*map(float, x), ["zinnia", 'a "rose"', "lily\nof the valley"][y]])
    with open(FOLDER / "numbers.csv", "w") as file:
        file.writelines(f"{x[0]:.1f};{x[1]:.1f}; {x[2]:.3e};{y}\r\n" for x, y in zip(X, Y))
    with open(FOLDER / "pandas.csv", "w") as file:
        file.write("\ufeff,user,item,rating,note\n")
        file.writelines(f"{i},{i % 4},{i % 5},{i / 2},{'' if i == 5 else 'n'}\n" for i in range(10))


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def shards() -> None:
    for shard, form in enumerate((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)):
        folder = "" if shard == 0 else "a_long_folder/" * 12
        with tarfile.open(FOLDER / f"shard-{shard:03}.tar", "w", format=form) as archive:
            for i in range(3 * shard, 3 * shard + 3):
                image = io.BytesIO()
                Image.new("RGB", (8, 6), (i, 2 * i, 3 * i)).save(image, "png")
                array = io.BytesIO()
                np.save(array, X[i])
                add(archive, f"{folder}sample{i:04}.cls", f"{i % 3}\n".encode())
                add(archive, f"{folder}sample{i:04}.json", b'{"i": 1}')
                add(archive, f"{folder}sample{i:04}.png", image.getvalue())
                add(archive, f"{folder}sample{i:04}.x.npy", array.getvalue())


def torch_files() -> None:
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    torch.save([(x[i].clone(), int(y[i])) for i in range(10)], FOLDER / "pairs.pt")
    torch.save(torch.utils.data.TensorDataset(x, y), FOLDER / "tensor_dataset.pt")
    torch.save({"x": x.T.contiguous().T, "y": y, "names": ["a", "b", "c"], "step": 7}, FOLDER / "mixed.pt")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    arrays()
    table()
    shards()
    torch_files()
