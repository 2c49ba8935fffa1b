"""How files are damaged: bytes, the zip directory, records, pickles, source text, sizes. Checksums are right where a record changes, so that
what reads it comes to see it."""

import gzip
import io
import random
import re
import struct
import warnings
import zipfile
from pathlib import Path

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


# idx


def idx(kind: int, shape: list, content: bytes) -> bytes:
    return bytes([0, 0, kind, len(shape)]) + b"".join(struct.pack(">I", size) for size in shape) + content


def damaged_idx(sound: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return rng.choice(ANY_BYTES)(sound, rng)
    compressed = gzip.compress(sound, mtime=0)
    if rng.random() < 0.3:
        return compressed[: -rng.randrange(1, 9)]
    return rng.choice(ANY_BYTES)(compressed, rng)
