#!/usr/bin/env python3
"""Writes tests/data/refused: what torch.save writes of tensors that no data set can be made of. bad_data_test.cpp says how each is refused."""

import warnings
from pathlib import Path

import torch

FOLDER = Path(__file__).resolve().parent / "refused"
X = torch.arange(12.0).reshape(4, 3)


def main() -> None:
    warnings.simplefilter("ignore")  # of types that PyTorch calls beta or deprecated
    FOLDER.mkdir(exist_ok=True)
    tensors = {
        "sparse": X.to_sparse(),
        "sparse_csr": X.to_sparse_csr(),
        "quantized": torch.quantize_per_tensor(X, 0.1, 0, torch.quint8),
        "quantized_channels": torch.quantize_per_channel(X, torch.ones(4), torch.zeros(4), 0, torch.quint8),
        "meta": torch.empty(4, 3, device="meta"),
        "nested": torch.nested.nested_tensor([X[0], X[1, :2]]),
        "float8": X.to(torch.float8_e4m3fn),
        "uint16": X.to(torch.uint16),
    }
    for name, tensor in tensors.items():
        torch.save({"x": tensor}, FOLDER / f"{name}.pt")


if __name__ == "__main__":
    main()
