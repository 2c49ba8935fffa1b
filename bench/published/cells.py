"""Makes the results of one network, method by method."""

import argparse
import json
import os
import sys
from functools import cached_property
from pathlib import Path

import torch

import packages
from common.process import Cost, Failed, run
from common.results import Results, commit
from judging import Judge, load, prepare
from methods import BY_COMMAND, CALIBRATED, KEPT_SHARE, LATENCY, ORIGINAL, PARTIAL, RIVALS, SENSITIVITY_EXAMPLES, SHORT_SECONDS, SWAP_ALONE, TRAINED
from methods import Recipe, keep, only, stages
from methods import options as convert_options
from networks import CASES

HERE = Path(__file__).parent


class Cells:
    def __init__(self, name: str, options: argparse.Namespace, results: Results):
        """@throws packages.Unavailable"""
        self.name, self.options, self.results = name, options, results
        self.network, self.case = CASES[name]
        self.data = prepare(self.network, options.out)
        if any(method.startswith(LATENCY) for method in options.methods) and not options.short:
            packages.install(packages.ONNX_RUNTIME)
        self.folder = self.data / (f"{name}-short" if options.short else name)
        self.folder.mkdir(exist_ok=True)
        self.judge = Judge(self.network, self.data)
        self.load = os.getloadavg()[0]
        torch.set_num_threads(options.threads)

    def make(self, method: str) -> dict:
        """@returns the result, without the entries that keep() adds

        @throws Failed
        """
        self.load = os.getloadavg()[0]
        if method == ORIGINAL:
            sites = [site for site in self.inspected["sites"] if site["selected"]]
            parameters = self.inspected["model"]["parameters"]
            return {**self.judged(self.data / "model.pt"), "sites": len(sites), "parameters": parameters, "forward": round(self.judge.forward_seconds(), 2)}
        if method in BY_COMMAND:
            return self.converted(method)
        if method in RIVALS:
            return self.distilled(method, RIVALS[method])
        return self.timed(method.removeprefix(LATENCY))

    def keep(self, method: str, row: dict) -> None:
        machine = {"threads": self.options.threads, "processors": os.cpu_count(), "load": round(self.load, 1)}
        self.results.add({"network": self.name, "method": method, **row, **machine, "commit": self.commit})
        if values := row.get("test"):
            metric = self.network.deciding(self.case)
            print(f"{self.name}, {method}: {metric.name} {values[metric.name]:.{metric.digits}f}", flush=True)
        else:
            print(f"{self.name}, {method}: {row.get('error') or 'measured'}", flush=True)

    def path(self, method: str) -> Path:
        return self.folder / f"{method.replace(',', '').replace(' ', '_')}.pt"

    def judged(self, path: Path) -> dict:
        model = load(path)
        return {part: self.judge.values(model, part) for part in ("val", "test")}

    def converted(self, method: str) -> dict:
        cost = self.convert(convert_options(method, self.network, self.case, self.data, self.options.short), self.path(method))
        row = {**self.judged(self.path(method)), **cost.row(), "forward": round(self.judge.forward_seconds(), 2)}
        if method == PARTIAL:
            row["kept"] = json.loads((self.path(method).with_suffix(".pt.run") / "run.json").read_text())["partial"]["kept"]
        return row

    def convert(self, words: list, output: Path) -> Cost:
        output.unlink(missing_ok=True)
        return self.run(self.options.command, "convert", self.data / "model.pt", "-o", output, *words, "-q")[1]

    def run(self, *command: object) -> tuple:
        return run(list(command), self.options.threads)

    def distilled(self, method: str, recipe: Recipe) -> dict:
        kept = []
        if recipe.kept_share:
            kept = self.most_sensitive(recipe.kept_share)
        students = []
        for number, sites in enumerate(stages([site for site in self.sites if site not in kept], recipe.stages)):
            students.append(self.folder / f"stage_{number}.pt")
            self.convert([*self.case.options, "--epochs", 0, *(only(sites) if recipe.stages > 1 else keep(kept))], students[-1])
        seconds = SHORT_SECONDS if self.options.short else self.equal_seconds
        rates = recipe.rates[:1] if self.options.short else recipe.rates
        printed, cost = self.run(sys.executable, HERE / "rivals.py", self.name, "--folder", self.data, "--students", *students,
                                 "--rates", *rates, "--seconds", seconds, "-o", self.path(method))  # fmt: skip
        more = {"kept": len(kept)} if kept else {}
        # The trials of the rates, which took half as long, do not count.
        more.update(processor=seconds, megabytes=cost.row()["megabytes"])
        return {**self.judged(self.path(method)), **json.loads(printed.splitlines()[-1]), **more}

    def timed(self, method: str) -> dict:
        same_operators = (CALIBRATED, TRAINED, SWAP_ALONE) if method == CALIBRATED else (method,)
        export = next((path for path in map(self.path, same_operators) if path.exists()), None)
        if not export:
            raise Failed(["latency.py"], 1, f"{method} made no export")
        words = ["--threads", 1, "--seconds", 2, "--no-onnx"] if self.options.short else ["--threads", 1, 2]
        files = [self.data / "model.pt", export, "--data", self.data / "val.pt"]
        printed, _cost = run([sys.executable, HERE / "latency.py", self.name, *files, *words], 2)
        return {"latency": json.loads(printed.splitlines()[-1])}

    @cached_property
    def commit(self) -> str:
        return commit()

    @cached_property
    def inspected(self) -> dict:
        printed, _cost = self.run(self.options.command, "inspect", self.data / "model.pt", *self.case.options, "--json", "-q")
        return json.loads(printed)

    @cached_property
    def sites(self) -> list:
        """The ids of the swapped sites, in the order of the code."""
        return [site["id"] for site in self.inspected["sites"] if site["selected"]]

    @cached_property
    def sensitivity(self) -> list:
        """What the command prints for each site, without labels: on val, against the original's outputs."""
        printed, _cost = self.run(self.options.command, "sensitivity", self.data / "model.pt", "--val", self.data / "val.pt", *self.case.options,
                                 "--limit", SENSITIVITY_EXAMPLES, "--json", "-q")  # fmt: skip
        return json.loads(printed)["sites"]

    def most_sensitive(self, share: float) -> list:
        """The ids of the sites whose swap alone costs most."""
        worst = sorted(self.sensitivity, key=lambda site: site["loss"], reverse=True)
        return [site["id"] for site in worst[: max(1, round(share * len(worst)))]]

    @property
    def equal_seconds(self) -> float:
        """Processor time of the command's training and everything before it; without a training, of its calibration."""
        for method in (TRAINED, CALIBRATED):
            if row := self.results.find((self.name, method)):
                if "processor" in row:
                    return row["processor"]
        raise Failed(["rivals.py"], 1, f"expected the time of '{TRAINED}' or '{CALIBRATED}' in the results; make one of them first")
