"""The former spellings of what the invariants allow and of who writes which bit, as oracles."""

import itertools
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.programs import MANY, TYPE_CHECKED_STRATEGIES, layouts, programs

from ntkexec.program.problem import KINDS, LearningProblem

pytestmark = TYPE_CHECKED_STRATEGIES


def places(invariants):
    found = {}
    for i, invariant in enumerate(invariants):
        for g, group in enumerate(invariant.groups):
            for bit in group:
                found.setdefault(bit, []).append((i, g, invariant.bound))
    return found


def compatible(one, other, places):
    required = dict(one.condition)
    if any(required.setdefault(bit, value) != value for bit, value in other.condition):
        return False
    occupied = {}
    for bit, value in required.items():
        for invariant, group, bound in places.get(bit, ()) if value else ():
            groups = occupied.setdefault(invariant, set())
            groups.add(group)
            if len(groups) > bound:
                return False
    return True


def is_kept(program, invariant, assumed):
    bits = {bit for group in invariant.groups for bit in group}
    if min(bits) >= program.layout.num_computation_bits and invariant.bound == 1:
        return False
    writers = [
        [entry for entry in program.templates if not set(group).isdisjoint(entry.outputs)]
        for group in invariant.groups
    ]
    return not any(
        compatible(one, other, places(assumed))
        for first, second in itertools.combinations(writers, 2)
        for one, other in itertools.product(first, second)
    )


def promises_kept(program):
    kept = list(program.layout.invariants)
    while True:
        broken = [invariant for invariant in kept if not is_kept(program, invariant, kept)]
        if not broken:
            return tuple(kept)
        kept = [invariant for invariant in kept if invariant not in broken]


@MANY
@given(programs())
def test_templates_are_compatible_and_invariants_kept_as_before(program):
    invariants = program.layout.invariants
    for one, other in itertools.product(program.templates, repeat=2):
        assert invariants.compatible(one, other) == compatible(one, other, places(invariants))
    assert program.kept_invariants == promises_kept(program)


@MANY
@given(layouts(), st.sets(st.integers(0, 9)))
def test_invariants_are_broken_and_restricted_as_before(layout, ones):
    groups = {}
    for number, invariant in enumerate(layout.invariants):
        for group, bits in enumerate(invariant.groups):
            for bit in bits:
                groups.setdefault(bit, []).append((number, group))
    counts = Counter(n for n, _ in {pair for bit in ones for pair in groups.get(bit, ())})
    broken = [n for n in sorted(counts) if counts[n] > layout.invariants[n].bound]
    expected = layout.invariants[broken[0]] if broken else None
    assert layout.invariants.broken_by(ones) == expected
    counters = []
    for invariant in layout.invariants:
        rows = [[bit for bit in group if bit in ones] for group in invariant.groups]
        rows = [row for row in rows if row]
        if invariant.bound < len(rows):
            counters.append((invariant.bound, rows))
    found = [(one.bound, list(map(list, one.groups))) for one in layout.invariants.among(ones)]
    assert found == counters


@MANY
@given(programs(), st.sampled_from(KINDS))
def test_writers_are_as_before(program, kind):
    problem = LearningProblem(program, kind)
    written = itertools.chain.from_iterable(entry.outputs for entry in program.templates)
    counts = np.bincount(list(written), minlength=program.layout.num_bits)
    np.testing.assert_array_equal(program.num_writers, counts)
    for index, part in enumerate(problem.components):
        column = {bit: i for i, bit in enumerate(part.bits)}
        table = np.zeros((len(part.templates), len(part.bits)), bool)
        for row, template in enumerate(part.templates):
            written = column.keys() & program.templates[template].outputs
            table[row, [column[bit] for bit in written]] = True
        np.testing.assert_array_equal(problem.writes(index), table)
    if kind == "factored":
        writers = {}
        for index, entry in enumerate(program.templates):
            for bit in entry.outputs:
                writers.setdefault(bit, []).append(index)
        expected = [(tuple(writers[bit]), (bit,)) for bit in sorted(writers)]
        assert [(part.templates, part.bits) for part in problem.components] == expected
