"""The SBN machine runs every program that fits, exactly; programs come as data, side by side."""

import math

import numpy as np
import pytest

from ntkexec import executor, pipeline
from ntkexec.errors import ProgramError
from ntkexec.programs import arithmetic
from ntkexec.programs.arithmetic import sbn
from ntkexec.programs.reference import sbn as reference
from proofs_check.fixtures.size_formulas import FORMULAS


def execute(programs, **options):
    """The cells of every program in the end, by the mean of the trained networks."""
    graph = arithmetic.nodes(range(len(programs)), label="programs")
    instance = sbn.prepare(graph, programs=programs, **options)
    # A given bound spares the proof over all states; the run says whether it was kept.
    certificate = pipeline.certify(instance.program, bound=8, num_decisions=10**6)
    assert certificate.certified
    found = executor.execute(
        pipeline.make_engine("kernel", certificate),
        instance.program,
        instance.graphs,
        num_steps=instance.num_steps,
    )
    assert found.verification.exact
    assert certificate.covers(found.verification.largest_matches)
    answer, expected = instance.decode(found.states), instance.reference()
    assert all(np.array_equal(answer[name], expected[name]) for name in expected)
    return instance, answer


RNG = np.random.default_rng(0)


def some(name, number, **ranges):
    """A shipped program on random numbers."""
    one = arithmetic.load(name)
    return [
        one.with_cells({cell: int(RNG.integers(low, high)) for cell, (low, high) in ranges.items()})
        for _ in range(number)
    ]


# Times grow with the numbers.
@pytest.mark.parametrize("most", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_all_shipped_programs_compute_what_they_say_on_one_machine(most):
    # One set of templates runs all of them at once: the program is data.
    anything, few = (-most, most), max(3, most // 2)
    programs = {
        "sum": some("sum", most, a=anything, b=anything),
        "product": some("product", most, a=anything, b=(0, few)),
        "fibonacci": some("fibonacci", few, n=(0, few)),
        "gcd": some("gcd", most, a=(1, few), b=(1, few)),
        "sort": some("sort", most, a=anything, b=anything, c=anything, d=anything),
    }
    assert set(programs) == set(arithmetic.shipped())
    flat = [one for group in programs.values() for one in group]
    instance, answer = execute(flat)
    assert len({len(one.code) for one in flat}) == 5

    def result(row, cell):
        return answer[f"cell{list(flat[row].cells).index(cell)}"][row]

    fibonacci = [0, 1]
    while len(fibonacci) < 10:
        fibonacci.append(sum(fibonacci[-2:]))
    for row, one in enumerate(flat):
        c = one.cells
        if one.name == "sum":
            assert result(row, "b") == c["a"] + c["b"]
        elif one.name == "product":
            assert result(row, "product") == c["a"] * c["b"]
        elif one.name == "fibonacci":
            assert result(row, "a") == fibonacci[c["n"]]
        elif one.name == "gcd":
            assert result(row, "a") == math.gcd(c["a"], c["b"])
        else:
            assert [result(row, cell) for cell in "abcd"] == sorted(c[cell] for cell in "abcd")
    assert instance.program.num_templates == FORMULAS["sbn"].templates(**instance.sizes)


def test_random_programs_run_as_the_reference_says():
    programs = []
    while len(programs) < 200:
        code = RNG.integers(0, (3, 3, 5), size=(RNG.integers(1, 5), 3))
        code[:, 2] = np.minimum(code[:, 2], len(code))
        cells = dict(zip("xyz", RNG.integers(-3, 4, size=3).tolist()))
        code = [tuple(row) for row in code.tolist()]
        run = reference.run(code, list(cells.values()), max_cycles=30)
        if run.place == len(code) and -8 <= run.low <= run.high < 8:
            programs.append(arithmetic.Assembly("random", cells, tuple(code), tuple(code)))
    cycles = [
        reference.run(one.code, list(one.cells.values()), max_cycles=30).cycles for one in programs
    ]
    assert len(set(cycles)) > 4  # also machines that halt early, and wait for the others
    instance, _ = execute(programs)
    assert instance.num_steps == max(cycles) * sbn.steps_per_cycle(word=instance.sizes["word"])


def test_the_reference_notices_another_semantics():
    # Twin: branching on zero as well would end this program elsewhere.
    code, cells = [(0, 0, 2), (1, 1, 2)], [3, 5]
    assert reference.run(code, cells, max_cycles=9).memory == (0, 0)
    assert reference.run(code, [3, -5], max_cycles=1).memory == (0, -5)


# Text.


def test_a_program_is_read_from_text(tmp_path):
    path = tmp_path / "down.txt"
    path.write_text("n = 2  # start\none = 1\n\nagain: one n halt\n one one\nback: n one again\n")
    one = arithmetic.load(path)
    assert one.name == "down"
    assert one.cells == {"n": 2, "one": 1}
    assert one.code == ((1, 0, 3), (1, 1, 2), (0, 1, 0))
    assert one.lines == (4, 5, 6)
    assert one.answer is None
    assert arithmetic.parse("answer = 1\nanswer = answer\nanswer answer", "t").answer == "answer"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t has no instruction"),
        ("a = 1\na = 2\na a", "line 2: cell 'a' is there already"),
        ("a = 1\nx: a a\nx: a a", "line 3: label 'x' is there already"),
        ("a = 1\nhalt: a a", "label 'halt' is there already"),
        ("a = 1\na b", "line 2: no cell 'b'; there is a"),
        ("start = 1\nstart strat", "did you mean 'start'"),
        ("a = 1\na a b", "line 2: no label 'b'; there is halt"),
        ("a = 1\na a b c d", "neither 'cell = number' nor"),
        ("a = x\na a", "line 1"),
        ("a = 1\nanswer = b\na a", "line 2: no cell 'b'; there is a"),
        ("a = 1\nanswer = a\nanswer = a\na a", "line 3: the answer is 'a' already"),
    ],
)
def test_a_faulty_text_is_refused_with_its_line(text, message):
    with pytest.raises(ProgramError, match=message):
        arithmetic.parse(text, "t")


def test_what_cannot_run_is_refused():
    one = arithmetic.nodes(["x"], label="one")
    with pytest.raises(ProgramError, match="neither a text file nor one of fibonacci, gcd"):
        arithmetic.load("nowhere.txt")
    with pytest.raises(ProgramError, match="has no cell 'q'"):
        arithmetic.load("sum").with_cells({"q": 1})
    with pytest.raises(ProgramError, match="needs a program"):
        sbn.prepare(one)
    with pytest.raises(ProgramError, match="2 programs for 1 nodes"):
        sbn.prepare(one, programs=[arithmetic.load("sum")] * 2)
    with pytest.raises(ProgramError, match=r"not halted after 100,000 cycles; it is at line 2"):
        sbn.prepare(one, programs=arithmetic.parse("a = -1\nx: z a x\nz = 0", "forever"))
    with pytest.raises(ProgramError, match="word of at least 7"):
        sbn.prepare(one, programs=arithmetic.load("sum"), bits=4)
