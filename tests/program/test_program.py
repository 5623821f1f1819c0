"""Templates and programs: canonical form, validation, identity and parts."""

import dataclasses
import html.parser
import os
import random
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.programs import MANY, TYPE_CHECKED_STRATEGIES, small_programs, written_table

from ntkexec.errors import ProgramError
from ntkexec.program.fields import Flag, OneHot, Table, Word
from ntkexec.program.layout import Layout
from ntkexec.program.program import Program
from ntkexec.program.templates import Template, template
from ntkexec.programs.graph import flooding

pytestmark = TYPE_CHECKED_STRATEGIES

LAYOUT = Layout(
    (Flag("tick"), Word("x", 2), OneHot("colour", 3)),
    (Table("inbox", 3, (Flag("full"),), occupied=2),),
)


def program(*templates, layout=LAYOUT, round_length=1, name="p"):
    return Program(name, layout, tuple(templates), round_length)


# Canonical form.


@MANY
@given(
    st.dictionaries(st.integers(0, 20), st.booleans(), max_size=6),
    st.lists(st.integers(0, 20), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_order_and_repetition_do_not_matter(when, then, rng: random.Random):
    pairs = [*when.items(), *when.items()]
    shuffled = then + then
    rng.shuffle(pairs)
    rng.shuffle(shuffled)
    canonical = template(when, then)
    assert template(pairs, shuffled) == canonical
    assert list(canonical.condition) == sorted(when.items())
    assert list(canonical.outputs) == sorted(set(then))
    for bit, value in when.items():
        with pytest.raises(ProgramError, match=f"requires bit {bit} to be both 0 and 1"):
            template([*pairs, (bit, not value)], then)


def test_a_value_may_be_written_as_number_or_truth_value():
    assert template({0: 1, 1: 0}, [0]) == template({0: True, 1: False}, [0])
    assert template({0: 1}, [0]).condition == ((0, True),)
    assert type(template({0: 1}, [0]).condition[0][1]) is bool


def test_the_label_is_no_part_of_a_template():
    assert template({0: 1}, [1], "here") == template({0: 1}, [1], "there")
    assert program(template({0: 1}, [1], "here")).digest == program(template({0: 1}, [1])).digest


@pytest.mark.parametrize(
    ("when", "then", "message"),
    [
        ({0: 1}, [], "template 'move' writes no bit"),
        ({3: 2}, [0], "template 'move' requires bit 3 to be 2, not 0 or 1"),
        ({3: -1}, [0], "template 'move' requires bit 3 to be -1, not 0 or 1"),
        ([(3, 1), (4, 0), (3, 0)], [0], "template 'move' requires bit 3 to be both 0 and 1"),
    ],
)
def test_a_malformed_template_is_refused(when, then, message):
    with pytest.raises(ProgramError, match=re.escape(message)):
        template(when, then, "move")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: program(), "program 'p' has no templates"),
        (
            lambda: program(template({}, [0]), round_length=0),
            "a round takes at least one step, not 0",
        ),
        (
            lambda: program(template({0: 1}, [1]), template({0: 0}, [9], "far")),
            "template 1 (far) uses bit 9, but the layout has bits 0 to 8",
        ),
        (lambda: program(template({9: 0}, [1], "far")), "template 0 (far) uses bit 9"),
        (lambda: program(template({-1: 0}, [1])), "template 0 () uses bit -1"),
        (lambda: program(Template(((0, True),), ())), "no template of program 'p' writes a bit"),
        (
            lambda: program(template({3: 1, 5: 1}, [0], "two colours")),
            "template 0 (two colours) can never match: colour is one-hot",
        ),
        (
            lambda: program(template({6: 1, 7: 1, 8: 1}, [0], "crowd")),
            "template 0 (crowd) can never match: at most 2 slots of inbox are occupied",
        ),
    ],
)
def test_a_malformed_program_is_refused(build, message):
    with pytest.raises(ProgramError, match=re.escape(message)):
        build()


def test_what_a_valid_state_can_match_is_accepted():
    program(template({3: 1, 4: 0, 5: 0}, [0]), template({6: 1, 7: 1, 8: 0}, [0]), template({}, [0]))


# Identity.


def mutations(original):
    """Every program that differs from `original` in one condition value, output or number."""
    for index, entry in enumerate(original.templates):
        before, after = original.templates[:index], original.templates[index + 1 :]
        changed = []
        for bit, value in entry.condition:
            changed.append(template(dict(entry.condition) | {bit: not value}, entry.outputs))
            changed.append(template(dict(entry.condition[1:]), entry.outputs))
        for bit in range(original.layout.num_bits):
            changed.append(template(entry.condition, set(entry.outputs) ^ {bit} or {bit}))
        for other in changed:
            if other != entry:
                yield before, other, after
        if len(original.templates) > 1:
            yield before, None, after


@MANY
@given(small_programs(max_templates=4))
def test_the_digest_changes_with_every_single_change(original):
    digests = {original.digest}
    for before, other, after in mutations(original):
        templates = before + (() if other is None else (other,)) + after
        try:
            changed = dataclasses.replace(original, templates=templates)
        except ProgramError:
            continue  # the change made a condition impossible
        assert changed.digest != original.digest
        digests.add(changed.digest)
    longer = dataclasses.replace(original, round_length=original.round_length + 1)
    assert longer.digest not in digests
    wider = Layout(original.layout.computation, (*original.layout.messages, Flag("extra")))
    assert dataclasses.replace(original, layout=wider).digest not in digests | {longer.digest}
    again = tuple(template(t.condition, t.outputs, "other label") for t in original.templates)
    assert dataclasses.replace(original, templates=again).digest == original.digest


def test_the_digest_of_the_same_bits_under_other_field_names_is_another():
    one = program(template({0: 1}, [1]), layout=Layout((Word("x", 2),)))
    for layout in (Layout((Word("y", 2),)), Layout((OneHot("x", 2),)), Layout((), (Word("x", 2),))):
        assert dataclasses.replace(one, layout=layout).digest != one.digest


def test_the_digest_is_the_same_in_every_process():
    sizes = {"degree": 2, "slots": 3, "message_bits": 2, "arrival_bits": 2}
    code = f"from ntkexec.programs import flooding; print(flooding.program(**{sizes}).digest)"
    # Another seed than this process has.
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == flooding.program(**sizes).digest
    assert re.fullmatch("[0-9a-f]{64}", done.stdout.strip())


# Parts.


@MANY
@given(small_programs())
def test_counts_and_training_set_are_those_of_a_loop(drawn):
    written = written_table(drawn)
    assert drawn.num_templates == len(drawn.templates)
    assert drawn.writers == tuple(tuple(np.flatnonzero(column)) for column in written.T)
    np.testing.assert_array_equal(drawn.num_writers, written.sum(axis=0))
    conditions = sum(len(entry.condition) for entry in drawn.templates)
    assert drawn.num_nonzeros == conditions + written.sum()
    inputs, targets = drawn.training_set()
    np.testing.assert_array_equal(inputs, np.eye(len(drawn.templates)))
    np.testing.assert_array_equal(targets, written)
    assert inputs.dtype == targets.dtype == np.float32


@MANY
@given(small_programs())
def test_the_listing_has_one_line_for_every_template(drawn):
    lines = drawn.listing().splitlines()
    assert len(lines) == drawn.num_templates
    for index, (line, entry) in enumerate(zip(lines, drawn.templates, strict=True)):
        assert line.split()[0] == str(index)
        assert line.endswith(drawn.describe(index))
        assert entry.label in line
        names = drawn.layout.bit_names
        condition, _, written = drawn.describe(index).partition(" -> ")
        assert written.split(", ") == [names[bit] for bit in entry.outputs]
        for bit, value in entry.condition:
            assert f"{'' if value else '!'}{names[bit]}" in re.split(" & |: ", condition)


def test_describe_reads_as_the_docstring_says():
    p = program(template({0: 1, 7: 0}, [1, 3], "receive"), template({}, [0]))
    assert p.describe(0) == "receive: tick & !inbox[1].full -> x[0], colour[0]"
    assert p.describe(1) == "always -> tick"
    assert "2 templates" in repr(p)
    assert "'p'" in repr(p)


class Cells(html.parser.HTMLParser):
    """The text of every cell of a page, by table and row."""

    def __init__(self, page):
        super().__init__()
        self.tables, self.inside = [], False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.inside = True

    def handle_endtag(self, tag):
        self.inside &= tag not in ("td", "th")

    def handle_data(self, data):
        if self.inside:
            self.tables[-1][-1][-1] += data


def test_a_notebook_shows_sizes_fields_and_the_first_templates():
    entries = [template({0: 1, 1: i & 1, 2: i >> 1 & 1, 3: i >> 2 & 1}, [1]) for i in range(8)]
    entries += [template({0: 0, 1: i & 1, 2: i >> 1 & 1, 3: i >> 2 & 1}, [0, 1]) for i in range(8)]
    layout = Layout((Flag("a"), Word("w", 3)), (Table("inbox", 2, (OneHot("choice", 2),)),))
    drawn = Program("<script>", layout, tuple(entries))
    page = drawn._repr_html_()
    assert "<script>" not in page
    sizes, fields, listed = Cells(page).tables
    assert sizes[0] == ["templates", "16, with 88 conditions and outputs"]
    assert sizes[1] == ["state", "8 bits, 4 of them messages"]
    assert sizes[3] == ["writers w", "at most 16 for one bit, first w[0]"]
    assert fields[1:] == [
        ["a", "flag", "1", "no"],
        ["w", "word", "3", "no"],
        ["inbox[2].choice", "one-hot", "2", "yes"],
    ]
    assert [row for (row,) in listed[1:]] == [drawn.describe(i) for i in range(12)]
    assert "... and 4 more" in page
    # The twin: a program that is shown whole does not say that something is missing.
    assert "more" not in program(template({0: 1}, [1]))._repr_html_()


# Known defects: strict, so that whoever repairs one is told to drop the mark.


def test_numpy_integers_are_bits_like_any_other():
    numpy = program(template({np.int64(0): np.int64(1)}, [np.int64(1)]))
    assert numpy.digest == program(template({0: 1}, [1])).digest
