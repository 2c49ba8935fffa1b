#!/usr/bin/env python3
"""scripted_module.pt with each of its activations alone replaced, in eager PyTorch: sensitivity.py MODEL DATA

Prints a JSON object: for each site the accuracy, the cross-entropy and the relative squared error of the outputs.
"""

import json
import sys

import torch
import torch.nn.functional as F
from model_files.usual import ScriptedModule
from torch import nn

SITES = ["stem.2", "cells.0.act", "cells.1.act"]


def eager(weights: dict, swapped: list) -> nn.Module:
    model = ScriptedModule()
    model.load_state_dict(weights)
    for path in swapped:
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, nn.ReLU())
    return model.eval()


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    weights = torch.jit.load(sys.argv[1]).state_dict()
    data = torch.load(sys.argv[2], weights_only=False)  # written by LibTorch: TorchScript's dict
    with torch.no_grad():
        before = eager(weights, [])(data["x"])
        result = {}
        for name, sites in [("original", []), ("all", SITES), *((f"{site}/forward/0", [site]) for site in SITES)]:
            after = eager(weights, sites)(data["x"])
            result[name] = {
                "accuracy": 100 * (after.argmax(1) == data["y"]).float().mean().item(),
                "cross_entropy": F.cross_entropy(after, data["y"]).item(),
                "relative_error": ((after - before).square().sum() / before.square().sum()).item(),
                "same_prediction": 100 * (after.argmax(1) == before.argmax(1)).float().mean().item(),
            }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
