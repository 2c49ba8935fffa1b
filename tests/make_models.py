#!/usr/bin/env python3
"""Writes the model files of the tests: make_models.py OUTDIR [--if-missing].

Each good model (model_files/) comes with NAME.io.pt, {'inputs': [...], 'outputs': [...]} of the eager model in eval mode. expected.json
says for each its input shapes, its dtype and the number of activation uses that are sources by default and can be swapped, counted by hand
in the table below.
"""

import argparse
import copy
import json
import os
import sys
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from model_files import by_hand, called, in_place, refused, running, usual
from model_files.archive import make_old

warnings.filterwarnings("ignore", category=DeprecationWarning)
warnings.filterwarnings("ignore", category=FutureWarning)


IMAGE = [[2, 3, 8, 8]]
# name, model, how it is made, input shapes, number of uses that are sources by default, dtype
GOOD = {
    "scripted_module": (usual.ScriptedModule, "script", IMAGE, 3),  # stem, one in each of two cells
    "scripted_functional": (usual.ScriptedFunctional, "script", [[2, 6]], 6),  # three functions, two in place, one GELU tanh
    "scripted_reused": (lambda: usual.Reused(nn.Mish()), "script", [[2, 4, 6, 6]], 2),
    "traced_train_free": (usual.TracedTrainFree, "trace", IMAGE, 2),  # Mish, SiLU
    "traced_reused": (lambda: usual.Reused(nn.SiLU()), "trace", [[2, 4, 6, 6]], 2),
    "scripted_ops": (usual.ScriptedOps, "script", [[2, 5]], 3),  # silu_, mish_, mish
    "methods": (usual.Methods, "script", [[2, 6]], 2),  # one in forward, one in features
    "gates": (usual.Gates, "script", IMAGE, 1),  # the GELU
    "all_modules": (usual.AllModules, "script", [[2, 6]], 7),  # Mish, SiLU, both GELUs, ELU, SELU, CELU
    "no_activation": (lambda: nn.Linear(4, 2), "script", [[2, 4]], 0),
    "control_flow": (usual.ControlFlow, "script", [[2, 4]], 6),  # three of the list, two branches, one in the loop
    "tied": (usual.Tied, "script", [[2, 5]], 1),
    "alias": (usual.Alias, "script", [[2, 4, 6, 6]], 2),  # one object, two calls
    "frozen": (usual.ScriptedModule, "freeze", IMAGE, 3),
    "double": (usual.ScriptedModule, "script", IMAGE, 3, torch.float64),
    "half": (usual.ScriptedModule, "script", IMAGE, 3, torch.bfloat16),
    "dict_output": (usual.DictOutput, "script", [[2, 4]], 1),
    "two_inputs": (usual.TwoInputs, "script", [[2, 4], [2, 3]], 2),
    "dropout_bn": (usual.Counted, "script", IMAGE, 2),  # Mish, SiLU
    # The module twice, the function, Mish, the one in place.
    "handwritten": (by_hand.Handwritten, "script", [[2, 6]], 5),
    "handwritten_traced": (by_hand.Handwritten, "trace", [[2, 6]], 5),
    "handwritten_half": (by_hand.Handwritten, "trace", [[2, 6]], 5, torch.bfloat16),
    "of_parts": (by_hand.OfParts, "script", [[2, 6]], 4),  # and a hardswish, which is no source by default
    "of_parts_traced": (by_hand.OfParts, "trace", [[2, 6]], 4),
    "handwritten_frozen_half": (by_hand.Handwritten, "freeze", [[2, 6]], 5, torch.bfloat16),
    "extra_files": (usual.Tied, "script", [[2, 5]], 1),
    "hooked": (called.Hooked, "script", [[2, 6]], 6),  # before, in and after each of the two
    "forked": (called.Forked, "script", [[2, 6]], 3),
    "attributes": (by_hand.Attributes, "script", [[2, 6]], 3),
    "learnt": (by_hand.Learnt, "script", [[2, 6]], 1),  # the other one stays
    "indexed": (in_place.Indexed, "script", [[2, 4]], 4),
    "indexed_in_place": (in_place.IndexedInPlace, "script", [[2, 4]], 2),
    "indexed_shortcut": (in_place.IndexedShortcut, "script", [[2, 4]], 1),  # the other one stays
    "forked_in_place": (in_place.ForkedInPlace, "script", [[2, 4]], 1),  # the one that is seen stays
    "encoder": (usual.encoder, "script", [[2, 5, 8]], 4),  # in each layer one in the fused operator, one beside it
    "encoder_traced": (usual.encoder, "trace", [[2, 5, 8]], 2),
    "encoder_frozen": (usual.encoder, "freeze", [[2, 5, 8]], 4),
    "decoder_traced": (usual.decoder, "trace", [[2, 5, 12], [2, 6, 12]], 1),
    "recurrent": (usual.Recurrent, "script", [[2, 5, 4]], 2),
    "recurrent_traced": (usual.Recurrent, "trace", [[2, 5, 4]], 2),
    "stateful": (called.Stateful, "script", [[2, 6]], 2),
    "attributed": (called.Attributed, "script", [[2, 4]], 2),
    "several_outputs": (in_place.SeveralOutputs, "script", [[2, 4]], 2),
    "through_identity": (in_place.ThroughIdentity, "script", [[2, 4]], 1),  # the one in place stays
    "stateful_root": (called.Packed, "script", [[2, 6]], 0),  # its one stays
    "channels_last": (lambda: usual.ScriptedModule().to(memory_format=torch.channels_last), "script", IMAGE, 3),
    "float16": (usual.ScriptedModule, "script", IMAGE, 3, torch.float16),
    "old_format": (by_hand.Divided, "script", [[2, 6]], 1),  # and a hardswish
    "old_format_traced": (by_hand.Divided, "trace", [[2, 6]], 1),
    "of_operators": (by_hand.OfOperators, "script", [[2, 6]], 1),
    "of_operators_traced": (by_hand.OfOperators, "trace", [[2, 6]], 1),
    "of_initializers": (by_hand.OfInitializers, "script", [[2, 6]], 0),  # hardswish is no source by default
    "of_initializers_traced": (by_hand.OfInitializers, "trace", [[2, 6]], 0),
}


def build(entry) -> tuple[nn.Module, torch.jit.ScriptModule, list[Tensor]]:
    """The eager model in eval mode, its TorchScript form and inputs."""
    make, how, shapes = entry[:3]
    dtype = entry[4] if len(entry) > 4 else torch.float32
    torch.manual_seed(0)
    model = make()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.3)
    model = model.eval().to(dtype)
    inputs = [torch.randn(shape).to(dtype) for shape in shapes]
    if how == "trace":
        with torch.no_grad():
            return model, torch.jit.trace(model, tuple(inputs), check_trace=False), inputs
    scripted = torch.jit.script(model)
    return model, torch.jit.freeze(scripted) if how == "freeze" else scripted, inputs


def flat(output) -> list[Tensor]:
    """The tensors of an output; those of a dict in the order of its keys' insertion."""
    if isinstance(output, Tensor):
        return [output]
    return [t for part in (output.values() if isinstance(output, dict) else output) for t in flat(part)]


def write_good(folder: Path) -> dict:
    expected = {}
    for name, entry in GOOD.items():
        model, scripted, inputs = build(entry)
        with torch.no_grad():  # copies: a model may work in place
            outputs = flat(model(*copy.deepcopy(inputs)))
        extra = {"labels.txt": "a\nb"} if name == "extra_files" else {}
        torch.jit.save(scripted, str(folder / f"{name}.pt"), _extra_files=extra)
        if name.startswith("old_format"):
            make_old(folder / f"{name}.pt")
        torch.save({"inputs": inputs, "outputs": [o.clone() for o in outputs]}, folder / f"{name}.io.pt")
        dtype = str(inputs[0].dtype).removeprefix("torch.")
        expected[name] = {"input_shapes": entry[2], "dtype": dtype, "sites": entry[3]}
    return expected


def write_data(folder: Path) -> None:
    x, y = torch.arange(30).reshape(10, 3).float(), torch.arange(10) % 3
    torch.save({"x": x, "y": y}, folder / "data_dict.pt")
    torch.save((x, y), folder / "data_tuple.pt")
    torch.save(x, folder / "data_tensor.pt")


DATA = ["data_dict.pt", "data_tuple.pt", "data_tensor.pt"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--if-missing", action="store_true", help="do nothing where all files are there and newer than this script")
    options = parser.parse_args()
    folder = options.outdir
    wanted = [f"{n}{end}" for n in GOOD for end in (".pt", ".io.pt")] + refused.FILES + DATA + running.FILES + ["expected.json"]
    made = folder / "expected.json"  # the last that is written
    sources = [Path(__file__), *Path(running.__file__).parent.glob("*.py")]
    newest = made.exists() and all(made.stat().st_mtime > source.stat().st_mtime for source in sources)
    if options.if_missing and newest and all((folder / name).exists() for name in wanted):
        return 0
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets decides that of some entries of a file
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    expected = write_good(folder)
    write_data(folder)
    refused.write_bad(folder)
    refused.write_foreign(folder)
    refused.write_made_ready(folder)
    running.write(folder)
    refused.write_unreadable(folder)
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")  # last: it marks a complete set
    print(f"wrote {len(wanted)} files to {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
