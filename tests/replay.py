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
    if isinstance(output, torch.Tensor) or not isinstance(output, (dict, list, tuple)):
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


def difference(found, expected) -> float:
    if isinstance(expected, str) or expected is None:
        return 0.0 if found == expected else float("inf")
    return (torch.as_tensor(found).double() - torch.as_tensor(expected).double()).abs().max().item()


def replay(path: str) -> dict:
    extra = {"actswap/self_test.pt": ""}
    model = torch.jit.load(path, map_location="cpu", _extra_files=extra).eval()
    inputs, expected = torch.load(io.BytesIO(extra["actswap/self_test.pt"]), weights_only=True)
    with torch.no_grad():
        outputs = flat(model(*[x.clone() for x in inputs]))
    if len(outputs) != len(expected):
        raise SystemExit(f"{path}: expected {len(expected)} outputs, found {len(outputs)}")
    return {"path": path, "operators": operators(model), "max_abs_diff": max(map(difference, outputs, expected))}


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    for path in sys.argv[1:]:
        print(json.dumps(replay(path)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
