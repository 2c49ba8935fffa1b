"""Random models as data: statements that can be deleted one by one, written out as Python source.

The same program is written twice. As a model it is what somebody might have written. As an oracle each activation asks first whether it is
swapped, and is then computed by the target; what a spelling in place writes to is written to there as well. So the oracle is the model
with the activations replaced in plain PyTorch, by other means than actswap's.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field


@dataclass
class Op:
    """One line, or several, that make `out` of `ins`: text with {0}, {1}, ... and {o}."""

    out: str
    ins: list
    text: str
    attributes: dict = field(default_factory=dict)  # of self: name to constructor


@dataclass
class Act(Op):
    """An activation. With `module`, the attribute that applies it, the text calls that."""

    function: str = ""
    in_place: bool = False
    tag: int = 0
    module: str = ""


@dataclass
class Call(Op):
    """Of a function ("function", name), a method ("method", name) or a submodule ("block", class)."""

    callee: tuple = ()
    tag: int = 0


@dataclass
class Chain(Op):
    """Layers one after another. `style`: an nn.Sequential, or a ModuleList that is iterated over or indexed."""

    style: str = "sequential"
    items: list = field(default_factory=list)  # (constructor, None) or (constructor, Act)


@dataclass
class Body:
    statements: list
    result: str


@dataclass
class If(Op):  # the text is the condition
    then: Body = None
    orelse: Body = None


@dataclass
class For(Op):  # the text is what is iterated over; out begins as the first of ins
    body: Body = None


@dataclass
class Routine:
    """A function, or a method of a class."""

    name: str
    body: Body
    arguments: tuple = ("x",)
    returns: str = "Tensor"


@dataclass
class Class:
    name: str
    methods: list  # of Routine; forward is the last
    sharing: list = field(default_factory=list)  # lines of __init__ that make an object shared


@dataclass
class Program:
    functions: list
    classes: list  # the last is the model
    shapes: list  # of the inputs
    dtype: str
    traced: bool
    seed: int
    target: str
    sources: list


def bodies_in(statement: Op) -> list[Body]:
    if isinstance(statement, If):
        return [statement.then, statement.orelse]
    return [statement.body] if isinstance(statement, For) else []


def all_bodies(program: Program):
    """Every list of statements, the outer ones first."""
    todo = [routine.body for routine in program.functions] + [m.body for c in program.classes for m in c.methods]
    while todo:
        body = todo.pop(0)
        yield body
        todo += [inner for statement in body.statements for inner in bodies_in(statement)]


def statements_in(body: Body):
    for statement in body.statements:
        yield statement
        for inner in bodies_in(statement):
            yield from statements_in(inner)


# Source text -------------------------------------------------------------------------------------


class Writer:
    def __init__(self, program: Program, oracle: bool):
        self.program, self.oracle, self.lines = program, oracle, []

    def text(self) -> str:
        for function in self.program.functions:
            self.routine(function, 0, None)
        for described in self.program.classes:
            self.described(described)
        return "\n".join(self.lines) + "\n"

    def add(self, depth: int, text: str):
        self.lines += ["    " * depth + line for line in text.split("\n")]

    def described(self, described: Class):
        self.add(0, f"class {described.name}(nn.Module):")
        self.add(1, "def __init__(self):\n    super().__init__()\n    self.flag = True")
        known = set()
        for method in described.methods:
            for statement in statements_in(method.body):
                if isinstance(statement, Chain):
                    made = ", ".join(constructor for constructor, _ in statement.items)
                    container = f"nn.Sequential({made})" if statement.style == "sequential" else f"nn.ModuleList([{made}])"
                    self.add(2, f"self.{next(iter(statement.attributes))} = {container}")
                    continue
                for name, constructor in statement.attributes.items():
                    if name not in known:
                        known.add(name)
                        self.add(2, f"self.{name} = {constructor}")
        for line in described.sharing:
            self.add(2, line)
        for method in described.methods:
            self.routine(method, 1, described)

    def routine(self, routine: Routine, depth: int, owner: Class | None):
        first = ["self"] if owner else (["_self", "_chain"] if self.oracle else [])
        arguments = ", ".join(first + [f"{name}: Tensor" for name in routine.arguments])
        self.add(depth, f"def {routine.name}({arguments}) -> {routine.returns}:")
        self.owner, self.chain = ("self", "()") if owner else ("_self", "_chain")
        if self.oracle and owner and routine.name == "forward":
            self.add(depth + 1, "_enter(self, '')")
        self.body(routine.body, depth + 1)
        self.add(depth + 1, f"return {routine.body.result}")

    def body(self, body: Body, depth: int):
        for statement in body.statements:
            self.statement(statement, depth)

    def statement(self, statement: Op, depth: int):
        text = statement.text.format(*statement.ins, o=statement.out, t="t_" + statement.out, x=(statement.ins or [""])[0])
        if isinstance(statement, If):
            self.add(depth, f"if {text}:")
            self.branch(statement.then, statement.out, depth + 1)
            self.add(depth, "else:")
            self.branch(statement.orelse, statement.out, depth + 1)
        elif isinstance(statement, For):
            self.add(depth, f"{statement.out} = {statement.ins[0]}\nfor _ in {text}:")
            self.branch(statement.body, statement.out, depth + 1)
        elif isinstance(statement, Chain):
            self.chain_of_layers(statement, depth)
        elif isinstance(statement, Act):
            self.act(statement, statement.ins[0], statement.out, text, statement.module, depth)
        elif isinstance(statement, Call) and self.oracle and statement.callee[0] == "function":
            self.add(depth, f"{statement.out} = {statement.callee[1]}({self.owner}, {self.chain} + ({statement.tag},), {statement.ins[0]})")
        else:
            self.add(depth, text)

    def branch(self, body: Body, out: str, depth: int):
        self.body(body, depth)
        self.add(depth, f"{out} = {body.result}")

    def act(self, act: Act, given: str, out: str, text: str, module: str, depth: int):
        if not self.oracle:
            return self.add(depth, text)
        self.add(depth, f"if _swapped({self.owner}, {self.chain}, {act.tag}, {module!r}):")
        self.add(depth + 1, f"{out} = _target({given}, {act.in_place})")
        self.add(depth, "else:")
        self.add(depth + 1, text)

    def chain_of_layers(self, chain: Chain, depth: int):
        name, out = next(iter(chain.attributes)), chain.out
        if not self.oracle and chain.style == "sequential":
            return self.add(depth, f"{out} = self.{name}({chain.ins[0]})")
        self.add(depth, f"{out} = {chain.ins[0]}")
        if not self.oracle and chain.style == "iterated":
            return self.add(depth, f"for m_{out} in self.{name}:\n    {out} = m_{out}({out})")
        if self.oracle and chain.style == "sequential":
            self.add(depth, f"_enter(self, '.{name}')")
        for i, (_, act) in enumerate(chain.items):
            text = f"{out} = self.{name}[{i}]({out})"
            if act is None:
                self.add(depth, text)
            else:
                self.act(act, out, out, text, f"{name}.{i}", depth)


HEADER = """import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing import Dict, List, Optional, Tuple


"""


def model_source(program: Program) -> str:
    return HEADER + Writer(program, False).text()


def oracle_source(program: Program) -> str:
    return HEADER + Writer(program, True).text()


# Deleting statements -----------------------------------------------------------------------------


def rename(body: Body, old: str, new: str):
    body.result = new if body.result == old else body.result
    for statement in body.statements:
        statement.ins = [new if name == old else name for name in statement.ins]
        for inner in bodies_in(statement):
            rename(inner, old, new)


def reads(body: Body) -> set:
    names = {body.result}
    for statement in body.statements:
        names |= set(statement.ins)
        for inner in bodies_in(statement):
            names |= reads(inner)
    return names


def clean(program: Program):
    """Deletes what nothing reads, functions and classes too."""
    changed = True
    while changed:
        changed = False
        for routine in [*program.functions, *(m for c in program.classes for m in c.methods)]:
            read = reads(routine.body)
            for body in [routine.body, *(b for s in statements_in(routine.body) for b in bodies_in(s))]:
                left = [s for s in body.statements if s.out in read]
                changed |= len(left) < len(body.statements)
                body.statements = left
        calls = [s for body in all_bodies(program) for s in body.statements if isinstance(s, Call)]
        called = {s.callee for s in calls}
        counts = len(program.functions), len(program.classes), sum(len(c.methods) for c in program.classes)
        program.functions = [f for f in program.functions if ("function", f.name) in called]
        program.classes = [c for c in program.classes[:-1] if ("block", c.name) in called] + program.classes[-1:]
        for described in program.classes:
            described.methods = [m for m in described.methods if m.name == "forward" or ("method", m.name) in called]
        changed |= counts != (len(program.functions), len(program.classes), sum(len(c.methods) for c in program.classes))


def smaller(program: Program):
    """Copies of the program that lack something."""
    yield from filter(is_sound, cuts(program))


def is_sound(program: Program) -> bool:
    """Each class but the model has a layer: without one it may be an activation itself, whose sites are its callers'. Each time round of a
    loop has a part in its result."""
    with_layers = all(any(name.startswith("l") for m in c.methods for s in statements_in(m.body) for name in s.attributes)
                      for c in program.classes[:-1])
    loops = [s for body in all_bodies(program) for s in body.statements if isinstance(s, For)]
    return with_layers and all(loop.out in reads(loop.body) for loop in loops)


def cuts(program: Program):
    for b, body in enumerate(all_bodies(program)):
        for i, statement in enumerate(body.statements):
            for replacement in [*statement.ins, "x"]:
                cut = copy.deepcopy(program)
                list(all_bodies(cut))[b].statements.pop(i)
                for whole in all_bodies(cut):  # names are unique in a program
                    rename(whole, statement.out, replacement)
                clean(cut)
                yield cut
            for k, inner in enumerate(bodies_in(statement)):  # the branch alone, or the loop's body once
                cut = copy.deepcopy(program)
                there = list(all_bodies(cut))[b]
                inner = bodies_in(there.statements[i])[k]
                if isinstance(statement, For):
                    rename(inner, statement.out, statement.ins[0])
                there.statements[i:i + 1] = inner.statements
                rename(there, statement.out, inner.result)
                clean(cut)
                yield cut
            if isinstance(statement, Chain) and len(statement.items) > 1:
                for k in range(len(statement.items)):
                    cut = copy.deepcopy(program)
                    list(all_bodies(cut))[b].statements[i].items.pop(k)
                    yield cut
    for c, described in enumerate(program.classes):
        if described.sharing:
            cut = copy.deepcopy(program)
            cut.classes[c].sharing = []
            yield cut
