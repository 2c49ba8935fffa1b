"""The zoo's second pass: the command removes 30 % of what can be pruned, and PyTorch counts the rest; zoo.py --prune.

The command prunes each model on few inputs and keeps its activations. It either prunes the model or refuses with a reason. This script
checks of each pruned model:

  verified        the command loads its file afresh and compares
  runs            in plain PyTorch, on other inputs, with finite outputs of the same shapes
  parameters      as many as the command says, before and after
  multiplications as many in layers as the command says, before and after, by PyTorch's counter
  trains          every parameter gets a gradient of its own size; if the original cannot be trained either, the result says so
"""

import json
import subprocess
from pathlib import Path

from shared import flat, markdown_table, ways_and_reasons

SHARE = 0.3
INPUTS = 8
MEMORY = "400MB"  # a quarter of it is for matrices: units that wide layers read get the cheaper score, which took half the time on convnext_tiny
COUNTED = 0.02  # how far the counts may differ: PyTorch counts grouped and depthwise layers in another way
LIMIT = 1400  # seconds that the command may take; less than half of what zoo.py gives a model
REFUSED = 2  # the exit code for an option or a model that makes no sense


def count_multiplications(model, x) -> float:
    """The multiplications in layers and products, for one example."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # The counter does not know the CPU's attention operator, but knows the products that attention is made of.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(x)
    return counter.get_total_flops() / 2 / x.shape[0]


def shapes(output) -> list:
    return [tuple(tensor.shape) for tensor in flat(output)]


def problems(record: dict, original, pruned, x) -> list:
    """What is wrong with a pruned model, apart from its training."""
    import torch

    found, counts = [], record["pruning"]["parameters"]
    for when, model in (("before", original), ("after", pruned)):
        parameters = sum(parameter.numel() for parameter in set(model.parameters()))
        if parameters != counts[when]:
            found.append(f"{parameters} parameters {when} instead of {counts[when]:.0f}")
    with torch.no_grad():
        outputs, expected = pruned(x.clone()), original(x.clone())
    if shapes(outputs) != shapes(expected):
        found.append("outputs of other shapes")
    if not all(bool(tensor.isfinite().all()) for tensor in flat(outputs)):
        found.append("outputs that are not finite")
    said = record["pruning"]["multiplications"]
    ratio = count_multiplications(pruned, x) / count_multiplications(original, x)
    if abs(ratio - said["after"] / said["before"]) > COUNTED:
        found.append(f"{ratio:.3f} of the multiplications by PyTorch instead of {said['after'] / said['before']:.3f}")
    if not record["verified"]:
        found.append("not verified by the command")
    return found


def untrained(model, x) -> list:
    """What is wrong with its training. TorchScript compiles a model anew for its second run."""
    for parameter in model.parameters():
        parameter.requires_grad_()
    try:
        for _run in range(2):
            outputs = flat(model(x.clone()))
        sum(tensor.float().square().sum() for tensor in outputs if tensor.is_floating_point()).backward()
    except RuntimeError as error:
        return ["no gradients: " + str(error).strip().split("\n")[-1]]
    wrong = [name for name, parameter in model.named_parameters() if parameter.grad is not None and parameter.grad.shape != parameter.shape]
    none = all(parameter.grad is None for parameter in model.parameters())
    return [f"gradients of another size: {', '.join(wrong)}"] if wrong else ["no gradients"] if none else []


def check(command: str, made, x, folder: Path) -> dict:
    import torch

    made.save(str(folder / "model.pt"))
    generator = torch.Generator().manual_seed(1)
    torch.save({"x": torch.randn(INPUTS, *x.shape[1:], generator=generator)}, folder / "inputs.pt")
    words = ["timeout", LIMIT, Path(command).resolve(), "convert", "model.pt", "-o", "out.pt", "--keep-activations", "--prune", SHARE, "--calibrate", "inputs.pt",
             "--calibrate-inputs", INPUTS, "--calibrate-batch", 1, "--calibrate-passes", 0, "--calibrate-memory", MEMORY, "--self-test", "none", "--run-dir", "run", "--json", "-q"]  # fmt: skip
    done = subprocess.run([str(word) for word in words], cwd=folder, capture_output=True, text=True)
    if done.returncode == 124:
        return {"status": f"failed: the command takes more than {LIMIT} s"}
    error = done.stderr[done.stderr.rfind("error: ") :].strip().removeprefix("error: ").split("\n")  # after the warnings of the model's code
    if done.returncode == REFUSED:
        return {"status": "refused: " + " ".join(line.strip() for line in error[:2])[:200]}
    if done.returncode:
        return {"status": f"failed: exit code {done.returncode}: {error[-1][:200]}"}
    record = json.loads(done.stdout)
    said = record["pruning"]["multiplications"]
    result = {"went": round(1 - said["after"] / said["before"], 4), "groups": len(record["pruning"]["groups"]), "stay": len(record["pruning"]["stay"])}
    original, pruned = (torch.jit.load(str(folder / name)).eval() for name in ("model.pt", "out.pt"))
    wrong = problems(record, original, pruned, x)
    if cannot := untrained(pruned, x):
        if untrained(original, x) == cannot:
            result["untrained"] = cannot[0]
        else:
            wrong += cannot
    return {"status": "failed: " + ", ".join(wrong) if wrong else "passed", **result}


def prunable(row: dict) -> float:
    """The share of all multiplications that pruning could remove: 30 % of it went, or a little more."""
    return min(1.0, row.get("went", 0.0) / SHARE)


def tables(rows: list, names: list, columns: list) -> list:
    """The part of docs/zoo.md on pruning."""
    done = {row["model"] for row in rows}

    def of(library: str, how: str) -> list:
        return [row for row in rows if row["model"].startswith(library + ":") and row["how"] == how]

    def counts(title: str, start: str) -> list:
        found = [sum(row["status"].startswith(start) for row in of(*column)) for column in columns]
        return [title, *found, sum(found)]

    def mean(found: list) -> str:
        shares = [prunable(row) for row in found if row["status"].startswith(("passed", "refused"))]
        return f"{100 * sum(shares) / len(shares):.0f} %" if shares else ""

    def listed(start: str) -> list:
        return ways_and_reasons([(row["model"], row["how"], row["status"].split(": ", 1)[1]) for row in rows if row["status"].startswith(start)])

    head = [f"{len(done)} models of {len(names)}", *(f"{library}, {how}" for library, how in columns), "all"]
    lines = ["`zoo.py --prune` removes 30 % of what can be pruned, and PyTorch counts the rest (bench/zoo/pruning.py). What can be pruned is a "
             "share of the model's multiplications.", "",
             *markdown_table(head, [counts("pruned, verified, counted", "passed"), counts("refused with the reason", "refused"), counts("failed", "failed"),
                                    counts("not made by PyTorch", "not "),
                                    ["can be pruned, on average", *(mean(of(*column)) for column in columns), mean(rows)]])]  # fmt: skip
    for title, start in (("Failed to prune", "failed"), ("Refused to prune", "refused")):
        found = listed(start)
        lines += ["", f"### {title}", "", *(markdown_table(["model", "how", "reason"], found) if found else ["None."])]
    if found := ways_and_reasons([(row["model"], row["how"], row["untrained"]) for row in rows if "untrained" in row]):
        lines += ["", "### Pruned, but PyTorch cannot train the original either", "", *markdown_table(["model", "how", "reason"], found)]
    shares = [[row["model"], row["how"], f"{100 * prunable(row):.0f} %", row["groups"], row["stay"]] for row in rows if "went" in row]
    head = ["model", "how", "can be pruned", "groups of units", "layers that stay"]
    return [*lines, "", "<details><summary>Each model</summary>", "", *markdown_table(head, sorted(shares)), "", "</details>"]
