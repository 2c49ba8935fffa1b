"""Draws random programs (programs.py): layers, activations in every spelling, views, containers, branches, loops, calls."""

from __future__ import annotations

import random
from dataclasses import dataclass

from programs import Act, Body, Call, Chain, Class, For, If, Op, Program, Routine, Torn, clean, statements_in
from spellings import FUNCTIONS, ROW_OF, TARGETS

# Shapes that all tensors of a model but its views have, and layers that keep them.
FAMILIES = {
    "vector": ((3, 6), ["nn.Linear(6, 6)", "nn.Linear(6, 6, bias=False)", "nn.LayerNorm(6)", "nn.BatchNorm1d(6)", "nn.GroupNorm(2, 6)"]),
    "sequence": ((2, 4, 6), ["nn.Linear(6, 6)", "nn.LayerNorm(6)", "nn.Conv1d(4, 4, 3, padding=1)"]),
    "signal": ((2, 4, 7), ["nn.Conv1d(4, 4, 3, padding=1)", "nn.ConvTranspose1d(4, 4, 3, padding=1)", "nn.BatchNorm1d(4)",
                           "nn.AvgPool1d(3, 1, 1)", "nn.MaxPool1d(3, 1, 1)"]),
    "image": ((2, 4, 5, 5), ["nn.Conv2d(4, 4, 3, padding=1)", "nn.Conv2d(4, 4, 1, bias=False)", "nn.Conv2d(4, 4, 3, padding=1, groups=4)",
                             "nn.BatchNorm2d(4)", "nn.GroupNorm(2, 4)", "nn.AvgPool2d(3, 1, 1)", "nn.MaxPool2d(3, 1, 1)"]),
}

# Of a tensor of any shape but of no dimension: other names of it, or parts of it, in the same memory.
ALIASES = ["{0}", "{0}.view_as({0})", "{0}.detach()", "{0}.contiguous()", "{0}.view({0}.shape)", "{0}.reshape({0}.shape)", "{0}.to({0}.dtype)",
           "{0}.type_as({0})", "F.dropout({0}, 0.3, False)", "torch.positive({0})", "{0}.expand_as({0})", "{0}.unsqueeze(0).squeeze(0)",
           "{0}.clone()", "torch.alpha_dropout({0}, 0.1, False)", "{0}.unflatten(0, [-1, 1]).flatten(0, 1)", "{0}.swapaxes(0, -1).swapaxes(0, -1)",
           "{0}.narrow(0, 0, {0}.size(0))", "{0}.resolve_conj()", "{0}.conj()"]
VIEWS = ["{0}.view(-1)", "{0}.ravel()", "{0}.flatten()", "{0}.reshape(-1)", "{0}[0]", "{0}[1:]", "{0}[..., 0]", "{0}.select(0, 1)",
         "{0}.narrow(0, 0, 1)", "{0}.unsqueeze(0)", "{0}.unsqueeze(-1)", "{0}.chunk(2)[0]", "{0}.split(1)[1]", "{0}.unbind(0)[0]",
         "{0}.tensor_split(2)[0]", "torch.unbind({0})[1]", "{0}.squeeze()", "torch.atleast_2d({0})"]
# Those of at least two dimensions.
MATRIX_VIEWS = ["{0}.transpose(0, 1)", "{0}.movedim(0, 1)", "{0}.moveaxis(0, 1)", "{0}.swapdims(0, 1)", "{0}.mT", "{0}[:, 1:]", "{0}[:, 0]",
                "{0}.diagonal()", "{0}.flatten(0, 1)", "{0}.select(1, 0)", "{0}.chunk(2, 1)[1]", "{0}.split(2, 1)[1]",
                "torch.permute({0}, [1, 0])", "{0}.t()"]
OVERLAPPING = ["{0}.unfold(1, 2, 1)", "{0}.view(-1).expand(2, {0}.numel())", "{0}.view(-1).unfold(0, 3, 2)"]
MODULE_ALIASES = ["nn.Identity()", "nn.Dropout(0.2)"]
ARITHMETIC = ["{0} * 0.6", "{0} + 1e-3", "{0} - 0.2", "0.3 - {0}", "{0} / 1.7", "torch.sin({0})",
              "torch.cos({0})", "{0} * {0}.mean()"]
# Of what is smooth: other bounds of what has bounds are a function of the table.
CLAMPS = ["torch.clamp({0}, -0.7, 0.3)", "{0}.clamp(-0.2, 0.4)"]
FAR_CLAMPS = ["torch.clamp({0}, max=10.0)", "{0}.clamp(-30.0, 30.0)"]
BOUNDED = {"tanh", "sigmoid", "softsign", "logsigmoid"}
WRITES = ["{0} += 0.4\n{o} = {0}", "{o} = {0}.add_(0.3)", "{o} = {0}.mul_(0.7)", "{0}[0] = 0.5\n{o} = {0}", "{0} *= 0.8\n{o} = {0}",
          "{o} = {0}.copy_({0} * 0.9)", "{o} = {0}.masked_fill_({0} > 0.5, 0.5)", "{0}[0].add_(0.3)\n{o} = {0}", "{0}.view(-1)[0] = 0.1\n{o} = {0}"]
MATRIX_WRITES = ["{0}[..., 1:] += 0.2\n{o} = {0}", "{0}[:, 0] = 0.3\n{o} = {0}", "{0}.select(1, 0).mul_(0.6)\n{o} = {0}"]
CONDITIONS = ["{0}.size(0) > 1", "{0}.dim() == 7", "{0}.sum() > 0.37", "{0}.mean() < 0.1"]  # of a norm they are 0


@dataclass
class Variable:
    name: str
    kind: str  # T: of the family's shape; V: of any shape; L: list of V; P: pair of V; D: dict of V; O: optional V
    fresh: bool = False  # from a layer, so that an activation of it composes with nothing
    writable: bool = True
    matrix: bool = True  # of two dimensions or more
    made_by: str = ""  # the function of the table, if it is smooth


class Generator:
    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.counter = 0
        self.functions, self.classes = [], []
        self.is_torn = False
        self.family = self.pick(list(FAMILIES))
        self.shape, self.layers = FAMILIES[self.family]
        self.dtype = self.random.choices(["float32", "float64", "bfloat16", "float16"], [6, 1, 1, 1])[0]
        self.traced = self.chance(0.25)
        # Mostly few functions, so that sites of one function are many.
        self.names = self.random.sample(list(FUNCTIONS), self.random.randint(2, 8)) + ["silu", "mish", "gelu"]

    def pick(self, of):
        return self.random.choice(of)

    def chance(self, p: float) -> bool:
        return self.random.random() < p

    def number(self) -> int:
        self.counter += 1
        return self.counter

    def program(self, seed: int) -> Program:
        for _ in range(self.random.choice([0, 0, 1, 2])):
            self.functions.append(Routine(f"f{self.number()}", Scope(self, None, "V").body(self.random.randint(1, 4))))
        for _ in range(self.random.choice([0, 1, 1, 2])):
            self.add_class(self.random.randint(2, 6), ["x"])
        inputs = ["x"] + ["x2"] * self.chance(0.2)
        self.add_class(self.random.randint(3, 12), inputs)
        sources = sorted({ROW_OF[name] for name in self.names if self.chance(0.85)} or {"swish"})
        return Program(self.functions, self.classes, [self.shape] * len(inputs), self.dtype, self.traced, seed, self.pick(list(TARGETS)), sources)

    def add_class(self, size: int, arguments: list):
        described = Class(f"C{len(self.classes)}", [])
        for _ in range(self.random.choice([0, 0, 0, 1])):
            body = Scope(self, described, "T").body(self.random.randint(1, 3))
            described.methods.append(Routine(f"m{self.number()}", body))
        is_model = len(arguments) > 1 or size > 6 or self.chance(0.3)
        body = Scope(self, described, "T", arguments).body(size, self.pick(["T", "T", "tuple", "list", "dict"]) if is_model else "T")
        returns = {"T": "Tensor", "tuple": "Tuple[Tensor, Tensor]", "list": "List[Tensor]", "dict": "Dict[str, Tensor]"}[body.kind]
        described.methods.append(Routine("forward", body, tuple(arguments), returns))
        described.kind = body.kind
        described.sharing = self.sharing(described)
        self.classes.append(described)

    def sharing(self, described: Class) -> list:
        """Lines that give one object two names: of two blocks of one class, or of an activation and one in a block."""
        statements = [s for m in described.methods for s in statements_in(m.body)]
        blocks = {next(iter(s.attributes)): s.callee[1] for s in statements if isinstance(s, Call) and s.callee[0] == "block"}
        pairs = [f"self.{a} = self.{b}" for a in blocks for b in blocks if a != b and blocks[a] == blocks[b]]
        inside = {c.name: [s for m in c.methods for s in statements_in(m.body) if isinstance(s, Act) and s.module] for c in self.classes}
        pairs += [f"self.{name}.{act.module} = self.{own.module}" for own in statements if isinstance(own, Act) and own.module
                  for name, block in blocks.items() for act in inside[block] if (act.function, act.in_place) == (own.function, own.in_place)]
        return [self.pick(pairs)] if pairs and self.chance(0.4) else []


class Scope:
    """What a routine's code sees, and the statements that are drawn for it."""

    def __init__(self, generator: Generator, owner: Class | None, kind: str, arguments=("x",), outer: Scope | None = None):
        self.g, self.owner, self.kind = generator, owner, kind
        self.variables = list(outer.variables) if outer else [Variable(name, kind, matrix=kind == "T") for name in arguments]
        self.outer = outer
        self.statements = []
        self.unread = []
        # Attributes that may be used again.
        self.modules = outer.modules if outer else []
        self.blocks = outer.blocks if outer else []

    # Names ---------------------------------------------------------------------------------------

    def new(self, kind: str, prefix: str = "v", **flags) -> Variable:
        return Variable(f"{prefix}{self.g.number()}", kind, **flags)

    def add(self, statement: Op, variable: Variable) -> Variable:
        self.statements.append(statement)
        self.unread = [v for v in self.unread if v.name not in statement.ins]
        self.variables.append(variable)
        self.unread.append(variable)
        return variable

    def op(self, kind: str, text: str, *ins: Variable, attributes=None, **flags) -> Variable:
        variable = self.new(kind, **flags)
        text = text if "{o}" in text else "{o} = " + text
        return self.add(Op(variable.name, [v.name for v in ins], text, attributes or {}), variable)

    def attribute(self, constructor: str, prefix: str = "l") -> dict:
        return {f"{prefix}{self.g.number()}": constructor}

    def any(self, kinds: str, **wanted) -> Variable | None:
        """One of the kinds, the newest more often."""
        found = [v for v in self.variables if v.kind in kinds and all(getattr(v, k) == w for k, w in wanted.items())]
        return self.g.random.choices(found, range(1, len(found) + 1))[0] if found else None

    # Statements ----------------------------------------------------------------------------------

    def body(self, size: int, result: str = "T") -> Body:
        for _ in range(size):
            self.draw()
        if not any(isinstance(s, Act) for s in self.statements):
            self.activation()
        if self.owner is not None:
            self.layer()  # without one a class may be an activation itself
        body = Body(self.statements, self.joined().name)
        body.kind = result
        if result != "T":
            last, other = body.result, self.any(self.kind).name
            text = {"tuple": "{o} = ({0}, {1})", "list": "{o} = [{0}, {1}]", "dict": "{o} = {{'a': {0}, 'b': {1}}}"}[result]
            body.result = f"r{self.g.number()}"
            self.statements.append(Op(body.result, [last, other], text))
        return body

    def joined(self) -> Variable:
        """A value that everything has a part in that was not read yet."""
        result = self.any(self.kind)
        for variable in list(self.unread):
            if variable is not result and variable in self.unread:
                result = self.fold(result, variable)
        return result

    def fold(self, into: Variable, variable: Variable) -> Variable:
        text = {"T": "{0} + 0.6 * {1}" if self.kind == "T" else "{0} + {1}.mean()", "V": "{0} + {1}.mean()", "L": "{0} + {1}[0].mean() + {1}[1].mean()",
                "P": "{0} + {1}[0].mean() + {1}[1].mean()", "D": "{0} + {1}['a'].mean() + {1}['b'].mean()", "O": "{0} + torch.jit._unwrap_optional({1}).mean()"}[variable.kind]
        if variable.kind == "L" and self.g.chance(0.4):
            text = "{o} = {0}\nfor e_{o} in {1}:\n    {o} = {o} + e_{o}.mean()"
        return self.op(self.kind, text, into, variable, matrix=into.matrix)

    def draw(self):
        kinds = {self.activation: 10, self.alias: 2, self.view: 4, self.arithmetic: 2, self.write: 1, self.container: 2, self.taken: 2,
                 self.fold_one: 2, self.branch: 1.5, self.loop: 0.7, self.function: 2}
        if self.owner is not None:
            kinds |= {self.cast: 0.5, self.layer: 6, self.chain: 2.5, self.block: 3, self.method: 1.5, self.gate: 1.5, self.torn: 0.5, self.module_alias: 1}
        if self.outer is not None:
            kinds.pop(self.branch), kinds.pop(self.loop)
        elif self.g.traced:
            kinds.pop(self.branch)  # a trace has one side of it, and what the other side alone reads is not in it
        self.g.random.choices(list(kinds), list(kinds.values()))[0]()

    def layer(self) -> Variable:
        made = self.attribute(self.g.pick(self.g.layers))
        return self.op("T", f"self.{next(iter(made))}({{0}})", self.any("T"), attributes=made, fresh=True)

    def activation(self, name: str = "", given: Variable | None = None, torn: bool = False) -> Variable:
        name = name or self.g.pick(self.g.names)
        function = FUNCTIONS[name]
        x = given or self.any("TV" if self.g.chance(0.3) else self.kind)
        if not function.smooth and not x.fresh:
            if self.owner is None or self.kind != "T":
                return self.activation("silu", x)
            x = self.layer()
        in_place = not torn and self.g.chance(0.4) and x.writable and bool(function.in_place)
        module = not torn and self.owner is not None and self.g.chance(0.4) and (function.modules_in_place if in_place else function.modules)
        out = self.new(x.kind, matrix=x.matrix, made_by=name if function.smooth else "")
        act = Act(out.name, [x.name], "", {}, name, bool(in_place), self.g.number(), torn=torn)
        if module:
            same = [a for a in self.modules if a.function == name and a.in_place == act.in_place]
            if same and self.g.chance(0.4):
                act.attributes = dict(same[0].attributes)
            else:
                act.attributes = self.attribute(self.g.pick(module), "a")
                self.modules.append(act)
            act.module = next(iter(act.attributes))
            act.text = f"{{o}} = self.{act.module}({{x}})"
        else:
            act.text = self.g.pick(function.in_place if in_place else function.fresh)
            if in_place and self.owner is not None and self.g.chance(0.1):
                act.text = act.text.replace("inplace=True", "inplace=self.flag")
        if in_place:
            for variable in self.variables:  # what came from a layer may be this function's output now
                variable.fresh = False
        return self.add(act, out)

    def alias(self):
        x = self.any("TV")
        own = ["F.dropout({0}, 0.2, self.training)"] if self.owner is not None else []
        self.op(x.kind, self.g.pick(ALIASES + own), x, matrix=x.matrix, writable=x.writable)

    def module_alias(self):
        made = self.attribute(self.g.pick(MODULE_ALIASES), "i")
        self.op("T", f"self.{next(iter(made))}({{0}})", self.any("T"), attributes=made)

    def view(self):
        x = self.any("T") if self.kind == "T" else self.any("V")
        texts = [t for t in MATRIX_VIEWS if t != "{0}.t()" and "permute" not in t or len(self.g.shape) == 2] if x.matrix else []
        if x.matrix and self.g.chance(0.1):
            self.op("V", self.g.pick(OVERLAPPING), x, matrix=False, writable=False)
        elif self.kind == "T":
            self.op("V", self.g.pick(VIEWS + texts), x, matrix=False, writable=x.writable)
        else:
            self.alias()

    def arithmetic(self):
        x = self.any("TV")
        clamps = CLAMPS + FAR_CLAMPS * (x.made_by not in BOUNDED) if x.made_by else []
        self.op(x.kind, self.g.pick(clamps if clamps and self.g.chance(0.3) else ARITHMETIC), x, matrix=x.matrix)

    def write(self):
        x = self.any("TV", writable=True)
        if x:
            texts = WRITES[:2] if self.kind == "V" else WRITES[:3] if x.kind == "V" else WRITES + MATRIX_WRITES
            self.op(x.kind, self.g.pick(texts), x, matrix=x.matrix)

    def cast(self):
        x = self.any("T")
        other = self.op("V", self.g.pick(["{0}.float()", "{0}.double()", "{0}.to(torch.float32)"]), x, matrix=True)
        if self.g.chance(0.7):
            self.op("T", "{0}.to({1}.dtype)", self.activation("", other), x)

    def gate(self):
        """Of another tensor: the sigmoid is no part of a silu."""
        x = self.any("T")
        self.op("T", "{0} * {1}", x, self.activation(self.g.pick(["sigmoid", "tanh"]), self.layer()))

    def torn(self):
        """Of a silu, with a write to its input in between."""
        x = self.any("T", writable=True)
        if x and not self.g.is_torn:  # once in a model, so that it is known which of its sites may be listed
            self.g.is_torn = True
            gate = self.activation("sigmoid", x, torn=True)
            write = self.g.pick(["{0} += 0.4", "{0}.mul_(0.7)", "{0}[0] = 0.5", "{0}.view(-1).mul_(0.7)", "{0}.ravel()[1:].add_(0.4)"])
            out, product = self.new("T"), self.g.pick(["{0} * {1}", "{1} * {0}", "{1}.mul({0})"])
            self.add(Torn(out.name, [x.name, gate.name], f"{write}\n{{o}} = {product}"), out)

    def container(self):
        a, b = self.any("TV"), self.any("TV")
        text = {"L": self.g.pick(["{o}: List[Tensor] = [{0}, {1}]", "{o}: List[Tensor] = []\n{o}.append({0})\n{o}.append({1})"]),
                "P": "{o} = ({0}, {1})", "D": "{o}: Dict[str, Tensor] = {{'a': {0}, 'b': {1}}}", "O": "{o}: Optional[Tensor] = {0}"}
        kind = self.g.pick(list(text))
        inside = [a] if kind == "O" else [a, b]
        self.op(kind, text[kind], *inside, writable=a.writable and b.writable)
        self.unread += inside  # a container may be read in part
        if self.kind == "T" and self.g.chance(0.3):
            self.op("L", self.g.pick(["list({0}.chunk(2, 1))", "list({0}.split(2, 1))", "list(torch.unbind({0}))"]), self.any("T"))

    def taken(self):
        """Out of a container."""
        c = self.any("LPDO")
        if c is None:
            return self.container()
        if c.kind == "O":
            return self.op("V", "torch.jit._unwrap_optional({0})", c, writable=c.writable, matrix=False)
        if c.kind == "P" and self.g.chance(0.3):
            return self.op("V", self.g.pick(["{t}, {o} = {0}", "{o}, {t} = {0}"]), c, writable=c.writable, matrix=False)
        if c.kind == "L" and self.g.chance(0.2):
            return self.op("L", self.g.pick(["[e.view_as(e) for e in {0}]", "[{0}[1], {0}[0]]", "{0}[::-1]" if self.g.traced else "{0}[0:2]"]), c,
                           writable=c.writable)
        key = self.g.pick(["'a'", "'b'"] if c.kind == "D" else ["0", "1"])
        if c.kind == "D" and self.g.chance(0.2):
            return self.op("D", f"{{0}}[{key}] = {{1}}\n{{o}} = {{0}}", c, self.any("TV"), writable=False)
        if c.kind == "L" and self.g.chance(0.2):
            added = self.any("TV")
            self.op("L", "{0}.append({1})\n{o} = {0}", c, added, writable=False)
            return self.unread.append(added)  # not read where the list was longer
        return self.op("V", f"{{0}}[{key}]", c, writable=c.writable, matrix=False)

    def fold_one(self):
        x, y = self.any(self.kind), self.any("TV" if self.kind == "T" else "V")
        if self.g.chance(0.2) and x.writable:
            self.op(self.kind, "{o} = {0}.add_({1}.mean())", x, y, matrix=x.matrix)
        else:
            self.fold(x, y)

    def condition(self) -> str:
        if self.owner is not None and self.g.chance(0.3):
            return "self.flag"
        return self.g.pick(CONDITIONS)

    def inner(self, carried: Variable | None = None) -> Body:
        scope = Scope(self.g, self.owner, self.kind, outer=self)
        if carried is not None:  # by a loop, each time round of which must have a part in its result
            scope.variables.append(carried)
            scope.unread.append(carried)
        for _ in range(self.g.random.randint(1, 3)):
            scope.draw()
        read = {name for s in scope.statements for name in s.ins}
        body = Body(scope.statements, scope.joined().name)
        self.unread = [v for v in self.unread if v.name not in read | {body.result}]
        return body

    def branch(self):
        out, given, condition = self.new(self.kind, matrix=self.kind == "T"), self.any(self.kind), self.condition()
        read = [given.name] if "{0}" in condition else []
        self.add(If(out.name, read, condition, {}, self.inner(), self.inner()), out)

    def loop(self):
        given = self.any(self.kind)
        out = self.new(self.kind, matrix=given.matrix, writable=given.writable)
        body = self.inner(out)
        self.add(For(out.name, [given.name], f"range({self.g.pick([1, 2, 3])})", {}, body), out)

    # Calls ---------------------------------------------------------------------------------------

    def function(self):
        if self.g.functions and self.any("TV", writable=True):
            x = self.any("TV", writable=True)
            callee = self.g.pick(self.g.functions).name
            out = self.new(x.kind, matrix=x.matrix)
            self.add(Call(out.name, [x.name], f"{{o}} = {callee}({{0}})", {}, ("function", callee), self.g.number()), out)

    def method(self):
        if self.owner.methods:
            out, callee = self.new("T"), self.g.pick(self.owner.methods).name
            self.add(Call(out.name, [self.any("T").name], f"{{o}} = self.{callee}({{0}})", {}, ("method", callee), self.g.number()), out)

    def block(self):
        classes = [c.name for c in self.g.classes if c.kind == "T" and len(c.methods[-1].arguments) == 1]
        if not classes:
            return
        if self.blocks and self.g.chance(0.3):
            name, made = self.g.pick(self.blocks)
        else:
            name = self.g.pick(classes)
            made = self.attribute(f"{name}()", "b")
            self.blocks.append((name, made))
        out, attribute = self.new("T"), next(iter(made))
        is_forked = self.g.chance(0.07) and not self.g.traced
        text = f"{{o}} = torch.jit.wait(torch.jit.fork(self.{attribute}, {{0}}))" if is_forked else f"{{o}} = self.{attribute}({{0}})"
        self.add(Call(out.name, [self.any("T").name], text, dict(made), ("block", name), self.g.number()), out)

    def chain(self):
        items = []
        x = self.any("T")
        for i in range(self.g.random.randint(1, 4)):
            after_layer = i > 0 and items[-1][1] is None and items[-1][0] not in MODULE_ALIASES
            usable = [n for n in self.g.names if FUNCTIONS[n].modules and (FUNCTIONS[n].smooth or after_layer)]
            if self.g.chance(0.5) and usable:
                name = self.g.pick(usable)
                function = FUNCTIONS[name]
                in_place = bool(function.modules_in_place) and self.g.chance(0.4) and (i > 0 or x.writable)
                act = Act("", [], "", {}, name, in_place, self.g.number())
                items.append((self.g.pick(function.modules_in_place if in_place else function.modules), act))
            else:
                items.append((self.g.pick(self.g.layers + MODULE_ALIASES[:1]), None))
        out, style = self.new("T"), self.g.pick(["sequential", "sequential", "iterated", "indexed"])
        self.add(Chain(out.name, [x.name], "", self.attribute("", "s"), style, items), out)


def draw(seed: int) -> Program:
    program = Generator(seed).program(seed)
    clean(program)  # of methods and classes that nothing calls
    return program
