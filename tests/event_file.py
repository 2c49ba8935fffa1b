#!/usr/bin/env python3
"""Reads the event file of a run's folder by the tensorboard package and compares it with run.json.

    tests/event_file.py RUN

Exit code 77, with the reason, where the package is missing; 1 with what differs.
"""
import json
import math
import pathlib
import sys

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata
except ImportError as missing:
    print(f"skipped: {missing} (pip install tensorboard)")
    sys.exit(77)


def expected_scalars(run):
    """By tag, a list of (step, value)."""
    scalars = {}

    def add(tag, step, value):
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            scalars.setdefault(tag, []).append((step, value))

    for model in ("original", "swap_alone", "calibrated", "pruned", "retargeted", "control"):
        add(f"metric/{model}", 0, run.get(model))
    for layer in run.get("calibration", {}).get("layers", []):
        add(f"layer_error/{layer['name']}", 0, layer["error_before"])
        add(f"layer_error/{layer['name']}", 1, layer["error_after"])
    for site in run["sites"]:
        add(f"site_error/{site['id']}", 0, site.get("error", {}).get("swap"))
        add(f"site_error/{site['id']}", 1, site.get("error", {}).get("exported"))
    return scalars


def main():
    folder = pathlib.Path(sys.argv[1])
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    faults = []
    found = {tag: [(each.step, each.value) for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    for tag, values in expected_scalars(run).items():
        same = len(found.get(tag, [])) == len(values) and all(
            a[0] == b[0] and math.isclose(a[1], b[1], rel_tol=1e-6, abs_tol=1e-30) for a, b in zip(found[tag], values)
        )
        if not same:
            faults.append(f"{tag}: expected {values}, found {found.get(tag)}")
    if run.get("trained"):
        steps = {quantity: found.get(f"retarget/{quantity}", []) for quantity in ("loss", "t", "learning_rate")}
        last = run["epochs"][-1]
        for quantity, values in steps.items():
            if not values or values[-1][0] != last["step"]:
                faults.append(f"retarget/{quantity}: expected a last step {last['step']}, found {values[-1:]}")
    start = events.summary_metadata.get(metadata.SESSION_START_INFO_TAG)
    if start is None:
        faults.append("there are no hparams")
    else:
        hparams = metadata.parse_session_start_info_plugin_data(start.plugin_data.content).hparams
        if hparams["recipe"].string_value != run["recipe"]:
            faults.append(f"hparams: expected recipe '{run['recipe']}', found '{hparams['recipe'].string_value}'")
        if run.get("trained") and not math.isclose(hparams["learning_rate"].number_value, run["training"]["learning_rate"]):
            faults.append(f"hparams: learning_rate {hparams['learning_rate'].number_value}")
    for fault in faults:
        print(fault)
    print(f"{len(found)} tags, {sum(map(len, found.values()))} values")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
