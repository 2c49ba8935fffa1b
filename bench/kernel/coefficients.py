#!/usr/bin/env python3
"""Computes the numbers in lib/actswap/kernel/*-inl.h and bench/kernel/reference.h. Needs numpy and mpmath.

Lawson's iteration fits each polynomial, or fraction of two, to the least maximum error: least squares, with weights that move to
where the error is largest; a fraction takes its denominator from the round before. The script rounds coefficients to single
precision one after the other, and fits the rest anew each time, so that rounding costs no accuracy. Prints the coefficients,
lowest power first, and the largest error of the printed ones.
"""

import struct

import mpmath as mp
import numpy as np

mp.mp.dps = 40


def single(value) -> float:
    return struct.unpack("f", struct.pack("f", float(value)))[0]


def points(low, high, count=300):
    low, high = mp.mpf(low), mp.mpf(high)
    return [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (i + mp.mpf("0.5")) / count) for i in range(count)]


class Fit:
    """function(x) = P(x) / (share x P(x) + Q(x)), error relative to scale (the function itself); `fixed` gives fixed coefficients
    by power."""

    def __init__(self, function, xs, up, down=0, fixed=None, scale=None, share=0.0):
        self.fixed = dict(fixed or {("q", 0): 1.0})
        self.terms = [("p", power) for power in range(up + 1)] + [("q", power) for power in range(down + 1)]
        self.columns = {}
        self.below = {}  # what each coefficient adds to the denominator
        scales = [(scale or function)(x) for x in xs]
        values = [function(x) for x in xs]
        for kind, power in self.terms:
            below = [x**power if kind == "q" else share * x ** (power + 1) for x in xs]
            above = [0 if kind == "q" else x**power for x in xs]
            self.below[kind, power] = np.array([float(v) for v in below])
            self.columns[kind, power] = np.array([float((a - f * b) / s) for a, b, f, s in zip(above, below, values, scales)])

    def denominator(self, values) -> np.ndarray:
        return sum(values[term] * self.below[term] for term in self.terms)

    def errors(self, values) -> np.ndarray:
        return np.abs(sum(values[term] * self.columns[term] for term in self.terms) / self.denominator(values))

    def solve(self, rounds=150) -> tuple:
        free = [term for term in self.terms if term not in self.fixed]
        known = sum(self.fixed[term] * self.columns[term] for term in self.fixed)
        if not free:
            return self.errors(self.fixed).max(), dict(self.fixed)
        matrix = np.stack([self.columns[term] for term in free], axis=1)
        weights, denominator, best = np.ones(len(known)), np.ones(len(known)), (np.inf, None)
        for _ in range(rounds):
            factor = np.sqrt(weights) / np.abs(denominator)
            scaled = matrix * factor[:, None]
            size = np.linalg.norm(scaled, axis=0)
            solution = np.linalg.lstsq(scaled / size, -known * factor, rcond=None)[0] / size
            values = {**self.fixed, **dict(zip(free, solution))}
            denominator = self.denominator(values)
            errors = self.errors(values)
            if errors.max() < best[0]:
                best = (errors.max(), values)
            weights *= errors / errors.max() + 1e-4
            weights /= weights.sum()
        return best

    def rounded(self, order=None) -> tuple:
        for term in order or self.terms:
            if term not in self.fixed:
                self.fixed[term] = single(self.solve()[1][term])
        return self.solve()


def show(name, result, digits=9):
    error, values = result
    text = {kind: ", ".join(f"{value:.{digits}g}" for (k, _), value in sorted(values.items()) if k == kind) for kind in "pq"}
    print(f"{name}: {text['p']}" + ("" if text["q"] == "1" else f"\n    over {text['q']}") + f"\n    error {error:.2g}")


def main():
    # tanh(f ln(2) / 2) / f of f^2, the numerator's last coefficient 1. The first two give the slope at 0, which decides the
    # last digit of expm1 and tanh: few pairs of numbers have a quotient so exact. Of those that have, this one gave the least
    # error of mish over all inputs, whose roundings it shifts.
    slope = mp.log(2) / 2
    half_tanh = lambda s: mp.tanh(mp.sqrt(s) * slope) / mp.sqrt(s)  # noqa: E731
    first = single(125.026634)
    second = single(first / slope)
    print(f"slope of 2^f at 0: error {float(abs(first / mp.mpf(second) / slope - 1)):.2g}")
    fixed = {("p", 1): 1.0, ("p", 0): first, ("q", 0): second}
    show("2^f", Fit(half_tanh, points("1e-12", "0.2505"), 1, 1, fixed=fixed).rounded())

    artanh = lambda s: 2 * mp.atanh(mp.sqrt(s)) / mp.sqrt(s)  # noqa: E731
    show("log(1 + z) / q of q^2, q = z / (2 + z)", Fit(artanh, points("1e-14", "0.11112"), 4, fixed={("q", 0): 1.0, ("p", 0): 2.0}).rounded())

    grid = single(1 / mp.log(2) / 2)
    print(f"the normal distribution, beside 2^(-{grid:.9g} a^2)")
    power = lambda a: mp.power(2, mp.mpf(grid) * a * a)  # noqa: E731
    tail = lambda a: mp.erfc(a / mp.sqrt(2)) / 2 * power(a)  # noqa: E731
    density = lambda a: a * mp.exp(-a * a / 2) / mp.sqrt(2 * mp.pi) * power(a)  # noqa: E731
    wide = [mp.mpf("14.8") * x * x for x in points(0, 1)]
    # a Phi(-a) / h goes to phi(0): with the inverse of that as share of the numerator in the denominator the numerator's rounding
    # hardly matters far out. A little more makes up for the grid.
    share = single(mp.sqrt(2 * mp.pi) * (1 + mp.mpf("6.5e-6")))
    print(f"share {share:.9g}")
    show("Phi(-a)", Fit(tail, wide, 4, 3, fixed={("p", 0): 32.0, ("q", 0): 64.0}, share=share).rounded())
    show("Phi(-a) - a phi(a)", Fit(lambda a: tail(a) - density(a), wide, 5, 4, fixed={("q", 4): 1.0},
                                   scale=lambda a: tail(a) + density(a)).rounded())  # fmt: skip

    print("gelu_tanh: u log2(e) = x (linear + cubic x^2)")
    scale = 2 * mp.sqrt(2 / mp.pi)
    linear, cubic = scale / mp.log(2), scale * mp.mpf("0.044715") / mp.log(2)
    high = mp.nint(linear * 2**20) / 2**20
    print(f"    {float(high):.9g} + {float(linear - high):.9g}, {single(cubic):.9g} + {float(cubic - single(cubic)):.9g}")
    print(f"    u' = {float(scale):.9g} + {float(3 * scale * mp.mpf('0.044715')):.9g} x^2")

    print("for the reference in double")
    normal = lambda a: mp.erfc(a / mp.sqrt(2)) / 2 * mp.exp(a * a / 2)  # noqa: E731
    show("Phi(-a) e^(a^2/2)", Fit(normal, wide, 8, 9).solve(400), digits=17)
    show("log(1 + z) / q of q^2, q = z / (2 + z)", Fit(artanh, points("1e-14", "0.11112"), 8).solve(), digits=17)


if __name__ == "__main__":
    main()
