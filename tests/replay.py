#!/usr/bin/env python3
"""Runs an exported file in plain PyTorch: replay.py EXPORTED IO.pt. Prints JSON; exit code 0 when it ran."""

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


def method_names(module) -> list:
    return list(module._c._method_names())


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    model = torch.jit.load(sys.argv[1], map_location="cpu").eval()
    record = torch.load(sys.argv[2], weights_only=True)
    found: set = set()
    for module in model.modules():
        for name in method_names(module):
            graph = module._c._get_method(name).graph.copy()
            torch._C._jit_pass_inline(graph)
            kinds(graph, found)
    with torch.no_grad():
        outputs = flat(model(*[x.clone() for x in record["inputs"]]))
    if len(outputs) != len(record["outputs"]):
        raise SystemExit(f"expected {len(record['outputs'])} outputs, found {len(outputs)}")
    differences = [(a.double() - b.double()).abs().max().item() for a, b in zip(outputs, record["outputs"]) if a.numel()]
    finite = all(bool(torch.isfinite(o).all()) for o in outputs)
    print(json.dumps({"ops": sorted(found), "outputs_finite": finite, "max_abs_diff": max(differences, default=0.0)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
