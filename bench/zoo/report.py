"""Writes the two parts of docs/zoo.md, each from the results of one pass."""

import sys
from importlib.metadata import version
from pathlib import Path

import pruning
from shared import markdown_table, ways_and_reasons

sys.path.append(str(Path(__file__).resolve().parents[1]))

from common.page import put  # noqa: E402

SCRIPT = "bench/zoo/zoo.py"
LIBRARIES = ["torchvision", "timm"]
COLUMNS = [(library, how) for library in LIBRARIES for how in ("scripted", "traced")]


def write_pruned(page: Path, rows: list, names: list) -> None:
    put(page, SCRIPT, [*pruning.tables(rows, names, COLUMNS), "", ""], "pruning")


def write(page: Path, rows: list, names: list) -> None:
    packages = ["torch", "torchvision", "timm", "onnx", "onnxruntime", "pnnx"]

    def counts(title: str, holds) -> list:
        found = [sum(row["model"].startswith(library + ":") and row["how"] == how and holds(row) for row in rows) for library, how in COLUMNS]
        return [title, *found, sum(found)]

    def listed(key: str, start: str) -> list:
        return ways_and_reasons([(row["model"], row["how"], row[key].split(": ", 1)[1]) for row in rows if row.get(key, "").startswith(start)])

    status, onnx, ncnn = ({key: lambda row, key=key, field=field: row.get(field, "").startswith(key) for key in ("passed", "failed", "not ")}
                          for field in ("status", "onnx", "ncnn"))  # fmt: skip
    done = {row["model"] for row in rows}
    lines = [
        "This page shows what `bench/zoo/zoo.py` found; the head of the script says what it checks. These commands made it",
        "",
        "    bench/zoo/setup.sh",
        "    build/venv/bin/python bench/zoo/zoo.py",
        "    build/venv/bin/python bench/zoo/zoo.py --table",
        "",
        f"with {', '.join(f'{package} {version(package)}' for package in packages)}. Do not edit this page.",
        "",
        *markdown_table(
            [f"{len(done)} models of {len(names)}", *(f"{library}, {how}" for library, how in COLUMNS), "all"],
            [
                counts("passed", status["passed"]),
                counts("failed", status["failed"]),
                counts("not made by PyTorch", status["not "]),
                counts("sites swapped", lambda row: row.get("sites", 0)),
                counts("ONNX passed", onnx["passed"]),
                counts("ONNX failed", onnx["failed"]),
                counts("ONNX: PyTorch does not export the original either", onnx["not "]),
                counts("ncnn without the old functions", ncnn["passed"]),
                counts("ncnn failed", ncnn["failed"]),
                counts("ncnn: pnnx does not convert the original either", ncnn["not "]),
            ],
        ),
    ]
    sections = [
        ("Failed", "reason", listed("status", "failed")),
        ("ONNX failed", "reason", listed("onnx", "failed")),
        ("ncnn failed", "reason", listed("ncnn", "failed")),
        ("Not run", "reason", [[name, "both", "not in the results"] for name in names if name not in done]),
        ("What PyTorch cannot script or trace", "what PyTorch says", listed("status", "not ")),
        ("What PyTorch's exporter to ONNX cannot do with the original either", "what it says", listed("onnx", "not ")),
    ]
    for title, what, found in sections:
        lines += ["", f"## {title}", "", *(markdown_table(["model", "how", what], found) if found else ["None."])]
    passed = ways_and_reasons([(row["model"], row["how"], "") for row in rows if row["status"] == "passed"])
    lines += ["", "## Passed", "", f"<details><summary>{len(passed)} models</summary>", ""]
    lines += [f"- {model}: {hows}" for model, hows, _ in passed] + ["", "</details>", ""]
    put(page, SCRIPT, lines)
