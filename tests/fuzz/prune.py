#!/usr/bin/env python3
"""Random small models without some of their units, against PyTorch.

usage: prune.py --program PRUNE_MANY [--models 200] [--seed 1] [--only I]

Each model is drawn by its number: layers of random widths, and between them whatever couples their channels (sums, concatenations, gates,
splits, norms, heads, shuffles, reshapes with the sizes in code, branches, shared modules, tied weights) or mixes them. It is scripted or
traced and given to prune_many. The model without some of its units, loaded in PyTorch, must give what the model gives with nothing that
reads them, on other inputs too. The exit status is 1 where any did not, and also where hardly any unit was found: then nothing was tested.
"""

from __future__ import annotations

import argparse
import json
import linecache
import random
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch
from torch import nn  # noqa: F401  the drawn code uses it

warnings.filterwarnings("ignore")
TOLERANCE = 1e-9  # in double; sums in another order
ACTIVATIONS = ["torch.relu({0})", "F.silu({0})", "F.mish({0})", "F.gelu({0})", "F.relu({0}, True)", "torch.sigmoid({0})", "{0} * 0.7 + 0.1", "F.hardswish({0})",
               "F.leaky_relu({0}, 0.1)", "torch.clamp({0}, -0.5, 0.5)", "F.dropout({0}, 0.1, self.training)", "{0}.tanh_()"]


class Generator:
    """Source of a module. Values are (name, sizes) with channels in dimension 1, or last behind linear layers."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.attributes, self.code, self.counter = [], [], 0
        self.is_image = self.random.random() < 0.6
        self.traced = self.random.random() < 0.5
        self.input = [2, 3, 6, 6] if self.is_image else [2, 4, 6]
        self.values = []

    def new(self, text: str, sizes: list) -> tuple:
        self.counter += 1
        name = f"v{self.counter}"
        self.code.append(f"{name} = {text}")
        self.values.append((name, sizes))
        return self.values[-1]

    def module(self, text: str) -> str:
        self.counter += 1
        self.attributes.append(f"self.m{self.counter} = {text}")
        return f"self.m{self.counter}"

    def dim(self) -> int:
        return 1 if self.is_image else 2

    def width(self) -> int:
        return self.random.choice([4, 6, 8, 12])

    def pick(self) -> tuple:
        return self.random.choices(self.values, range(1, len(self.values) + 1))[0]

    def like(self, value: tuple) -> tuple | None:
        found = [v for v in self.values if v[1] == value[1] and v[0] != value[0]]
        return self.random.choice(found) if found else None

    def resized(self, sizes: list, channels: int) -> list:
        sizes = list(sizes)
        sizes[self.dim()] = channels
        return sizes

    # Steps ---------------------------------------------------------------------------------------

    def layer(self, value: tuple, width: int) -> tuple:
        channels = value[1][self.dim()]
        if not self.is_image:
            return self.new(f"{self.module(f'nn.Linear({channels}, {width}, bias={self.random.random() < 0.7})')}({value[0]})", self.resized(value[1], width))
        kernel = self.random.choice(["1", "3, padding=1", "3, padding='same'"])
        return self.new(f"{self.module(f'nn.Conv2d({channels}, {width}, {kernel}, bias={self.random.random() < 0.5})')}({value[0]})", self.resized(value[1], width))

    def widen(self):
        self.layer(self.pick(), self.width())

    def norm(self):
        name, sizes = self.pick()
        channels = sizes[self.dim()]
        kinds = [f"nn.BatchNorm2d({channels})", f"nn.GroupNorm(2, {channels})", f"nn.InstanceNorm2d({channels}, affine=True)"] if self.is_image else [f"nn.LayerNorm({channels})"]
        if (self.is_image or self.random.random() < 0.2) and channels % 2 == 0:
            self.new(f"{self.module(self.random.choice(kinds))}({name})", sizes)

    def activation(self):
        name, sizes = self.pick()
        text = self.random.choice(ACTIVATIONS)
        if text.endswith("_()") or "True" in text:
            name = f"({name} + 0.1)"
        self.new(text.format(name), sizes)

    def residual(self):
        value = self.pick()
        channels = value[1][self.dim()]
        inner = self.layer(self.layer(value, self.width()), channels)
        self.new(self.random.choice(["{0} + {1}", "{0} + 0.5 * {1}", "torch.add({0}, {1})", "{0} * {1}", "torch.maximum({0}, {1})"]).format(value[0], inner[0]), value[1])

    def add(self):
        value = self.pick()
        other = self.like(value)
        if other:
            self.new(f"{value[0]} - {other[0]}", value[1])

    def concatenate(self):
        value = self.pick()
        others = [v for v in self.values if self.resized(v[1], 0) == self.resized(value[1], 0)]
        other = self.random.choice(others)
        channels = value[1][self.dim()] + other[1][self.dim()]
        if channels <= 24:
            self.new(f"torch.cat([{value[0]}, {other[0]}], {self.dim()})", self.resized(value[1], channels))

    def parts(self):
        name, sizes = self.pick()
        channels = sizes[self.dim()]
        kind = self.random.choice(["chunk", "split", "sizes", "slice", "narrow"])
        if channels % 4 or channels < 8:
            return
        first = channels // 4 if kind in ("sizes", "slice", "narrow") else channels // 2
        text = {"chunk": f"{name}.chunk(2, {self.dim()})[%d]", "split": f"torch.split({name}, {first}, {self.dim()})[%d]",
                "sizes": f"{name}.split([{first}, {channels - first}], {self.dim()})[%d]"}
        cut = ":, " * self.dim()
        pairs = {"slice": (f"{name}[{cut}:{first}]", f"{name}[{cut}{first}:]"),
                 "narrow": (f"{name}.narrow({self.dim()}, 0, {first})", f"{name}.narrow({self.dim()}, {first}, {channels - first})")}
        one, two = pairs.get(kind) or (text[kind] % 0, text[kind] % 1)
        self.new(one, self.resized(sizes, first))
        self.new(two, self.resized(sizes, channels - first))

    def gate(self):
        value = self.pick()
        name, sizes = value
        channels = sizes[self.dim()]
        if self.is_image:
            inner = self.width()
            a, b = self.module(f"nn.Conv2d({channels}, {inner}, 1)"), self.module(f"nn.Conv2d({inner}, {channels}, 1)")
            self.new(f"{name} * torch.sigmoid({b}(torch.relu({a}({name}.mean([2, 3], keepdim=True)))))", sizes)
        else:
            gate = self.module(f"nn.Linear({channels}, {channels})")
            self.new(f"{name} * torch.sigmoid({gate}({name}))", sizes)

    def glu(self):
        name, sizes = self.pick()
        if sizes[self.dim()] % 2:
            return
        self.new(f"F.glu({name}, {self.dim()})", self.resized(sizes, sizes[self.dim()] // 2))

    def grouped(self):
        name, sizes = self.pick()
        if self.is_image:
            channels = sizes[1]
            if channels % 2:
                return
            groups = self.random.choice([2, channels])
            wide = channels * self.random.choice([1, 2])
            self.new(f"{self.module(f'nn.Conv2d({channels}, {wide}, 3, padding=1, groups={groups})')}({name})", self.resized(sizes, wide))

    def pool(self):
        name, sizes = self.pick()
        if self.is_image:
            self.new(self.random.choice(["F.max_pool2d({0}, 3, 1, 1)", "F.avg_pool2d({0}, 3, 1, 1)",
                                         "F.interpolate({0}, scale_factor=2.0)[:, :, ::2, ::2]", "F.pad({0}, [1, 0, 0, 1])[:, :, 1:, 1:]"]).format(name), sizes)

    def shuffle(self):
        name, sizes = self.pick()
        if self.is_image:
            b, c, h, w = sizes
            if c % 2:
                return
            view = self.random.choice([f"{name}.view({b}, 2, {c // 2}, {h}, {w})", f"{name}.reshape({name}.size(0), 2, -1, {h}, {w})",
                                       f"{name}.unflatten(1, [2, {c // 2}])"])
            back = self.random.choice([f"reshape({b}, {c}, {h}, {w})", "flatten(1, 2)", f"reshape({b}, -1, {h}, {w})"])
            self.new(f"{view}.transpose(1, 2).{back}", sizes)

    def transposed(self):
        name, sizes = self.pick()
        if self.is_image:
            b, c, h, w = sizes
            layer = self.module(f"nn.Linear({c}, {c})")
            self.new(f"{layer}({name}.flatten(2).transpose(1, 2)).transpose(1, 2).reshape({b}, {c}, {h}, {w})", sizes)
        else:
            b, t, c = sizes
            layer = self.module(f"nn.Linear({t}, {t})")
            self.new(f"{layer}({name}.permute(0, 2, 1)).permute(0, 2, 1)", sizes)

    def attention(self):
        name, sizes = self.pick()
        if self.is_image:
            return
        b, t, c = sizes
        heads, size = self.random.choice([2, 3]), self.random.choice([2, 4])
        if c % heads == 0 and self.random.random() < 0.4:
            layer = self.module(f"nn.MultiheadAttention({c}, {heads}, batch_first=True)")
            mask = self.random.choice(["", f", key_padding_mask={name}[:, :, 0] > 4.0"])
            self.new(f"{name} + {layer}({name}, {name}, {name}, need_weights={self.random.random() < 0.5}{mask})[0]", sizes)
            return
        wide = heads * size
        end = self.module(f"nn.Linear({wide}, {c})")
        q = f"v{self.counter}q"
        if self.random.random() < 0.5:
            qkv = self.module(f"nn.Linear({c}, {3 * wide})")
            self.code.append(f"{q} = {qkv}({name}).reshape({b}, {t}, 3, {heads}, {size}).permute(2, 0, 3, 1, 4)")
            parts = [f"{q}[{i}]" for i in range(3)]
        else:
            layers = [self.module(f"nn.Linear({c}, {wide})") for _ in range(3)]
            parts = [f"{layer}({name}).view({b}, {t}, {heads}, {size}).transpose(1, 2)" for layer in layers]
        if self.random.random() < 0.5:
            mixed = f"F.scaled_dot_product_attention({', '.join(parts)})"
        else:
            mixed = f"torch.matmul(torch.softmax(torch.matmul({parts[0]}, {parts[1]}.transpose(-2, -1)) * 0.3, -1), {parts[2]})"
        back = self.random.choice([f"reshape({b}, {t}, {wide})", "flatten(2)", f"reshape({b}, {t}, -1)"])
        self.new(f"{name} + {end}({mixed}.transpose(1, 2).{back})", sizes)

    def twice(self):
        value = self.pick()
        channels = value[1][self.dim()]
        made = f"nn.Conv2d({channels}, {channels}, 1)" if self.is_image else f"nn.Linear({channels}, {channels})"
        layer = self.module(made)
        self.new(f"torch.relu({layer}(torch.relu({layer}({value[0]}))))", value[1])

    def tied(self):
        value = self.pick()
        channels = value[1][self.dim()]
        if not self.is_image:
            first, second = self.module(f"nn.Linear({channels}, 8, bias=False)"), self.module(f"nn.Linear(8, {channels}, bias=False)")
            self.attributes.append(f"{second}.weight = nn.Parameter({first}.weight.detach().t().contiguous())" if self.random.random() < 0.3
                                   else f"{second}.extra = {first}.weight")
            self.new(f"{second}(torch.relu({first}({value[0]}))) + F.linear(F.linear({value[0]}, {first}.weight), {first}.weight.t())", value[1])

    def factor(self):
        name, sizes = self.pick()
        shape = [1] * len(sizes)
        shape[self.dim()] = sizes[self.dim()]
        self.counter += 1
        self.attributes.append(f"self.p{self.counter} = nn.Parameter(torch.rand({shape}) + 0.5)")
        self.new(f"{name} * self.p{self.counter}", sizes)

    def mixes(self):
        name, sizes = self.pick()
        dim = self.dim()
        self.new(self.random.choice(["torch.softmax({0}, {1})", "torch.cumsum({0}, {1})", "{0} - {0}.mean({1}, keepdim=True)", "torch.flip({0}, [{1}])",
                                     "torch.roll({0}, 1, {1})", "F.normalize({0}, dim={1})", "{0} + {0}.amax({1}, keepdim=True)",
                                     "torch.sort({0}, {1})[0]"]).format(name, dim), sizes)

    def branch(self):
        name, sizes = self.pick()
        if self.traced:
            return
        self.counter += 1
        out = f"v{self.counter}"
        condition = self.random.choice([f"{name}.size(0) > 1", f"{name}.dim() == 7", "self.training", f"bool({name}.sum() > 0.3)", f"{name}.size({self.dim()}) == {sizes[self.dim()]}"])
        other = self.like((name, sizes)) or (name, sizes)
        self.code += [f"if {condition}:", f"    {out} = torch.relu({name})", "else:", f"    {out} = {other[0]} * 0.5"]
        self.values.append((out, sizes))

    def source(self) -> str:
        self.values.append(("x", self.input))
        self.layer(self.values[0], self.width())
        steps = [self.widen] * 4 + [self.norm, self.activation] * 2 + [
            self.residual, self.add, self.concatenate, self.parts, self.gate, self.glu, self.grouped, self.pool, self.shuffle, self.transposed, self.attention,
            self.twice, self.tied, self.factor, self.branch]
        for _ in range(self.random.randint(4, 14)):
            self.random.choice(steps)()
        if self.random.random() < 0.2:
            self.mixes()
        result = self.pick()
        if self.is_image and self.random.random() < 0.5:
            b, c, h, w = result[1]
            flat = self.random.choice(["flatten(1)", f"view({b}, {c * h * w})", f"reshape({b}, -1)"])
            self.code.append(f"y = {self.module(f'nn.Linear({c * h * w}, 5)')}({result[0]}.contiguous().{flat})")
        else:
            result = self.layer(result, 5)
            self.code.append(f"y = {result[0]}")
        if self.random.random() < 0.1:
            self.code.append(f"y = y.sum() + {self.pick()[0]}")
        lines = ["class Model(nn.Module):", "    def __init__(self):", "        super().__init__()"]
        lines += [f"        {line}" for line in self.attributes]
        lines += ["    def forward(self, x):"] + [f"        {line}" for line in self.code] + ["        return y"]
        return "\n".join(lines)


def execute(source: str, number: int):
    file = f"<model {number}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    names = {"torch": torch, "nn": nn, "F": nn.functional}
    exec(compile(source, file, "exec"), names)
    return names["Model"]


class Failure(Exception):
    pass


def check(number: int, process, folder: Path) -> tuple[int, int]:
    """How many groups and layers that stay there are."""
    generator = Generator(number)
    source = generator.source()
    torch.manual_seed(number)
    model = execute(source, number)().double().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(), module.running_var.uniform_(0.5, 2.0)
    x = torch.randn(generator.input, dtype=torch.float64)
    script = torch.jit.trace(model, x, check_trace=False) if generator.traced else torch.jit.script(model)
    script.save(str(folder / "model.pt"))
    torch.save((x,), folder / "inputs.pt")
    request = {"model": str(folder / "model.pt"), "inputs": str(folder / "inputs.pt"), "out": str(folder / "out"),
               "share": generator.random.choice([0.2, 0.5, 0.9]), "seed": number}
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise Failure(f"prune_many died\n{source}")
    answer = json.loads(line)
    if "error" in answer:
        raise Failure(f"{answer['kind']}: {answer['error']}\n{source}")
    smaller, silent = (torch.jit.load(str(folder / f"out.{kind}.pt")) for kind in ("cut", "silent"))
    for scale in (1.0, 0.2, -3.0):
        found, wanted = smaller(x * scale), silent(x * scale)
        if found.shape != wanted.shape:
            raise Failure(f"shape {tuple(found.shape)} instead of {tuple(wanted.shape)}\n{source}")
        difference = (found - wanted).abs().max().item()
        if not difference <= TOLERANCE * max(1.0, wanted.abs().max().item()):
            raise Failure(f"outputs differ by {difference}\n{source}")
    if sum(p.numel() for p in smaller.parameters()) != answer["after"]["parameters"]:
        raise Failure(f"{answer['after']['parameters']} parameters were promised\n{source}")
    trials = [entry for entry in answer.get("rest") or [] if "a trial" in entry[1]]
    if trials:
        print(f"model {number}: caught by the trial: {trials}", flush=True)
    return len(answer.get("groups") or []), len(answer.get("rest") or [])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    numbers = [arguments.only] if arguments.only is not None else range(arguments.seed * 100000, arguments.seed * 100000 + arguments.models)
    failures = groups = rest = 0
    process = subprocess.Popen([arguments.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            try:
                found = check(number, process, Path(folder))
                groups, rest = groups + found[0], rest + found[1]
            except Failure as failure:
                failures += 1
                print(f"model {number}: {failure}", flush=True)
                if process.poll() is not None:
                    process = subprocess.Popen([arguments.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.close()
    process.wait()
    print(f"{len(numbers)} models, {groups} groups of units, {rest} layers that stay, {failures} failures")
    return 1 if failures or (len(numbers) > 20 and groups < len(numbers)) else 0


if __name__ == "__main__":
    sys.exit(main())
