"""How people write activations: for each function of actswap's table, as actswap prints it, the ways to apply it in PyTorch.

A spelling is Python text with {x} for the input, {o} for the output and {t} for a name of its own. It needs {x} to be a name, since it may
stand in it several times. Spellings in place leave the output in the memory of {x}, and {o} is a name for the same tensor.
"""

import torch
import torch.nn.functional as F


class Function:
    def __init__(self, fresh=(), in_place=(), modules=(), modules_in_place=(), smooth=True):
        self.fresh, self.in_place = list(fresh), list(in_place)
        self.modules, self.modules_in_place = list(modules), list(modules_in_place)
        # Applied to each other these make no third function of the table, as relu6 of relu does; nor one of them, as elu of sigmoid.
        self.smooth = smooth


def calls(name: str, extra: str = "") -> dict:
    """torch.nn.functional's function with its flag, as text."""
    return {"fresh": [f"{{o}} = F.{name}({{x}}{extra})", f"{{o}} = torch.nn.functional.{name}({{x}}{extra}, inplace=False)"],
            "in_place": [f"{{o}} = F.{name}({{x}}{extra}, inplace=True)", f"F.{name}({{x}}{extra}, inplace=True)\n{{o}} = {{x}}"]}


def joined(first: dict, fresh=(), in_place=()) -> dict:
    return {"fresh": first["fresh"] + list(fresh), "in_place": first["in_place"] + list(in_place)}


FUNCTIONS = {
    "silu": Function(**joined(calls("silu"), [
        "{o} = {x} * torch.sigmoid({x})", "{o} = torch.sigmoid({x}) * {x}", "{o} = {x}.mul({x}.sigmoid())", "{o} = {x}.sigmoid().mul_({x})",
        "{t} = torch.sigmoid({x})\n{o} = {x} * {t}", "{o} = {x} / (1 + torch.exp(-{x}))", "{o} = {x} * (1.0 / (1.0 + (-{x}).exp()))",
        "{o} = {x} * 0.5 * (1.0 + torch.tanh({x} * 0.5))"],
        ["{o} = {x}.mul_(torch.sigmoid({x}))", "{x} *= {x}.sigmoid()\n{o} = {x}", "{t} = {x}.sigmoid()\n{o} = {x}.mul_({t})"]),
        modules=["nn.SiLU()"], modules_in_place=["nn.SiLU(inplace=True)"]),
    "mish": Function(**joined(calls("mish"), [
        "{o} = {x} * torch.tanh(F.softplus({x}))", "{o} = F.softplus({x}).tanh() * {x}", "{o} = {x} * torch.tanh(torch.log1p(torch.exp({x})))"],
        ["{o} = {x}.mul_(F.softplus({x}).tanh())"]), modules=["nn.Mish()"], modules_in_place=["nn.Mish(True)"]),
    "gelu": Function(
        ["{o} = F.gelu({x})", "{o} = F.gelu({x}, approximate='none')", "{o} = {x} * 0.5 * (1.0 + torch.erf({x} / 1.4142135623730951))",
         "{o} = 0.5 * {x} * (1 + torch.erf({x} * 0.7071067811865476))"],
        ["{o} = {x}.mul_(0.5 * (1.0 + torch.erf({x} / 1.4142135623730951)))"], ["nn.GELU()"]),
    "gelu_tanh": Function(
        ["{o} = F.gelu({x}, approximate='tanh')",
         "{o} = 0.5 * {x} * (1.0 + torch.tanh(0.7978845608028654 * ({x} + 0.044715 * torch.pow({x}, 3.0))))",
         "{t} = {x} * 0.7978845608028654 * (1 + 0.044715 * {x} * {x})\n{o} = 0.5 * {x} * (1 + torch.tanh({t}))"],
        modules=["nn.GELU('tanh')"]),
    "quick_gelu": Function(["{o} = {x} * torch.sigmoid(1.702 * {x})", "{o} = torch.sigmoid({x} * 1.702) * {x}"],
                           ["{o} = {x}.mul_(torch.sigmoid(1.702 * {x}))"]),
    "swish(beta=0.7)": Function(["{o} = {x} * torch.sigmoid({x} * 0.7)"]),
    "swish_mish": Function(["{o} = {x} * torch.sigmoid({x} + F.relu({x}))"]),
    "elu": Function(**joined(calls("elu"), ["{o} = F.elu({x}, 1.0)"]), modules=["nn.ELU()"], modules_in_place=["nn.ELU(inplace=True)"],
                    smooth=False),
    "elu(alpha=0.7)": Function(**calls("elu", ", alpha=0.7"), modules=["nn.ELU(0.7)"], smooth=False),
    "selu": Function(**joined(calls("selu"), ["{o} = torch.selu({x})"], ["{o} = torch.selu_({x})"]), modules=["nn.SELU()"],
                     modules_in_place=["nn.SELU(True)"]),
    "celu(alpha=1.4)": Function(**calls("celu", ", 1.4"), modules=["nn.CELU(1.4)"], modules_in_place=["nn.CELU(1.4, True)"],
                                smooth=False),
    "softplus": Function(["{o} = F.softplus({x})", "{o} = F.softplus({x}, beta=1.0, threshold=20.0)"], modules=["nn.Softplus()"]),
    "tanh": Function(["{o} = torch.tanh({x})", "{o} = {x}.tanh()", "{o} = F.tanh({x})"], ["{o} = {x}.tanh_()", "{o} = torch.tanh_({x})"],
                     ["nn.Tanh()"]),
    "sigmoid": Function(["{o} = torch.sigmoid({x})", "{o} = {x}.sigmoid()", "{o} = F.sigmoid({x})"], ["{o} = {x}.sigmoid_()"], ["nn.Sigmoid()"]),
    "softsign": Function(["{o} = F.softsign({x})", "{o} = {x} / (1 + {x}.abs())"], modules=["nn.Softsign()"]),
    "logsigmoid": Function(["{o} = F.logsigmoid({x})"], modules=["nn.LogSigmoid()"]),
    "tanhshrink": Function(["{o} = F.tanhshrink({x})", "{o} = {x} - torch.tanh({x})"], modules=["nn.Tanhshrink()"]),
    "relu": Function(**joined(calls("relu"), ["{o} = torch.relu({x})", "{o} = {x}.relu()"], ["{o} = {x}.relu_()", "{o} = torch.relu_({x})"]),
                     modules=["nn.ReLU()"], modules_in_place=["nn.ReLU(True)"], smooth=False),
    "relu6": Function(**calls("relu6"), modules=["nn.ReLU6()"], modules_in_place=["nn.ReLU6(True)"], smooth=False),
    "leaky_relu(slope=0.2)": Function(**calls("leaky_relu", ", 0.2"), modules=["nn.LeakyReLU(0.2)"], modules_in_place=["nn.LeakyReLU(0.2, True)"],
                                smooth=False),
    "hardtanh": Function(**calls("hardtanh"), modules=["nn.Hardtanh()"], modules_in_place=["nn.Hardtanh(inplace=True)"], smooth=False),
    "hardswish": Function(**joined(calls("hardswish"), ["{o} = {x} * F.relu6({x} + 3.0) / 6.0", "{o} = {x} * F.hardsigmoid({x})"]),
                          modules=["nn.Hardswish()"], modules_in_place=["nn.Hardswish(True)"], smooth=False),
    "hardsigmoid": Function(**calls("hardsigmoid"), modules=["nn.Hardsigmoid()"], modules_in_place=["nn.Hardsigmoid(True)"], smooth=False),
    "hard_mish": Function(["{o} = {x} * torch.clamp({x} * 0.5 + 1.0, 0.0, 1.0)"], smooth=False),
}

# Names of --source; a row's name stands for all of its parameters.
ROW_OF = {name: name.split("(")[0] for name in FUNCTIONS} | {"quick_gelu": "swish", "silu": "swish"}

TARGETS = {
    "relu": torch.relu,
    "relu6": F.relu6,
    "leaky_relu(slope=0.1)": lambda x: F.leaky_relu(x, 0.1),
    "hardswish": F.hardswish,
    "hard_mish": lambda x: x * torch.clamp(x * 0.5 + 1.0, 0.0, 1.0),
}

# Of the modules that they become: torch.nn's, where it has one.
CLASSES = {"relu": "ReLU", "relu6": "ReLU6", "leaky_relu": "LeakyReLU", "hardswish": "Hardswish", "hard_mish": "Activation"}
