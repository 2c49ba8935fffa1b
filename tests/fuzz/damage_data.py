"""How data files are damaged where their readers look: headers, sizes, numbers in text. Lengths and checksums around a change are right, so
that the reader comes to see it."""

import io
import random
import re
import struct
import zlib
from pathlib import Path

from damage import ANY_BYTES, NUMBERS, damaged_archive, read_archive, write_archive

WORDS = [b"", b"nan", b"inf", b"-inf", b"1e400", b"0x10", b"\x00", b'"', b"\xff\xfe", b"1" * 400, b"x" * 5000, b"\n", b",,,", b"None", b"True"]


def change_text(text: bytes, rng: random.Random) -> bytes:
    """One number or word of a text becomes another one."""
    places = list(re.finditer(rb"-?[0-9.]+|[A-Za-z_]+", text))
    if not places:
        return rng.choice(ANY_BYTES)(text, rng)
    place = rng.choice(places)
    new = rng.choice([str(rng.choice(NUMBERS)).encode(), rng.choice(WORDS), rng.choice(places).group()])
    return text[: place.start()] + new + text[place.end() :]


def damaged_npy(data: bytes, rng: random.Random) -> bytes:
    wide = data[6:7] != b"\x01"
    width = 4 if wide else 2
    size = int.from_bytes(data[8 : 8 + width], "little")
    header, elements = data[8 + width : 8 + width + size], data[8 + width + size :]
    header = change_text(header, rng)
    said = len(header) if rng.random() < 0.8 else rng.choice([0, 1, 0xFFFF, 0xFFFFFFFF])
    return data[:8] + struct.pack("<I" if wide else "<H", said & (0xFFFFFFFF if wide else 0xFFFF)) + header + elements


def damaged_npz(path: Path, rng: random.Random) -> bytes:
    records = read_archive(path)
    record = rng.choice(records)
    record.content = damaged_npy(record.content, rng)
    return write_archive(records)


def damaged_safetensors(data: bytes, rng: random.Random) -> bytes:
    size = struct.unpack("<Q", data[:8])[0]
    header, tensors = data[8 : 8 + size], data[8 + size :]
    for _ in range(rng.choice([1, 1, 2])):
        header = change_text(header, rng)
    said = len(header) if rng.random() < 0.8 else rng.choice(NUMBERS) % 2**64
    return struct.pack("<Q", said) + header + tensors


def damaged_tar(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    headers = [at for at in range(0, len(data) - 511, 512) if data[at + 257 : at + 262] == b"ustar"]
    at = rng.choice(headers)
    field, width = rng.choice([(0, 100), (124, 12), (156, 1), (257, 8), (345, 155)])
    content = rng.choice([b"\0" * width, b"7" * width, b"\xff" * width, rng.randbytes(width), str(rng.choice(NUMBERS)).encode().rjust(width)[:width]])
    changed[at + field : at + field + width] = content
    if rng.random() < 0.3:  # what a file holds, a pax record or an array's header
        place = min(at + 512 + rng.randrange(128), len(changed) - 1)
        changed[place] = rng.randrange(256)
    total = sum(changed[at : at + 148]) + 8 * 32 + sum(changed[at + 156 : at + 512])
    changed[at + 148 : at + 156] = b"%06o\0 " % total
    return bytes(changed)


def png_chunks(data: bytes) -> list:
    chunks, at = [], 8
    while at + 12 <= len(data):
        size = struct.unpack(">I", data[at : at + 4])[0]
        chunks.append([data[at + 4 : at + 8], data[at + 8 : at + 8 + size]])
        at += 12 + size
    return chunks


def damaged_png(data: bytes, rng: random.Random) -> bytes:
    chunks = png_chunks(data)
    i = rng.randrange(len(chunks))
    name, content = chunks[i]
    kind = rng.choice(["header", "pixels", "bytes", "remove", "repeat", "bomb"])
    if kind == "header":
        header = bytearray(chunks[0][1])
        if rng.random() < 0.5:
            at = rng.choice([0, 4])
            header[at : at + 4] = struct.pack(">I", rng.choice(NUMBERS) % 2**32)
        else:
            header[rng.choice([8, 9, 10, 11, 12])] = rng.choice([0, 1, 2, 3, 4, 6, 8, 16, 255])
        chunks[0][1] = bytes(header)
    elif kind == "pixels":
        pixels = zlib.decompress(b"".join(content for name, content in chunks if name == b"IDAT"))
        chunks = [chunk for chunk in chunks if chunk[0] != b"IDAT"]
        chunks.insert(-1, [b"IDAT", zlib.compress(rng.choice(ANY_BYTES)(pixels, rng))])
    elif kind == "bytes":
        chunks[i][1] = rng.choice(ANY_BYTES)(content, rng)
    elif kind == "remove":
        del chunks[i]
    elif kind == "repeat":
        chunks.insert(i, chunks[i])
    else:
        chunks.insert(1, [rng.choice([b"zTXt", b"iCCP"]), b"name\0\0" + zlib.compress(bytes(1 << 24))])
    file = io.BytesIO()
    file.write(data[:8])
    for name, content in chunks:
        file.write(struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content)))
    return file.getvalue()


def damaged_data(path: Path, rng: random.Random) -> bytes:
    """A damaged copy of a sound file, by its format; a quarter of them in any of its bytes."""
    data = path.read_bytes()
    if rng.random() < 0.25:
        return rng.choice(ANY_BYTES)(data, rng)
    if path.suffix == ".npy":
        return damaged_npy(data, rng)
    if path.suffix == ".npz":
        return damaged_npz(path, rng) if rng.random() < 0.5 else damaged_archive(path, rng)
    if path.suffix == ".pt":
        return damaged_archive(path, rng)
    if path.suffix == ".safetensors":
        return damaged_safetensors(data, rng)
    if path.suffix == ".tar":
        return damaged_tar(data, rng)
    if path.suffix == ".csv":
        return change_text(data, rng)
    if path.suffix == ".png":
        return damaged_png(data, rng)
    return rng.choice(ANY_BYTES)(data, rng)
