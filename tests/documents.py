#!/usr/bin/env python3
"""Runs what README.md, the guide and the questions say, and checks what all pages name.

    documents.py --command BUILD/bin/actswap --examples BUILD/bin --reference BUILD/tools/text/commands.md [PAGE...]

Each page is run in a folder of its own, its blocks one after another: `sh` and `console` as a shell, `python` by this Python. A line
that stands under a command in a `console` block must be among those that the command prints, up to numbers and the blanks between
columns; where a line has columns, the first one counts. `...` stands for lines that are left out. A command with "error: " under it has
to fail. A `cpp` or `cmake` block must be the text of a file in examples/, which the build compiles. What is run is small: SUBSTITUTIONS
says what stands for what. Of all pages the links must lead somewhere, and options must exist. docs/commands.md must be what the build
wrote, the tables of README what the results say.
"""

import argparse
import gzip
import os
import re
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FASHION_MNIST = Path(os.environ.get("ACTSWAP_FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
EXAMPLES = 320  # of Fashion-MNIST, in place of 60000
SKIPPED = 77  # exit code of ctest's skipped tests, and of examples/onnx/export.py without onnxruntime
SECONDS = 300  # that a block may take on a busy machine

TINY = "torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, 2), torch.nn.BatchNorm2d(8), torch.nn.SiLU(), torch.nn.Conv2d(8, 8, 3, 2), torch.nn.SiLU(),\
 torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 10))"

# page, what stands there, what is run instead, why
SUBSTITUTIONS = [
    ("README.md", "scripts/setup.sh --command && ", "", "this build is there"),
    ("README.md", 'export PATH="$PWD/build/release/bin:$PATH"', "true", "so is its command"),
    ("README.md", "import torch\n", f"import torch\ntorch.manual_seed(0)\nmodel = {TINY}\n", "the reader has a model"),
    ("README.md", "2, 3, 224, 224", "2, 3, 32, 32", "a small one"),
    ("README.md", "--resize 256 --crop 224", "--resize 36 --crop 32", "with small images"),
    ("README.md", "examples/fashion_mnist/run.sh", ":", "the test example_fashion_mnist runs it"),
    ("README.md", "tests/run.sh", ":", "it runs this test"),
    ("docs/guide.md", "/usr/share/datasets/fashion-mnist", "{scratch}/fashion-mnist", f"the first {EXAMPLES} examples"),
    ("docs/guide.md", "timeout -s INT 4 actswap", "interrupt long.pt.run/run.json actswap", "a slow machine has not begun after 4 seconds"),
    ("docs/guide.md", "--epochs 0.5", "--epochs 10", "a quick machine has finished"),
]
# Options in the pages that are those of other programs.
OTHER_OPTIONS = {
    *("--as-needed", "--device", "--install", "--kills", "--logdir", "--no-build", "--one", "--original", "--prefix", "--redo"),
    *("--rounds", "--runs", "--seed", "--short", "--table"),
    *("--max-restarts", "--nnodes", "--no-python", "--nodes", "--nproc-per-node", "--ntasks-per-node", "--rdzv", "--rdzv-backend"),
    *("--rdzv-endpoint", "--rdzv-id", "--standalone"),  # of torchrun, Slurm
}
# Lines that depend on how busy the machine is.
MEASURED = ("The swap saves time", "of the first's", "error: No model was written: The ")
# interrupt FILE COMMAND...: a second after the file is there.
INTERRUPT = '''#!/bin/bash
file=$1; shift
"$@" & pid=$!
until [ -e "$file" ] || ! kill -0 $pid; do sleep 0.1; done
sleep 1; kill -TERM $pid; wait $pid
'''
PAGES = ("README.md", "docs/guide.md", "docs/faq.md")
CHECKED = (*PAGES, "docs/limitations.md", "docs/formats.md", "docs/pruning.md", "docs/recovery.md", "docs/install.md", "SECURITY.md", "CONTRIBUTING.md")


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: str) -> list:
    blocks, begin, language, lines = [], 0, None, []
    for number, line in enumerate((ROOT / page).read_text().splitlines(), 1):
        if line.startswith("```"):
            if language is None:
                begin, language, lines = number, line[3:].strip(), []
            else:
                blocks.append(Block(page, begin, language, "\n".join(lines) + "\n"))
                language = None
        elif language is not None:
            lines.append(line)
    return blocks


class Problems:
    def __init__(self):
        self.count = 0

    def add(self, where: object, what: str) -> None:
        self.count += 1
        print(f"{where}: {what}", file=sys.stderr, flush=True)


# What the pages' files are.


def png(path: Path, pixels: bytes, side: int) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + pixels[3 * side * row : 3 * side * (row + 1)] for row in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def make_readme(scratch: Path) -> None:
    import torch

    torch.manual_seed(0)
    (scratch / "photos").mkdir()
    for number in range(16):
        png(scratch / f"photos/{number}.png", bytes(torch.randint(0, 256, (48 * 48 * 3,)).tolist()), 48)


def make_guide(scratch: Path) -> None:
    (scratch / "fashion-mnist").mkdir()
    for file in FASHION_MNIST.glob("*.gz"):
        content = gzip.open(file).read()
        count, dimensions = struct.unpack(">I", content[4:8])[0], content[3]
        head = 4 + 4 * dimensions
        size = (len(content) - head) // count
        small = content[:4] + struct.pack(">I", EXAMPLES) + content[8 : head + EXAMPLES * size]
        gzip.open(scratch / "fashion-mnist" / file.name, "wb", compresslevel=1).write(small)
    (scratch / "actswap").symlink_to(ROOT)


def make_faq(scratch: Path) -> None:
    import torch

    torch.save(torch.nn.SiLU(), scratch / "pickled.pt")
    (scratch / "net.onnx").write_bytes(b"\x08\x08\x12\x07pytorch\x1a\x05" + b"2.13.")

    class Waves(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sin(x) * torch.exp(x)

    torch.jit.trace(Waves(), torch.rand(2)).save(scratch / "waves.pt")


FILES = {"README.md": make_readme, "docs/guide.md": make_guide, "docs/faq.md": make_faq}


class Runner:
    """Runs the blocks of a page."""

    def __init__(self, options: argparse.Namespace, page: str, scratch: Path, problems: Problems):
        self.page, self.scratch, self.problems = page, scratch, problems
        self.command, self.examples, self.full = options.command, options.examples.resolve(), options.full
        self.used = set()
        programs = scratch / "bin"
        programs.mkdir()
        (programs / "actswap").symlink_to(options.command.resolve())
        (programs / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (programs / "interrupt").write_text(INTERRUPT)
        for program in ("python3", "interrupt"):
            (programs / program).chmod(0o755)
        self.folder = scratch / "here"
        self.folder.mkdir()
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(scratch), "PYTHONWARNINGS": "ignore"}
        if not self.full:
            FILES[page](scratch)
            for path in scratch.iterdir():
                if path.name not in ("bin", "here", "fashion-mnist", "actswap"):
                    (self.folder / path.name).symlink_to(path)
        else:
            (scratch / "actswap").symlink_to(ROOT)

    def substituted(self, text: str) -> str:
        for page, old, new, _why in SUBSTITUTIONS if not self.full else ():
            if page == self.page and old in text:
                self.used.add(old)
                text = text.replace(old, new.replace("{scratch}", str(self.scratch)))
        return text

    def run(self, words: list) -> subprocess.CompletedProcess:
        return subprocess.run(words, check=False, capture_output=True, text=True, cwd=self.folder, env=self.environment, timeout=None if self.full else SECONDS)

    def shell(self, block: Block, command: str, fails: bool = False) -> subprocess.CompletedProcess | None:
        done = self.run(["bash", "-euo", "pipefail", "-c", self.substituted(command)])
        if done.returncode == SKIPPED:
            print(f"{block}: skipped: {done.stdout.strip()}{done.stderr.strip()}", flush=True)
            return None
        if (done.returncode != 0) != fails:
            self.problems.add(block, f"exit code {done.returncode} of\n{command}\n{done.stdout}{done.stderr}")
        return done

    def console(self, block: Block) -> None:
        """Commands behind "$ ", each with some of the lines that it prints."""
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            command, expected = split_command(part)
            done = self.shell(block, command, fails=any(line.startswith("error: ") for line in expected))
            if self.full and done is not None:
                print(f"$ {command}\n{done.stderr}{done.stdout}", flush=True)
            if done is not None:
                printed = {shape(line) for line in (done.stdout + done.stderr).splitlines()}
                for line in expected:
                    if line.strip() not in ("", "...") and not line.strip().startswith(MEASURED) and shape(line) not in printed:
                        self.problems.add(block, f"`{command}` does not print '{line}', but\n{done.stderr}{done.stdout}")

    def python(self, block: Block) -> None:
        done = self.run([sys.executable, "-c", self.substituted(block.text)])
        if done.returncode:
            self.problems.add(block, f"exit code {done.returncode}\n{done.stderr}")

    def source(self, block: Block) -> None:
        ending = {"cpp": ".cpp", "cmake": "CMakeLists.txt"}[block.language]
        for path in (ROOT / "examples").rglob(f"*{ending}"):
            if path.read_text() == block.text:
                if block.language == "cpp":
                    self.program(block, path)
                return
        self.problems.add(block, f"is no file in examples/**/*{ending}")

    def program(self, block: Block, path: Path) -> None:
        """Runs README's program; tests of their own run the other examples."""
        program = self.examples / path.parent.name
        if not program.exists():
            self.problems.add(block, f"expected {path.relative_to(ROOT)} to be built as {program}")
        elif self.page == "README.md":
            inputs = "import torch; torch.save(torch.rand(64, 3, 32, 32), 'inputs.pt')"
            self.shell(block, f'python3 -c "{inputs}" && "{program}"')

    def block(self, block: Block) -> None:
        begin = time.monotonic()
        if block.language == "sh":
            self.shell(block, block.text)
        elif block.language == "console":
            self.console(block)
        elif block.language == "python":
            self.python(block)
        elif block.language in ("cpp", "cmake"):
            self.source(block)
        elif block.language not in ("text", "toml", "json"):
            self.problems.add(block, f"has the language '{block.language}', which nobody runs")
        print(f"{block}: {block.language}, {time.monotonic() - begin:.1f} s", flush=True)


def split_command(part: str) -> tuple:
    """A command, which goes on behind a backslash or in a here-document, and the lines under it."""
    lines = part.splitlines()
    count = 1
    while count < len(lines) and lines[count - 1].endswith("\\"):
        count += 1
    return "\n".join(lines[:count]), lines[count:]


def shape(line: str) -> str:
    """A line without its numbers; of a line with columns the first one."""
    first = re.split(r"\s{2,}", line.strip())[0]
    return re.sub(r"[-+]?\d[\d.,:]*(e[-+]?\d+)?", "#", first)


# What all pages name.


def anchors_of(path: Path) -> set:
    titles = re.findall(r"^#+ (.*)$", path.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def check_links(page: str, problems: Problems) -> None:
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        if not file.exists():
            problems.add(page, f"the link {target} leads nowhere")
        elif anchor and anchor not in anchors_of(file):
            problems.add(page, f"there is no heading for the link {target}")


def known_options(command: Path) -> set:
    overview = subprocess.run([command, "--help"], check=True, capture_output=True, text=True).stdout
    known = set(re.findall(r"--[a-z-]+", overview))
    for name in re.findall(r"^  ([a-z]+) ", overview, flags=re.MULTILINE):
        known |= set(re.findall(r"--[a-z-]+", subprocess.run([command, name, "--help"], check=True, capture_output=True, text=True).stdout))
    return known


def check_reference(built: Path, problems: Problems) -> None:
    page = ROOT / "docs/commands.md"
    if not page.exists() or page.read_text() != built.read_text():
        problems.add("docs/commands.md", f"is not what the build writes: cp {built} {page}")


def check_options(page: str, known: set, problems: Problems) -> None:
    for number, line in enumerate((ROOT / page).read_text().splitlines(), 1):
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", line):
            if option not in known and option not in OTHER_OPTIONS and not re.search(r"bench/|scripts/|tests/|cmake|setup\.sh", line):
                problems.add(f"{page}:{number}", f"there is no option {option}")


def check_all_run(page: str, problems: Problems) -> None:
    """Commands in indented code would escape this test."""
    for number, line in enumerate((ROOT / page).read_text().splitlines(), 1):
        if re.match(r"    +(\$ )?(actswap|python3|cmake) ", line):
            problems.add(f"{page}:{number}", "a command in indented code, which nobody runs; use ```sh")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=f"all by default: {', '.join(PAGES)}")
    parser.add_argument("--command", type=Path, required=True)
    parser.add_argument("--examples", type=Path, required=True, help="the folder of the examples' programs")
    parser.add_argument("--reference", type=Path, help="what the build wrote for docs/commands.md")
    parser.add_argument("--full", action="store_true", help="run the page as it stands, without substitutions, and print what it prints")
    return parser.parse_args()


def main() -> int:
    options, problems = read_options(), Problems()
    if not FASHION_MNIST.exists():
        print(f"documents.py: no Fashion-MNIST in {FASHION_MNIST}; install dataset-fashion-mnist or set ACTSWAP_FASHION_MNIST")
        return SKIPPED
    for page in options.pages or PAGES:
        check_all_run(page, problems)
        with tempfile.TemporaryDirectory() as folder:
            runner = Runner(options, page, Path(folder), problems)
            for block in blocks_of(page):
                runner.block(block)
        for _page, old, _new, why in [each for each in SUBSTITUTIONS if each[0] == page and not options.full]:
            if old not in runner.used:
                problems.add(page, f"nothing is left to substitute for '{old}' ({why})")
    if options.reference:
        check_reference(options.reference, problems)
    done = subprocess.run([sys.executable, ROOT / "bench/published/front_page.py", "--check"], check=False, capture_output=True, text=True)
    if done.returncode:
        problems.add("README.md", done.stderr.strip())
    known = known_options(options.command)
    for page in [each for each in CHECKED if (ROOT / each).exists()]:
        check_links(page, problems)
        check_options(page, known, problems)
    return 1 if problems.count else 0


if __name__ == "__main__":
    sys.exit(main())
