"""Random draws in compiled loops, with the bits of the C++ standard library of GNU.

The generator is the Mersenne Twister: the `words` [624] of its state, and the position `at` [1] of
the next one. Every draw changes both.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from glocalk.sparse.compiled import Array, exact

WORDS = 624  # of the state
_SHIFT = 397


def twister(seed: int) -> tuple[Array, Array]:
    """`words` and `at` of a generator with this seed, which is below 2³²."""
    state = np.random.RandomState(seed).get_state(legacy=False)
    return state["state"]["key"].copy(), np.array([WORDS])


@exact
def normal_of(words: Array, at: Array, precision: float, linear: float) -> float:
    """A draw from Normal(linear / precision, 1 / precision)."""
    drawn: float = linear / precision + normals(words, at)[0] / math.sqrt(precision)
    return drawn


@exact
def gamma(words: Array, at: Array, shape: float, scale: float) -> float:
    """Marsaglia and Tsang (2000), for shape ≥ 1, as in GNU's `std::gamma_distribution`."""
    a = shape - 1.0 / 3.0
    b = 1.0 / math.sqrt(9.0 * a)
    kept, holds = 0.0, False
    while True:
        while True:
            if holds:
                n, holds = kept, False
            else:
                n, kept = normals(words, at)
                holds = True
            v = 1.0 + b * n
            if v > 0:
                break
        v = v * v * v
        u = uniform(words, at)
        if u <= 1.0 - 0.0331 * n * n * n * n:
            break
        if math.log(u) <= 0.5 * n * n + a * (1.0 - v + math.log(v)):
            break
    return a * v * scale


@exact
def normals(words: Array, at: Array) -> tuple[float, float]:
    """Two normal values by Marsaglia's polar method, as in GNU's `std::normal_distribution`."""
    while True:
        x = 2.0 * uniform(words, at) - 1.0
        y = 2.0 * uniform(words, at) - 1.0
        square = x * x + y * y
        if 0 < square <= 1:
            break
    factor = math.sqrt(-2 * math.log(square) / square)
    return y * factor, x * factor


@exact
def uniform(words: Array, at: Array) -> float:
    """Uniform from 0 to 1, exclusive, of 64 random bits."""
    low = np.float64(_word(words, at))
    value = (low + np.float64(_word(words, at)) * 4294967296.0) / 18446744073709551616.0
    return value if value < 1 else 0.9999999999999999  # the largest double below 1


@exact
def _word(words: Array, at: Array) -> Any:
    """32 bits of the Mersenne Twister (Matsumoto and Nishimura, 1998)."""
    if at[0] == WORDS:
        for n in range(WORDS):
            mixed = (words[n] & np.uint32(0x80000000)) | (
                words[(n + 1) % WORDS] & np.uint32(0x7FFFFFFF)
            )
            twist = np.uint32(0x9908B0DF) if mixed & np.uint32(1) else np.uint32(0)
            words[n] = words[(n + _SHIFT) % WORDS] ^ (mixed >> np.uint32(1)) ^ twist
        at[0] = 0
    y = words[at[0]]
    at[0] += 1
    y ^= y >> np.uint32(11)
    y ^= (y << np.uint32(7)) & np.uint32(0x9D2C5680)
    y ^= (y << np.uint32(15)) & np.uint32(0xEFC60000)
    return np.uint32(y ^ (y >> np.uint32(18)))
