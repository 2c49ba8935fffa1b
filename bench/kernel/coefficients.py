#!/usr/bin/env python3
"""Where the polynomials of lib/actswap/kernel/math-inl.h come from. Needs numpy and mpmath.

Each is fitted to the least largest relative error by Lawson's iteration: least squares, with weights that
move to where the error is largest. Prints the coefficients, lowest power first, and that error.
"""

import mpmath as mp
import numpy as np

mp.mp.dps = 40


def fit(function, low, high, powers, given=lambda x: 0, scale=None, points=400, rounds=200):
    """function(x) = given(x) + sum of c_i x^powers_i, error relative to scale (the function itself)."""
    scale = scale or function
    low, high = mp.mpf(low), mp.mpf(high)
    xs = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (i + 0.5) / points) for i in range(points)]
    wanted = np.array([float((function(x) - given(x)) / scale(x)) for x in xs])
    terms = np.array([[float(x**power / scale(x)) for power in powers] for x in xs])
    weights = np.ones(points)
    best = (np.inf, None)
    for _ in range(rounds):
        root = np.sqrt(weights)
        coefficients = np.linalg.lstsq(terms * root[:, None], wanted * root, rcond=None)[0]
        error = np.abs(terms @ coefficients - wanted)
        if error.max() < best[0]:
            best = (error.max(), coefficients)
        weights *= error / error.max() + 1e-3
        weights /= weights.sum()
    return best


def show(name, result):
    print(f"{name}: {', '.join(f'{value:.9g}' for value in result[1])}   (error {result[0]:.2g})")


def main():
    half = mp.log(2) / 2
    show("exp(r) = 1 + r + ...", fit(mp.exp, -half, half, range(2, 6), given=lambda r: 1 + r))
    show("expm1(r) = r + ...", fit(mp.expm1, -half, half, range(2, 7), given=lambda r: r))
    show("log1p(z)", fit(mp.log1p, "1e-9", 1, range(1, 10)))

    # Phi(-a) e^(a^2/2) (1 + a / c) as a polynomial of w = a / (1 + a / c) - m
    c, m, end = mp.mpf("3.25"), mp.mpf("1.3125"), mp.mpf("14.6")

    def tail(w):
        v = w + m
        a = v / (1 - v / c)
        return mp.erfc(a / mp.sqrt(2)) / 2 * mp.exp(a * a / 2) * (1 + a / c)

    show("normal tail", fit(tail, -m, end / (1 + end / c) - m, range(0, 8)))


if __name__ == "__main__":
    main()
