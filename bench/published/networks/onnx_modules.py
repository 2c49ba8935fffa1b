"""Makes PyTorch modules from ONNX files. onnx2torch makes a module of every operator; a model's own code has one forward that calls functions.

The result looks as a programmer would have written it: element-wise operators are calls, products with a constant matrix are nn.Linear.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn


def from_onnx(path: Path, change: Callable = lambda model: model) -> fx.GraphModule:
    """change: edits the ONNX model before its conversion."""
    import onnx

    prepare_torchvision()
    from onnx2torch import convert
    from onnx2torch.node_converters import batch_norm, shape

    # For files without shapes; and a trace must keep what depends on shapes.
    batch_norm._BN_CLASS_FROM_SPATIAL_RANK[-2] = nn.BatchNorm2d
    shape.OnnxShape.forward = lambda self, x: torch._shape_as_tensor(x)[self._start : self._end]
    model = onnx.load(path)
    make_initializers(model.graph)
    return Gathering(convert(change(model)).eval()).run()


def prepare_torchvision() -> None:
    """Declares the operators that torchvision's Python part wants. PyPI's torchvision is built for another PyTorch, but that part works."""
    if "torchvision" in sys.modules:
        return
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

    torchvision.declared = library  # kept as long as the module


def make_initializers(graph) -> None:
    """onnx2torch wants weights as initializers, which PaddlePaddle writes as Constant nodes, and does not know allowzero."""
    kept = []
    for node in graph.node:
        values = [attribute.t for attribute in node.attribute if attribute.name == "value"] if node.op_type == "Constant" else []
        if values:
            values[0].name = node.output[0]
            graph.initializer.append(values[0])
            continue
        for attribute in [attribute for attribute in node.attribute if attribute.name == "allowzero"]:
            node.attribute.remove(attribute)
        kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)


def check(model: nn.Module, path: Path, inputs: Tensor, tolerance: float) -> None:
    """Compares the model with ONNX Runtime on the same file, relative to the largest output.

    @throws ValueError
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: inputs.numpy()})[0])
    with torch.no_grad():
        difference = float((model(inputs) - expected).abs().max() / expected.abs().max())
    if not difference <= tolerance:
        raise ValueError(f"expected the converted model to give ONNX Runtime's outputs within {tolerance:g} of the largest, but it differs by {difference:g}")


class Gathering:
    """Replaces modules of single operators in a graph with calls and layers."""

    def __init__(self, module: fx.GraphModule):
        self.module, self.graph = module, module.graph
        self.modules = dict(module.named_modules())
        self.layers = 0

    def run(self) -> fx.GraphModule:
        for node in list(self.graph.nodes):
            if node.op != "call_module":
                continue
            operator = self.modules[node.target]
            if type(operator).__name__ == "OnnxMatMul":
                self.make_layer(node)
            elif call := self.call_of(operator, list(node.args)):
                function, arguments = call
                with self.graph.inserting_before(node):
                    node.replace_all_uses_with(self.graph.call_function(function, tuple(arguments)))
                self.graph.erase_node(node)
        self.module.delete_all_unused_submodules()
        self.graph.lint()
        self.module.recompile()
        return self.module.eval()

    def call_of(self, operator: nn.Module, arguments: list) -> tuple | None:
        """The function that a module of one operator calls, and its arguments."""
        kind = type(operator).__name__
        if kind == "OnnxBinaryMathOperation":
            return self.binary(operator, arguments)
        if kind == "OnnxFunction":
            return operator.function, arguments
        if kind == "OnnxClip":
            return torch.clamp, [arguments[0], operator.min_val, operator.max_val]
        functions = {"OnnxErf": torch.erf, "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "ReLU6": F.relu6, "OnnxPow": torch.pow,
                     "OnnxSqrt": torch.sqrt, "OnnxReciprocal": torch.reciprocal}  # fmt: skip
        if kind in functions:
            return functions[kind], [arguments[0], *map(self.as_number, arguments[1:])]
        return None

    def binary(self, operator: nn.Module, arguments: list) -> tuple | None:
        if operator.broadcast is not None:
            return None
        function = operator.math_op_function
        if function.__name__ == "_onnx_div":
            function = torch.div
        numbers = [self.as_number(argument) for argument in arguments]
        if not isinstance(numbers[0], fx.Node):  # functions take a tensor first
            numbers = numbers[::-1] if function in (torch.add, torch.mul) else arguments
        return function, numbers if isinstance(numbers[0], fx.Node) else arguments

    def constant(self, value: object) -> Tensor | None:
        if not isinstance(value, fx.Node) or value.op != "get_attr":
            return None
        found = self.module
        for name in value.target.split("."):
            found = getattr(found, name)
        return found

    def as_number(self, value: object) -> object:
        tensor = self.constant(value)
        return float(tensor) if tensor is not None and tensor.numel() == 1 and tensor.is_floating_point() else value

    def make_layer(self, node: fx.Node) -> None:
        """Makes a layer of a product with a constant matrix and, if it goes only into a sum with a constant row, of that sum."""
        weight = self.constant(node.args[1])
        if weight is None or weight.dim() != 2:
            return
        layer = nn.Linear(*weight.shape, bias=False)
        layer.weight.data = weight.detach().T.contiguous().clone()
        if found := self.bias_of(node, weight.shape[1]):
            layer.bias = nn.Parameter(found[1].detach().flatten().clone())
            found[0].replace_all_uses_with(node)
        name = f"linear_{self.layers}"
        self.layers += 1
        self.module.add_submodule(name, layer)
        node.target, node.args = name, (node.args[0],)
        self.modules[name] = layer

    def bias_of(self, node: fx.Node, width: int) -> tuple | None:
        """The sum and the constant."""
        users = list(node.users)
        if len(users) != 1 or users[0].op != "call_module" or type(self.modules[users[0].target]).__name__ != "OnnxBinaryMathOperation":
            return None
        if self.modules[users[0].target].math_op_function is not torch.add:
            return None
        others = [self.constant(argument) for argument in users[0].args if argument is not node]
        return (users[0], others[0]) if others and others[0] is not None and others[0].numel() == width else None
