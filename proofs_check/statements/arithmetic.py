"""Arithmetic from examples that are logarithmically many in the inputs, exact on all inputs."""

import functools
import itertools
from collections.abc import Callable, Iterator

import numpy as np

from ntkexec import executor, pipeline
from ntkexec.check import Check, Measurement, Scale
from ntkexec.programs.arithmetic import add, assembly, multiply, one_node, permute, sbn
from ntkexec.programs.instance import Instance


def additions(scale: Scale) -> Iterator[tuple[Instance, int]]:
    """All sums of two numbers, and how many examples the claim allows."""
    bits = {"quick": 4, "standard": 6, "full": 10}[scale]
    yield _on_all_pairs(add.prepare, bits), 3 * bits + 2


def multiplications(scale: Scale) -> Iterator[tuple[Instance, int]]:
    """All products of two numbers, and how many examples the claim allows."""
    bits = {"quick": 3, "standard": 5, "full": 10}[scale]
    yield _on_all_pairs(multiply.prepare, bits), 19 * bits - 21


def permuted_strings(scale: Scale) -> Iterator[tuple[Instance, int]]:
    """Permutations of all strings of bits, and how many examples the claim allows."""
    # All of them, of few bits, and some of many.
    bits = {"quick": 3, "standard": 4, "full": 5}[scale]
    rng = np.random.default_rng(0)
    some = [tuple(rng.permutation(10).tolist()) for _ in range(3)]
    for order in (*itertools.permutations(range(bits)), *some):
        values = range(2 ** len(order))
        graph = one_node.nodes(values, label="strings")
        yield permute.prepare(graph, values=list(values), permutation=order), len(order)


def machines(scale: Scale) -> Iterator[tuple[Instance, int]]:
    """An SBN machine that runs a program on all pairs of numbers, and the examples it may take."""
    bits = {"quick": 3, "standard": 4, "full": 6}[scale]
    numbers = range(-(2 ** (bits - 1)), 2 ** (bits - 1))
    shipped = assembly.load("sum")
    programs = [shipped.with_cells({"a": a, "b": b}) for a in numbers for b in numbers]
    graph = one_node.nodes(range(len(programs)), label="pairs")
    instance = sbn.prepare(graph, programs=programs)
    word, cells, code = (instance.sizes[name] for name in ("word", "cells", "code"))
    # Bits of an instruction, and of all that a node's state holds as data.
    instruction = 2 * (cells - 1).bit_length() + code.bit_length()
    data = code * instruction + cells * word
    yield instance, 2 * data + 3 * cells * word + 5 * code + 3 * cells + 10 * word + 4


def _on_all_pairs(prepare: Callable[..., Instance], bits: int) -> Instance:
    pairs = np.arange(4**bits)
    graph = one_node.nodes(pairs.tolist(), label="pairs")
    a, b = (pairs >> bits).tolist(), (pairs & ((1 << bits) - 1)).tolist()
    return prepare(graph, a=a, b=b, bits=bits)


def measure(
    scale: Scale, cases: Callable[[Scale], Iterator[tuple[Instance, int]]], drop: int = 0
) -> Measurement:
    """Inputs whose answer, as learned in the mean, is wrong, and examples beyond the claim's.

    Args:
        scale: length of the numbers.
        cases: what is computed, with the number of examples.
        drop: steps left out at the end, for counter-cases.
    """
    wrong = inputs = 0
    examples = []
    for instance, allowed in cases(scale):
        certificate = pipeline.certify(
            instance.program, bound="graph", num_decisions=1, instance=instance
        )
        execution = executor.execute(
            pipeline.make_engine("kernel", certificate),
            instance.program,
            instance.graphs,
            num_steps=instance.num_steps - drop,
            verify=False,
        )
        found, expected = instance.decode(execution.states), instance.reference()
        differs = [np.asarray(found[field]) != expected[field] for field in expected]
        wrong += int(np.any(differs, axis=0).sum())
        wrong += abs(instance.program.num_templates - allowed)
        inputs += instance.graph.num_nodes
        examples.append(instance.program.num_templates)
    return Measurement(wrong, details={"inputs": inputs, "examples": max(examples)})


def _check(
    name: str,
    claim: str,
    formula: str,
    source: str,
    how: str,
    cases: Callable[[Scale], Iterator[tuple[Instance, int]]],
    drop: int,
) -> Check[Scale]:
    return Check(
        name=name,
        claim=claim,
        formula=formula,
        source=source,
        how=f"{how}; wrong answers by the kernel engine and examples more or less than claimed",
        bound=0,
        bound_from="the claim is exact",
        measure=functools.partial(measure, cases=cases),
        broken=functools.partial(measure, cases=cases, drop=drop),
    )


CHECKS = (
    _check(
        "arithmetic",
        "addition of b-bit numbers, learned from 3 b + 2 examples, is exact on all 4^b inputs",
        r"\#\text{examples} = 3 b + 2 = \tfrac{3}{2} \log_2 \#\text{inputs} + 2",
        "add in ntkexec.programs.arithmetic",
        "all pairs of numbers of 4 (quick), 6 or 10 bits",
        additions,
        2,
    ),
    _check(
        "arithmetic-permute",
        "any permutation of k bits, learned from k examples, is exact on all 2^k inputs",
        r"\#\text{examples} = k = \log_2 \#\text{inputs}",
        "permute in ntkexec.programs.arithmetic",
        "all permutations of 3 (quick), 4 or 5 bits and three of 10 bits, on all strings",
        permuted_strings,
        1,
    ),
    _check(
        "arithmetic-multiply",
        "multiplication of b-bit numbers, from 19 b - 21 examples, is exact on all 4^b inputs",
        r"\#\text{examples} = 19 b - 21 = \tfrac{19}{2} \log_2 \#\text{inputs} - 21",
        "multiply in ntkexec.programs.arithmetic",
        "all pairs of numbers of 3 (quick), 5 or 10 bits",
        multiplications,
        2,
    ),
    _check(
        "arithmetic-sbn",
        "an SBN machine, from examples linear in the bits of its memory and code, runs exactly",
        r"\#\text{examples} = 2 (k i + c w) + 3 c w + 5 k + 3 c + 10 w + 4, \quad "
        r"\log_2 \#\text{inputs} = k i + c w",
        "sbn in ntkexec.programs.arithmetic: c cells of w bits, k instructions of i bits",
        "the program that adds, on all pairs of numbers of 3 (quick), 4 or 6 bits",
        machines,
        1,
    ),
)
