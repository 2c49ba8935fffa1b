#!/usr/bin/env python3
"""Runs the command on damaged model and data files: files.py [--runs N] [--seed N] [--jobs N] [--keep FOLDER]

Each run changes a small sound file (bytes, the zip directory, records, pickles, source text, sizes) and gives it to a subcommand. Wanted:
exit code 0, 2, 3, 4 or 5, no signal, no more than 20 s of the processor, no more memory than MOST_MB, no temporary folder left behind. What is found is
printed with the number of its run, and the file is kept in --keep; a run depends on --seed and its number alone, and `--only NUMBER`
repeats it. Ends with exit code 1 where something was found.

Needs fuzz_runner (a target of the build), and the models that make_models.py wrote.
"""

import argparse
import collections
import io
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MOST_MB = 4096
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
ALLOWED = {"0", "2", "3", "4", "5"}
MODELS = ["scripted_module", "traced_train_free", "frozen", "attributes", "tied", "extra_files", "dropout_bn", "all_modules"]
NUMBERS = [0, 1, -1, 2, 7, 127, 255, 256, 65535, 2**31 - 1, -(2**31), 2**31, 2**32, 2**40, 2**62, 2**63 - 1, -(2**63)]


class Record:
    def __init__(self, name: str, content: bytes, deflated: bool):
        self.name, self.content, self.deflated = name, content, deflated


def read_archive(path: Path) -> list:
    with zipfile.ZipFile(path) as archive:
        return [Record(entry.filename, archive.read(entry), entry.compress_type != 0) for entry in archive.infolist()]


def write_archive(records: list) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of records that are there twice
        for record in records:
            kind = zipfile.ZIP_DEFLATED if record.deflated else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(record.name), record.content, kind)
    return file.getvalue()


# Bytes


def flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        if changed:
            changed[rng.randrange(len(changed))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
    return bytes(changed)


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def extend(data: bytes, rng: random.Random) -> bytes:
    return data + rng.randbytes(rng.choice([1, 8, 64, 4096]))


def remove_piece(data: bytes, rng: random.Random) -> bytes:
    begin = rng.randrange(len(data) + 1)
    return data[:begin] + data[begin + rng.choice([1, 2, 4, 16, 256]) :]


def repeat_piece(data: bytes, rng: random.Random) -> bytes:
    begin = rng.randrange(len(data) + 1)
    piece = data[begin : begin + rng.choice([1, 4, 16, 64])]
    return data[:begin] + piece * rng.choice([2, 3, 100]) + data[begin + len(piece) :]


ANY_BYTES = [flip, flip, flip, truncate, extend, remove_piece, repeat_piece]


# Pickles: operations of protocol 2


def change_integer(data: bytes, rng: random.Random) -> bytes:
    places = [i for i in range(2, len(data) - 9) if data[i] in b"KMJ\x8a"]
    if not places:
        return flip(data, rng)
    at = rng.choice(places)
    width = {ord("K"): 1, ord("M"): 2, ord("J"): 4, 0x8A: 9}[data[at]]
    number = b"\x8a\x08" + struct.pack("<q", max(-(2**63), min(rng.choice(NUMBERS), 2**63 - 1)))
    return data[:at] + number + data[at + 1 + width :]


def change_operation(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(2, max(3, len(data)))
    operation = rng.choice(b"().]}NKMJGXcqrhjteudsbRQ\x81\x85\x86\x87\x88\x89\x8al")
    return data[:at] + bytes([operation]) + data[at + rng.choice([0, 1]) :]


def nest_values(data: bytes, rng: random.Random) -> bytes:
    depth = rng.choice([100, 990, 1100, 10000, 300000])
    kind = rng.choice(["list", "tuple", "dict"])
    if kind == "list":
        return b"\x80\x02" + b"](" * depth + b"K\x01" + b"e" * depth + b"."
    if kind == "tuple":
        return b"\x80\x02" + b"K\x01" + b"\x85" * depth + b"."
    return b"\x80\x02" + b"}(K\x01" * depth + b"K\x01" + b"u" * depth + b"."


def huge_length(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(2, max(3, len(data)))
    length = struct.pack("<I", rng.choice([2**32 - 1, 2**31, 2**20, len(data)]))
    return data[:at] + rng.choice([b"X", b"r", b"j"]) + length + data[at:]


def change_text(data: bytes, rng: random.Random) -> bytes:
    words = re.findall(rb"[A-Za-z_][A-Za-z_0-9.]{3,}", data)
    if not words:
        return flip(data, rng)
    old = rng.choice(words)
    new = rng.choice([rng.choice(words), b"FloatStorage", b"DoubleStorage", b"QInt8Storage", b"cuda:0", b"meta", b"x" * len(old), b"_rebuild_qtensor"])
    return data.replace(old, new, rng.choice([1, -1]))


PICKLES = [change_integer, change_integer, change_operation, change_operation, nest_values, huge_length, change_text, flip, truncate]


# Source text


def change_number(text: bytes, rng: random.Random) -> bytes:
    # Not of loops: a program that runs for ever is no damaged file.
    lines = text.split(b"\n")
    places = [i for i, line in enumerate(lines) if re.search(rb"\d", line) and not re.search(rb"range|while|for ", line)]
    if not places:
        return flip(text, rng)
    i = rng.choice(places)
    found = rng.choice(list(re.finditer(rb"\d+", lines[i])))
    lines[i] = lines[i][: found.start()] + str(rng.choice(NUMBERS)).encode() + lines[i][found.end() :]
    return b"\n".join(lines)


def change_line(text: bytes, rng: random.Random) -> bytes:
    lines = text.split(b"\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.choice(["remove", "repeat", "swap", "indent"])
    if kind == "remove":
        del lines[i]
    elif kind == "repeat":
        lines.insert(j, lines[i])
    elif kind == "swap":
        lines[i], lines[j] = lines[j], lines[i]
    else:
        lines[i] = b"  " + lines[i]
    return b"\n".join(lines)


def change_word(text: bytes, rng: random.Random) -> bytes:
    words = list(re.finditer(rb"[A-Za-z_][A-Za-z_0-9]*", text))
    if not words:
        return flip(text, rng)
    old, new = rng.choice(words), rng.choice(words).group()
    new = rng.choice([new, new, b"None", b"self", b"Tensor", b"Optional[Tensor]", b"int", b"resize_", b"as_strided", b"set_", b"view", b"detach"])
    return text[: old.start()] + new + text[old.end() :]


def nest_code(text: bytes, rng: random.Random) -> bytes:
    found = list(re.finditer(rb"= ([^\n]+)\n", text)) or list(re.finditer(rb"return ([^\n]+)\n", text))
    if not found:
        return flip(text, rng)
    place = rng.choice(found)
    depth = rng.choice([50, 400, 900, 2000, 6000, 100000])
    inner = place.group(1)
    before, after = rng.choice([(b"(", b")"), (b"-", b""), (b"torch.neg(", b")"), (b"[", b"]"), (b"not ", b""), (b"1 + ", b""), (b"", b" + 1"), (b"", b"[0]"), (b"", b".x")])
    return text[: place.start(1)] + before * depth + inner + after * depth + text[place.end(1) :]


def deep_blocks(text: bytes, rng: random.Random) -> bytes:
    depth = rng.choice([20, 200, 2000])
    blocks = b"".join(b"  " * (i + 2) + b"if True:\n" for i in range(depth)) + b"  " * (depth + 2) + b"y = 1\n"
    found = list(re.finditer(rb"\) -> [^\n]*:\n", text))
    if not found:
        return flip(text, rng)
    at = rng.choice(found).end()
    return text[:at] + blocks + text[at:]


TEXTS = [change_number, change_number, change_line, change_word, change_word, nest_code, deep_blocks, flip, truncate, remove_piece]


# Archives


def change_record(records: list, rng: random.Random) -> list:
    # Mostly what is parsed: a tensor's bytes mean any number.
    weights = [1 if re.search(r"data/\d+$|constants/\d+$|debug_pkl", record.name) else 6 for record in records]
    record = rng.choices(records, weights)[0]
    kinds = PICKLES if record.name.endswith(".pkl") else TEXTS if record.name.endswith(".py") else ANY_BYTES
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        record.content = rng.choice(kinds)(record.content, rng)
    return records


def change_set(records: list, rng: random.Random) -> list:
    i, j = rng.randrange(len(records)), rng.randrange(len(records))
    kind = rng.choice(["remove", "repeat", "rename", "swap", "empty", "copy", "version"])
    if kind == "remove":
        del records[i]
    elif kind == "repeat":
        records.append(records[i])
    elif kind == "rename":
        records[i].name = rng.choice([records[j].name, records[i].name + "x", "x/" + records[i].name, records[i].name.upper(), ""]) or "x"
    elif kind == "swap":
        records[i].content, records[j].content = records[j].content, records[i].content
    elif kind == "empty":
        records[i].content = b""
    elif kind == "copy":
        records[i].content = records[j].content
    else:
        for record in records:
            if record.name.endswith(("version", "byteorder", "serialization_id")):
                record.content = rng.choice([b"", b"abc", b"-1", b"0", b"2", b"99999999999999999999999", b"3\n4", b"big"])
    return records


def change_directory(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    marks = [m.start() for m in re.finditer(rb"PK\x01\x02|PK\x03\x04|PK\x05\x06", data)]
    at = rng.choice(marks) + rng.choice([6, 8, 10, 14, 16, 18, 20, 24, 28, 30, 42])
    value = struct.pack("<I", rng.choice(NUMBERS + [rng.randrange(len(data))]) & 0xFFFFFFFF)
    changed[at : at + len(value)] = value[: max(0, len(data) - at)]
    return bytes(changed)


def damaged_archive(path: Path, rng: random.Random) -> bytes:
    kind = rng.choices(["record", "set", "directory", "bytes"], [10, 2, 2, 2])[0]
    if kind == "record":
        return write_archive(change_record(read_archive(path), rng))
    if kind == "set":
        return write_archive(change_set(read_archive(path), rng))
    if kind == "directory":
        return change_directory(path.read_bytes(), rng)
    return rng.choice(ANY_BYTES)(path.read_bytes(), rng)


# Runs


def idx(kind: int, shape: list, content: bytes) -> bytes:
    return bytes([0, 0, kind, len(shape)]) + b"".join(struct.pack(">I", size) for size in shape) + content


class Files:
    """The sound files that the runs damage."""

    def __init__(self, models: Path, runner: Path, folder: Path):
        import torch

        self.folder = folder
        self.models = [models / f"{name}.pt" for name in MODELS]
        self.model = models / "scripted_module.pt"
        self.blended, self.export = folder / "blended.pt", folder / "export.pt"
        lines = [f"blend\t{self.model}\t-o\t{self.blended}\t-q", f"convert\t{self.model}\t-o\t{self.export}\t-q"]
        made = subprocess.run([runner, self.model], input="\n".join(lines) + "\n", text=True, capture_output=True, check=True, env=ONE_THREAD)
        if not (self.blended.exists() and self.export.exists()):
            raise RuntimeError("the sound files cannot be made: " + made.stdout)
        images, classes = torch.rand(12, 3, 8, 8), torch.arange(12) % 4
        self.data = [folder / "dict.pt", folder / "tuple.pt", folder / "tensor.pt"]
        for path, content in zip(self.data, [{"x": images, "y": classes}, (images, classes), images]):
            torch.save(content, path)
        shape = [12, 3, 8, 8]
        self.idx = idx(0x08, shape, bytes(range(256)) * 9)
        self.idx_labels = folder / "labels.idx"
        self.idx_labels.write_bytes(idx(0x08, [12], bytes(i % 4 for i in range(12))))


def damaged_idx(files: Files, rng: random.Random) -> bytes:
    import gzip

    if rng.random() < 0.5:
        return rng.choice(ANY_BYTES)(files.idx, rng)
    compressed = gzip.compress(files.idx, mtime=0)
    if rng.random() < 0.3:
        return compressed[: -rng.randrange(1, 9)]
    return rng.choice(ANY_BYTES)(compressed, rng)


def make_run(number: int, seed: int, files: Files, folder: Path) -> tuple:
    """The arguments of a run, the damaged file and a name for its kind."""
    rng = random.Random(f"{seed}/{number}")
    bad, out = folder / "bad.pt", folder / "out" / "out.pt"
    kind = rng.choices(["inspect", "convert", "collapse", "verify", "against", "data", "eval", "idx"], [4, 6, 3, 3, 1, 4, 2, 2])[0]
    model = str(files.model)
    quick = ["--calibrate-passes", "1", "-q"]
    if kind in ("inspect", "convert"):
        bad.write_bytes(damaged_archive(rng.choice(files.models), rng))
        return (["inspect", bad] if kind == "inspect" else ["convert", bad, "-o", out, "-q"]), bad, kind
    if kind == "collapse":
        bad.write_bytes(damaged_archive(files.blended, rng))
        return ["collapse", bad, "-o", out, "-q"], bad, kind
    if kind in ("verify", "against"):
        bad.write_bytes(damaged_archive(files.export, rng))
        return ["verify", bad] + (["--against", files.export] if kind == "against" else []), bad, kind
    if kind == "idx":
        bad.write_bytes(damaged_idx(files, rng))
        return ["eval", model, "--data", f"{bad},{files.idx_labels}"], bad, kind
    bad.write_bytes(damaged_archive(rng.choice(files.data), rng))
    if kind == "eval":
        return ["eval", model, "--data", bad], bad, kind
    return ["convert", model, "-o", out, "--calibrate", bad, *quick], bad, kind


class Report:
    def __init__(self, keep: Path):
        self.keep, self.codes, self.findings, self.lock = keep, collections.Counter(), [], threading.Lock()
        self.slowest, self.largest, self.faults = 0.0, 0, collections.Counter()

    def add(self, number: int, words: list, bad: Path, kind: str, answer: list, left: list) -> None:
        code, seconds, peak, err = answer
        problem = ""
        if code not in ALLOWED:
            problem = f"exit code {code}"
        elif int(peak) > MOST_MB:
            problem = f"{peak} MB"
        elif left:
            problem = f"left behind: {left}"
        with self.lock:
            self.codes[(kind, code)] += 1
            done = sum(self.codes.values())
            if done % 500 == 0:
                print(f"{done} runs, {len(self.findings)} findings", flush=True)
            self.slowest, self.largest = max(self.slowest, float(seconds)), max(self.largest, int(peak))
            if "The process died" in err:
                self.faults[re.sub(r"'[^']*'", "FILE", err)[:160]] += 1
            if problem:
                kept = self.keep / f"{number}.pt"
                shutil.copyfile(bad, kept)
                self.findings.append(number)
                print(f"run {number}: {problem}: {' '.join(map(str, words))} ({kept})\n  {err[:600]}", flush=True)


def work(numbers: list, options: argparse.Namespace, files: Files, report: Report, folder: Path) -> None:
    out = folder / "out"
    out.mkdir(parents=True)
    with subprocess.Popen([options.runner, files.model], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="replace", env=ONE_THREAD) as runner:
        while True:
            with report.lock:
                if not numbers:
                    break
                number = numbers.pop()
            words, bad, kind = make_run(number, options.seed, files, folder)
            runner.stdin.write("\t".join(map(str, words)) + "\n")
            runner.stdin.flush()
            answer = runner.stdout.readline().rstrip("\n").split("\t")
            if len(answer) != 4:
                raise RuntimeError(f"run {number}: the runner ended")
            left = sorted(path.name for path in out.iterdir() if "tmp" in path.name)
            report.add(number, words, bad, kind, answer, left)
            shutil.rmtree(out)
            out.mkdir()
        runner.stdin.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="this run alone")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "actswap_fuzz_found")
    parser.add_argument("--models", type=Path, default=ROOT / "build/release/test_models")
    parser.add_argument("--runner", type=Path, default=ROOT / "build/release/bin/fuzz_runner")
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    report = Report(options.keep)
    begin = time.monotonic()
    numbers = list(range(options.runs, 0, -1)) if options.only is None else [options.only]
    count = len(numbers)
    with tempfile.TemporaryDirectory() as name:
        files = Files(options.models, options.runner, Path(name))
        threads = [threading.Thread(target=work, args=(numbers, options, files, report, Path(name) / str(job))) for job in range(options.jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for (kind, code), times in sorted(report.codes.items()):
        print(f"{kind:10} exit code {code:>4}  {times:6}")
    for text, times in report.faults.most_common():
        print(f"{times:6} times: {text}")
    done = sum(report.codes.values())
    print(f"{done} runs in {time.monotonic() - begin:.0f} s, slowest {report.slowest:.1f} s, most memory {report.largest} MB, {len(report.findings)} findings")
    return 0 if not report.findings and done == count else 1


if __name__ == "__main__":
    sys.exit(main())
