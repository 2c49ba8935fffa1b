#!/usr/bin/env python3
"""Runs exported files in plain PyTorch on the inputs stored in them: replay.py EXPORTED...

Prints a JSON object a line: the operators in all methods, and the largest difference from the stored outputs.
"""

import io
import json
import sys
import warnings

import torch

warnings.filterwarnings("ignore", category=DeprecationWarning)


def flat(output) -> list:
    if isinstance(output, torch.Tensor):
        return [output]
    return [t for part in (output.values() if isinstance(output, dict) else output) for t in flat(part)]


def kinds(block, found: set) -> None:
    for node in block.nodes():
        found.add(node.kind())
        for inner in node.blocks():
            kinds(inner, found)


def operators(model) -> list:
    found: set = set()
    for module in model.modules():
        for name in module._c._method_names():
            graph = module._c._get_method(name).graph.copy()
            torch._C._jit_pass_inline(graph)
            kinds(graph, found)
    return sorted(found)


def replay(path: str) -> dict:
    extra = {"actswap/self_test.pt": ""}
    model = torch.jit.load(path, map_location="cpu", _extra_files=extra).eval()
    inputs, expected = torch.load(io.BytesIO(extra["actswap/self_test.pt"]), weights_only=True)
    with torch.no_grad():
        outputs = flat(model(*[x.clone() for x in inputs]))
    if len(outputs) != len(expected):
        raise SystemExit(f"{path}: expected {len(stored['outputs'])} outputs, found {len(outputs)}")
    differences = [(a.double() - b.double()).abs().max().item() for a, b in zip(outputs, expected)]
    return {"path": path, "operators": operators(model), "max_abs_diff": max(differences)}


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    for path in sys.argv[1:]:
        print(json.dumps(replay(path)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
