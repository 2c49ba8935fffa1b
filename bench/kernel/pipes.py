#!/usr/bin/env python3
"""Measures which AVX-512 instructions share pipes on this processor, and counts those in the kernels: pipes.py [libactswap.so]

Needs a C compiler (CC, or clang-19, or cc), and objdump for the library.

Prints the time that one instruction adds to a loop that keeps the pipes for products busy, to one that keeps those for sums busy, and to
one that does both, in units of one product. An instruction that adds nothing runs in parallel. For a library, the script counts the
instructions for one vector in each kernel's loop from a row to relu: those that take the turns of products (a quotient takes two, a store
one and a half), those that take the turns of sums, and others, of which two run at a time beside either.
"""

import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

INSTRUCTIONS = {
    "product and sum (vfmadd)": "vfmadd213ps %zmm30,%zmm31,%zmm{free}",
    "sum (vaddps)": "vaddps %zmm30,%zmm31,%zmm29",
    "quotient (vdivps)": "vdivps %zmm30,%zmm31,%zmm29",
    "estimate of 1/x (vrcp14ps)": "vrcp14ps %zmm30,%zmm29",
    "2^k x (vscalefps)": "vscalefps %zmm30,%zmm31,%zmm29",
    "maximum (vmaxps)": "vmaxps %zmm30,%zmm31,%zmm29",
    "comparison (vcmpps)": "vcmpltps %zmm30,%zmm31,%k2",
    "choice (vblendmps)": "vblendmps %zmm30,%zmm31,%zmm29{{%k1}}",
    "shift (vpslld)": "vpslld $23,%zmm31,%zmm29",
    "whole sum (vpaddd)": "vpaddd %zmm30,%zmm31,%zmm29",
    "logic (vorps)": "vorps %zmm30,%zmm31,%zmm29",
    "table of 16 (vpermps)": "vpermps %zmm30,%zmm31,%zmm29",
    "store": "vmovups %zmm30,(%rsi)",
}
PRODUCT = "vfmadd213ps %zmm30,%zmm31,%zmm{i}"
SUM = "vaddps %zmm30,%zmm{j},%zmm{j}"
LOOPS = {"products": [PRODUCT], "sums": [SUM], "both": [PRODUCT, SUM]}
TURNS = 12  # of a loop's instructions; the measured one follows every fourth

MAIN = """
#include <stdio.h>
#include <time.h>
static char memory[4096];
static double best(void (*loop)(int, void*)) {
  double least = 1e9;
  for (int repeat = 0; repeat < 60; ++repeat) {
    struct timespec a, b;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    loop(10000, memory);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    const double time = (b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec);
    least = time < least ? time : least;
  }
  return least / 10000;
}
"""


def loop(name: str, lines: list, instruction: str) -> str:
    body = []
    for i in range(TURNS):
        body += [line.format(i=i, j=12 + i) for line in lines]
        if instruction and i % 4 == 0:
            body.append(instruction.format(free=24 + i // 4))
    return "\n".join([f".globl {name}", ".p2align 6", f"{name}:", "mov $1,%eax", "kmovw %eax,%k1", ".p2align 6", "1:", *body,
                      "dec %edi", "jnz 1b", "vzeroupper", "ret", ""])  # fmt: skip


ROWS = ["Silu", "Mish", "Gelu", "GeluTanh", "SwishMish", "Elu", "Softplus", "Tanh", "Hardswish"]
PRODUCTS = re.compile(r"vf[n]?m|vmulps|vcmp|vpmovd2m")
SUMS = re.compile(r"vaddps|vsubps|vmaxps|vminps|vpslld|vpsrad")
OTHERS = re.compile(r"vpadd|v[p]?or|v[p]?and|v[p]?xor|vblend|vpternlog|vpblend|vmovaps.*k1")


def innermost_loop(lines: list) -> list:
    """The shortest stretch from a target to the jump back to it that holds a store of a vector."""
    places = {line.split(":")[0].strip(): i for i, line in enumerate(lines)}
    best = None
    for i, line in enumerate(lines):
        jump = re.search(r"\tj\w+ +([0-9a-f]+)", line)
        start = places.get(jump.group(1)) if jump else None
        if start is not None and start < i and any("vmov" in body and re.search(r"zmm\d+,.*\(", body) for body in lines[start:i]):
            if best is None or i - start < best[1] - best[0]:
                best = (start, i)
    return lines[best[0] : best[1]] if best else []


def count_instructions(library: str) -> None:
    text = subprocess.run(["objdump", "-d", "-C", "--no-show-raw-insn", library], check=True, stdout=subprocess.PIPE, text=True).stdout
    functions = collections.defaultdict(list)
    name = None
    for line in text.splitlines():
        header = re.match(r"[0-9a-f]+ <.*N_AVX3::(blend_values|blend_gradients)<actswap::N_AVX3::(\w+), actswap::N_AVX3::Relu>.*>:$", line)
        if line.endswith(">:"):
            name = header.groups() if header else None
        elif name and "\t" in line:
            functions[name].append(line)
    print("\n| from | pass | products | sums | others |\n|---|---|---|---|---|")
    for row in ROWS:
        for kind, what in (("blend_values", "forward"), ("blend_gradients", "backward")):
            counts = collections.Counter()
            for line in innermost_loop(functions[kind, row]):
                if "vdivps" in line:
                    counts["products"] += 2
                elif re.search(r"vmovups.*zmm\d+,.*\(", line):
                    counts["products"] += 1.5
                elif PRODUCTS.search(line):
                    counts["products"] += 1
                elif SUMS.search(line):
                    counts["sums"] += 1
                elif OTHERS.search(line):
                    counts["others"] += 1
            print(f"| {row} | {what} | {counts['products']:g} | {counts['sums']} | {counts['others']} |")


def main() -> int:
    assembly, code = [".text"], [MAIN]
    calls = [f'  const double product = best(base_products) / {TURNS};\n  printf("a product takes %.3f ns\\n\\n", product);']
    for kind, lines in LOOPS.items():
        assembly.append(loop(f"base_{kind}", lines, ""))
        code.append(f"void base_{kind}(int, void*);")
    header = "| one instruction | " + " | ".join(LOOPS) + " |"
    calls.append(f'  puts("{header}\\n|{"---|" * (len(LOOPS) + 1)}");')
    for number, (name, instruction) in enumerate(INSTRUCTIONS.items()):
        calls.append(f'  printf("| {name} |");')
        for kind, lines in LOOPS.items():
            assembly.append(loop(f"u{number}_{kind}", lines, instruction))
            code.append(f"void u{number}_{kind}(int, void*);")
            calls.append(f'  printf(" %.1f |", (best(u{number}_{kind}) - best(base_{kind})) / product / {TURNS // 4} + 0.01);')
        calls.append('  puts("");')
    code.append("int main(void) {\n" + "\n".join(calls) + "\n  return 0;\n}\n")
    compiler = os.environ.get("CC") or shutil.which("clang-19") or "cc"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "loops.s").write_text("\n".join(assembly) + '\n.section .note.GNU-stack,"",@progbits\n', encoding="utf-8")
        (Path(folder) / "main.c").write_text("\n".join(code), encoding="utf-8")
        subprocess.run([compiler, "-O2", "main.c", "loops.s", "-o", "pipes"], cwd=folder, check=True)
        subprocess.run([Path(folder) / "pipes"], check=True)
    if len(sys.argv) > 1:
        count_instructions(sys.argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
