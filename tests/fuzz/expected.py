"""Which sites a program has by construction, and which of them those are that actswap lists."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from programs import Act, Call, Chain, Program, Torn, bodies_in


@dataclass
class Use:
    """An activation in one place of the code of one object; in a trace, each time that it ran."""

    key: object  # as the oracle asks for it
    function: str
    places: list  # (module path, method) where actswap may list it, or None: its own module, the nn.Sequential around that, the code
    optional: bool = False

    @property
    def is_torn_gate(self) -> bool:
        """A sigmoid of a Torn."""
        return self.optional and self.function == "sigmoid"


def torn_use(place: tuple) -> Use:
    return Use(None, "silu", [None, None, place], True)


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def uses_in_code(program: Program, first_names: dict) -> list[Use]:
    """Of a scripted model: in the order of the code, once for each path, since scripting makes several objects of one that has several. The
    keys have the first of its paths, as the oracle does."""
    classes = {c.name: c for c in program.classes}
    functions = {f.name: f for f in program.functions}
    found, visited = [], set()

    def add(act: Act, path: str, method: str, chain: tuple, module: str, around: str):
        own = (join(path, module), "forward") if module else None
        middle = (join(path, around), "forward") if around else None
        found.append(Use((first_names[path], chain, act.tag), act.function, [own, middle, (path, method)], act.torn))

    def walk(body, path: str, method: str, chain: tuple):
        for statement in body.statements:
            if isinstance(statement, Act):
                add(statement, path, method, chain, statement.module, "")
            elif isinstance(statement, Torn):
                found.append(torn_use((path, method)))
            elif isinstance(statement, Chain):
                name = next(iter(statement.attributes))
                for i, (_, act) in enumerate(statement.items):
                    if act is not None:
                        add(act, path, method, chain, f"{name}.{i}", name if statement.style == "sequential" else "")
            elif isinstance(statement, Call):
                kind, callee = statement.callee
                if kind == "function":
                    walk(functions[callee].body, path, method, chain + (statement.tag,))
                elif kind == "block":
                    enter(classes[callee], join(path, next(iter(statement.attributes))))
            for inner in bodies_in(statement):
                walk(inner, path, method, chain)

    def enter(described, path: str):
        if path not in visited:
            visited.add(path)
            for method in described.methods:
                walk(method.body, path, method.name, ())

    enter(program.classes[-1], "")
    return found


class Run:
    """What the oracle's code asks while it runs."""

    def __init__(self, program: Program, first_names: dict, target):
        self.program, self.first_names, self.target = program, first_names, target
        acts = [s for c in program.classes for m in c.methods for s in every(m.body)] + [s for f in program.functions for s in every(f.body)]
        self.acts = {act.tag: act for act in acts}
        self.start(set())

    def start(self, swapped: set):
        self.swapped, self.uses, self.calls = swapped, [], defaultdict(int)

    def enter(self, module, suffix: str):
        self.calls[self.first_names[(module._path + suffix).lstrip(".")]] += 1

    def is_swapped(self, module, chain: tuple, tag: int, applied_by: str) -> bool:
        if not self.program.traced:
            return (module._path, chain, tag) in self.swapped
        path = module._path
        places = [None, None, (path, self.method(path))]
        if applied_by:
            own = self.first_names[join(path, applied_by)]
            self.calls[own] += 1
            around = join(path, applied_by.rpartition(".")[0])
            places[0] = (own, self.method(own))
            places[1] = (around, self.method(around)) if "." in applied_by and self.calls[around] else None
        self.uses.append(Use(len(self.uses), self.acts[tag].function, places, self.acts[tag].torn))
        return len(self.uses) - 1 in self.swapped

    def torn(self, module):
        if self.program.traced:
            self.uses.append(torn_use((module._path, self.method(module._path))))

    def method(self, path: str) -> str:
        """Tracing calls the second call's code forward1."""
        return "forward" + (str(self.calls[path] - 1) if self.calls[path] > 1 else "")

    def apply_target(self, x, in_place: bool):
        y = self.target(x)
        return x.copy_(y) if in_place else y

    def names(self) -> dict:
        return {"_enter": self.enter, "_swapped": self.is_swapped, "_torn": self.torn, "_target": self.apply_target}


def every(body):
    for statement in body.statements:
        if isinstance(statement, Act):
            yield statement
        if isinstance(statement, Chain):
            yield from (act for _, act in statement.items if act is not None)
        for inner in bodies_in(statement):
            yield from every(inner)


@dataclass
class Assignment:
    pairs: list  # (Use, site)
    missing: list  # uses that no site stands for
    unexpected: list  # sites that stand for no use


def assign(uses: list[Use], sites: list[dict], first_names: dict) -> Assignment:
    """A site stands for the use of its function in its place; several in one place are in the order of the code."""
    groups = defaultdict(list)
    for site in sites:
        path = first_names.get(site["module"], site["module"])
        groups[((path, site["method"]), site["activation"])].append(site)
    for group in groups.values():
        group.sort(key=lambda site: site["ordinal"])
    pairs, left = [], list(uses)
    for level in range(3):
        here = defaultdict(list)
        for use in left:
            if use.places[level] is not None:
                here[(use.places[level], use.function)].append(use)
        for place, group in here.items():
            found = groups.get(place, [])
            if level == 0 and len(found) == 1:  # one object that is applied at several places
                found = found * len(group)
            required = [use for use in group if not use.optional]
            if len(found) in (len(group), len(required)):
                pairs += list(zip(group if len(found) == len(group) else required, found))
                left = [use for use in left if use not in group]
                groups.pop(place, None)
    return Assignment(pairs, [use for use in left if not use.optional], [site for group in groups.values() for site in group])
