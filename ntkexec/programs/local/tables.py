"""Two-level minimisation of a function given by its cases, codes of no value being free.

`ntkexec.language.minimise` takes a sum of products and nothing else. Here what must be 0 is known as
well, so that everything else (codes that stand for no value) helps to make products shorter.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int8

from ntkexec.language import Sum
from ntkexec.language.cubes import Term
from ntkexec.programs.local.exploration import Case, Cube

FREE = -1

Cubes = Int8[np.ndarray, "cubes bits"]
"""Products: at each bit the required value, or FREE."""


def minimise(on: Cubes, off: Cubes) -> Cubes:
    """Few short products that contain all of `on` and meet nothing of `off`.

    Every product is a prime implicant, and none contains only what others contain.

    Args:
        on: where the function is 1.
        off: where it is 0; must not meet `on`. Elsewhere the function is free.

    Source: the EXPAND and IRREDUNDANT steps of espresso, with an explicit off-set (Brayton et al.,
        Logic Minimization Algorithms for VLSI Synthesis, 1984); the order of expansion is ours.
    """
    primes: list[np.ndarray] = []
    covered = np.zeros(len(on), bool)
    # Short products first: their primes tend to contain the long ones.
    for index in np.argsort((on != FREE).sum(1), kind="stable"):
        if not covered[index]:
            prime = _expand(on[index], off)
            covered |= _contains(prime, on)
            primes.append(prime)
    found = np.array(primes, np.int8).reshape(len(primes), on.shape[1])
    holds = np.array([_contains(prime, on) for prime in found]).reshape(len(found), len(on))
    kept = np.ones(len(found), bool)
    times = holds.sum(0)
    for index in np.argsort(-(found != FREE).sum(1), kind="stable"):
        if (times[holds[index]] > 1).all():
            kept[index] = False
            times -= holds[index]
    return found[kept]


def _contains(prime: np.ndarray, cubes: Cubes) -> Bool[np.ndarray, "cubes"]:
    return np.asarray(((prime == FREE) | (prime == cubes)).all(1))


def _expand(cube: np.ndarray, off: Cubes) -> np.ndarray:
    """The product without literals that are not needed to miss `off`."""
    prime = cube.copy()
    conflicts = (off != FREE) & (cube != FREE) & (off != cube)
    left = conflicts.sum(1)
    # A literal that keeps little of `off` out is tried first.
    for bit in np.argsort(conflicts.sum(0), kind="stable"):
        if prime[bit] != FREE and not (conflicts[:, bit] & (left == 1)).any():
            prime[bit] = FREE
            left = left - conflicts[:, bit]
    return prime


def _matrix(cubes: Sequence[Cube], columns: dict[int, int]) -> Cubes:
    matrix = np.full((len(cubes), len(columns)), FREE, np.int8)
    for row, cube in zip(matrix, cubes, strict=True):
        for bit, value in cube.items():
            row[columns[bit]] = value
    return matrix


def sums(cases: Sequence[Case], inputs: Sequence[Sum]) -> tuple[Sum, ...]:
    """For every output bit its function of the input bits.

    Args:
        cases: of a function, disjoint and complete.
        inputs: for every input bit, the condition that it is 1: a single literal.
    """
    literals = [_literal(function) for function in inputs]
    return tuple(_one_sum(cases, output, literals) for output in range(len(cases[0].outputs)))


def _one_sum(cases: Sequence[Case], output: int, literals: Sequence[tuple[object, bool]]) -> Sum:
    on: list[Cube] = []
    off: list[Cube] = []
    for case in cases:
        value = case.outputs[output]
        if isinstance(value, bool):
            (on if value else off).append(case.cube)
        elif value in case.cube:
            (on if case.cube[value] else off).append(case.cube)
        else:
            on.append({**case.cube, value: True})
            off.append({**case.cube, value: False})
    columns = {bit: place for place, bit in enumerate(sorted({b for c in (*on, *off) for b in c}))}
    products = minimise(_matrix(on, columns), _matrix(off, columns))
    terms: set[Term] = set()
    for product in products:
        entries = []
        for bit, place in columns.items():
            if product[place] != FREE:
                name, positive = literals[bit]
                entries.append((name, bool(product[place]) == positive))
        terms.add(frozenset(entries))
    return Sum(frozenset(terms))


def _literal(function: Sum) -> tuple[object, bool]:
    ((entry,),) = function.terms
    return entry
