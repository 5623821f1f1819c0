"""Sizes of the programs: counted, they are what their formulas say."""

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping

from ntkexec import pipeline
from ntkexec.check import Check, Measurement, Scale
from ntkexec.programs import ALGORITHMS, Instance
from ntkexec.programs.graph import bellman_ford, bfs, bfs_queue, bfs_split, dfs, dfs_split, flooding
from proofs_check.fixtures.size_formulas import FORMULAS

ROUNDS: Mapping[str, Callable[[int], int]] = {
    "flooding": lambda word: flooding.STEPS_PER_ROUND,
    "flooding-split": lambda word: bfs_split.STEPS_PER_HOP,
    "bfs": lambda word: bfs.STEPS_PER_ROUND,
    "bfs-split": lambda word: bfs_split.STEPS_PER_HOP,
    "bfs-queue": lambda word: bfs_queue.STEPS_PER_ROUND,
    "dfs": lambda word: dfs.STEPS_PER_ROUND,
    "dfs-split": lambda word: dfs_split.STEPS_PER_HOP,
    "bellman-ford": lambda word: bellman_ford.steps_per_round(word=word),
}
"""Steps of a round, by program and length of a word."""


def compared(scale: Scale) -> Iterator[tuple[str, int, int]]:
    """What is counted, the count, and the formula's value, over sizes of all programs."""
    degrees: tuple[int, ...] = (1, 2, 3)
    words: tuple[int, ...] = (1, 2, 4)
    if scale != "quick":
        degrees, words = (1, 2, 3, 4, 5), (1, 2, 3, 4, 6, 8)
    for degree, word in itertools.product(degrees, words):
        for slots in {degree + 1, degree**2 + 1}:
            place = {"degree": degree, "slots": slots}
            for name, length in ROUNDS.items():
                words_of = {"word": word}
                if name.startswith("flooding"):
                    words_of = {"message_bits": word, "arrival_bits": 3}
                if name.endswith("-split"):
                    words_of |= {"depth_bits": 6 - word}
                program = ALGORITHMS[name].program(**place, **words_of)
                formulas = FORMULAS[name]
                assert formulas.state_bits is not None
                templates = formulas.templates(**place, **words_of)
                bits = formulas.state_bits(**place, **words_of)
                yield f"{name} templates", program.num_templates, templates
                yield f"{name} bits", program.layout.num_bits, bits
                yield f"{name} round", program.round_length, length(word)


def measure_sizes(scale: Scale, slip: int = 0) -> Measurement:
    """Counts that differ from their formula."""
    found = list(compared(scale))
    wrong = [name for name, count, formula in found if count != formula + slip]
    return Measurement(len(wrong), details={"compared": len(found), "wrong": wrong[:10]})


def measure_steps(scale: Scale, slack: int = 0) -> Measurement:
    """Paths on which the answer is not complete after the stated steps, or complete a round before.

    Args:
        scale: how long the paths are.
        slack: steps left out, for counter-cases.
    """
    wrong = []
    for name, length in itertools.product(("flooding", "bfs"), {"quick": (3,)}.get(scale, (2, 6))):
        instance = pipeline.prepare(name, f"path:{length}")
        early = instance.num_steps - instance.program.round_length
        for steps, complete in ((instance.num_steps - slack, True), (early, False)):
            result = _answer_after(instance, steps)
            if result != complete:
                wrong.append(f"{name} on path:{length} after {steps} steps")
    return Measurement(len(wrong), details={"wrong": wrong})


def _answer_after(instance: Instance, steps: int) -> bool:
    """Whether the program's answer equals the reference after so many steps."""
    from ntkexec import executor
    from ntkexec.engines.boolean import boolean_engine

    certificate = pipeline.certify(instance.program, num_decisions=1)
    execution = executor.execute(
        boolean_engine(certificate),
        instance.program,
        instance.graphs,
        num_steps=steps,
        verify=False,
    )
    answer, expected = instance.decode(execution.states), instance.reference()
    return all((answer[field] == expected[field]).all() for field in expected)


CHECKS = (
    Check(
        name="sizes",
        claim="templates, state bits and steps a round are formulas in D, slots and word",
        source="counted from the statements of ntkexec.programs",
        how="counts that differ from their formula, over a grid of sizes of eight programs",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_sizes,
        broken=functools.partial(measure_sizes, slip=1),
    ),
    Check(
        name="steps",
        claim="flooding and BFS are complete after 2 steps a hop (BFS: and 1), and not a round earlier",
        formula=r"T_{\text{flood}} = 2 \,\text{ecc}, \quad T_{\text{BFS}} = 2 \,\text{ecc} + 1",
        source="a round moves the frontier by one hop",
        how="paths whose answer is incomplete at the stated step, or complete a round before",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_steps,
        broken=functools.partial(measure_steps, slack=3),
    ),
)
