"""What the compiler refuses or leaves out: choices set twice, lost values, dead and implied products."""

import itertools

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from support.isolated import run
from support.programs import MANY, expected_bits, matched_table, valid_states, written_table

from ntkexec.errors import LayoutError, ProgramError
from ntkexec.language import Builder, Choice, Flag, OneHot, all_of, idioms

# Choices.

literals = st.sampled_from(["a", "b", "c0", "c1", "d0", "d1"])
conditions = st.lists(st.tuples(literals, st.booleans()), max_size=3)
writes = st.lists(st.tuples(st.integers(0, 1), st.booleans(), conditions), max_size=4)


def write(temporary, statements, exclusive=False):
    """Random statements about the choice d, in one phase of two."""
    p = Builder("random", slots=1, degree=0)
    a, b, c = p.flag("a"), p.flag("b"), p.choice("c", 2)
    d = p.choice("d", 2, temporary=temporary, exclusive=exclusive)
    bits = {"a": a, "b": b, "c0": c[0], "c1": c[1], "d0": d[0], "d1": d[1]}
    with p.phase("do"):
        for index, value, condition in statements:
            guard = all_of(bits[name] if one else ~bits[name] for name, one in condition)
            p.assign(d[index], int(value), when=guard)
    with p.phase("rest"):
        pass
    return p


@MANY
@given(st.booleans(), writes)
def test_a_program_is_refused_just_where_a_valid_state_leads_to_two_values(temporary, statements):
    try:
        program = write(temporary, statements, exclusive=True).compile()
    except ProgramError:
        return  # a conflict, or a value that is lost, is the subject of other tests
    first, second = program.layout.bits("d")
    after = expected_bits(program, valid_states(program.layout))
    twice = (after[:, first] & after[:, second]).any()
    event("refused" if twice else "proven")
    if twice:
        with pytest.raises(
            ProgramError, match=r"can set d\[0\] and d\[1\] together, when .*exclus"
        ):
            write(temporary, statements).compile()
    else:
        assert write(temporary, statements).compile() == program


def test_two_values_of_a_choice_are_refused_with_their_lines_unless_the_author_vouches():
    def program(**options):
        p = Builder("twice", slots=1, degree=0)
        a, b, c = p.flag("a"), p.flag("b"), p.choice("c", 3, temporary=True, **options)
        with p.phase("choose"):
            p.set(c[0], when=a)
            p.set(c[2], when=b)
        return p.compile()

    with pytest.raises(ProgramError) as caught:
        program()
    assert str(caught.value).startswith("twice: choose (test_checks.py:")
    assert "can set c[0] and c[2] together, when a[0], b[0]. Assign the whole" in str(caught.value)
    vouched = program(exclusive=True)
    assert run(vouched, {"a": [0, 1], "b": [1, 0]})["c"].tolist() == [2, 0]
    with pytest.raises(LayoutError, match="several bits set"):  # a broken word is found out
        run(vouched, {"a": [1], "b": [1]})


def test_proofs_that_need_no_word_of_the_author():
    p = Builder("proven", slots=3, degree=2)
    asked, c, d = p.flags("asked", 3), p.choice("c", 3), p.choice("d", 3)
    inbox = p.message(OneHot("to", 3))
    with p.phase("first"):
        p.assign(c, Choice(idioms.priority(asked)))
        p.address(0, inbox.to)
    with p.phase("then"):
        p.assign(d, c, when=asked[0])
        p.assign(c, 2, when=~asked[1])
    p.compile()


def test_choices_in_tables_and_messages_are_checked_too():
    for kind in ("table", "message"):
        for options in ({}, {"exclusive": True}):
            p = Builder("tables", slots=2, degree=1)
            on = p.flag("on")
            if kind == "table":
                choice = p.table("t", 2, OneHot("c", 2), **options)[1].c
            else:
                choice = p.message(OneHot("c", 2), **options)[1].c
            with p.phase("only"):
                p.set(choice, when=on)
            if options:
                p.compile()
            else:
                with pytest.raises(
                    ProgramError, match=r"\[1\]\.c\[0\] and \w+\[1\]\.c\[1\] togeth"
                ):
                    p.compile()


# Lifetimes.


def late(gap, *, kept=False, always=False):
    """A flag that is written in the first of four phases and read some phases later."""
    p = Builder("late", slots=1, degree=0)
    a, b = p.flag("a", temporary=not kept), p.flag("b")
    for phase in range(4):
        with p.phase(f"phase{phase}"):
            if phase == 0:
                p.set(a)
            if phase == gap % 4:
                p.set(b, when=a)
    if always:
        with p.always():
            p.set(b, when=a)
    return p


@pytest.mark.parametrize("gap", [1, 2, 3, 4])
def test_a_temporary_value_is_read_in_the_next_step_or_not_at_all(gap):
    late(gap, kept=True).compile()
    late(gap, always=True).compile()
    if gap == 1:
        assert run(late(gap).compile(), {"b": [0]})["b"].all()
        return
    with pytest.raises(ProgramError) as caught:
        late(gap).compile()
    reader = f"phase{gap % 4}"
    assert (
        f"a[0] lives for one step; what phase 'phase0' writes is lost before phase {reader!r}"
        in (str(caught.value))
    )


def test_a_message_that_is_read_too_late_is_lost():
    p = Builder("late", slots=2, degree=1)
    heard, inbox = p.flag("heard"), p.message(Flag("noise"))
    with p.phase("send"):
        p.send(inbox.noise)
    with p.phase("wait"):
        pass
    with p.phase("hear"):
        p.set(heard, when=inbox[0].noise)
    with pytest.raises(ProgramError, match=r"inbox\[0\]\.noise\[0\] lives for one step"):
        p.compile()


def test_a_value_that_nobody_reads_is_there_for_the_answer():
    p = Builder("answer", slots=1, degree=0)
    over = p.flag("over", temporary=True)
    for name in ("one", "two"):
        with p.phase(name):
            p.assign(over, int(name == "two"))
    assert run(p.compile(), {"colour": [0]})["over"].all()


def test_the_last_phase_of_a_repeat_is_followed_by_its_first():
    p = Builder("loop", slots=1, degree=0)
    a, b = p.flag("a", temporary=True), p.flag("b")
    with p.repeat(3):
        with p.phase("read"):
            p.set(b, when=a)
        with p.phase("write"):
            p.set(a)
    with p.phase("rest"):
        pass
    assert run(p.compile(), {"colour": [0]})["b"].all()


# Dead and implied products.


def with_debris():
    p = Builder("debris", slots=1, degree=0)
    x, y, z, answer = (p.word(name, 2) for name in ("x", "y", "z", "answer"))
    junk = p.flag("junk", temporary=True)
    over = idioms.add(p, [answer], [(x, y)])
    with p.phase("last"):
        p.set(junk, when=over[0])
        p.assign(z, z + 1)
    return p, answer, junk


def test_what_has_no_effect_on_the_outputs_is_left_out():
    p, answer, junk = with_debris()
    whole, needed = p.compile(), p.compile(outputs=[answer])
    assert needed.layout == whole.layout
    assert set(needed.templates) < set(whole.templates)
    written = {needed.layout.bit_names[bit] for entry in needed.templates for bit in entry.outputs}
    assert not {"junk", "z[0]", "add_carry0[1]", "colour[0]"} & written
    values = dict(zip("xy", np.array(list(itertools.product(range(4), repeat=2))).T))
    found, expected = run(needed, values), run(whole, values)
    assert np.array_equal(found["answer"], expected["answer"])
    assert found["answer"].any()
    # The carry is there as soon as it is asked for, and so is all if everything is.
    carry = run(p.compile(outputs=[junk]), values)["junk"]
    assert np.array_equal(carry, expected["junk"])
    assert carry.any()


def test_the_halt_flag_is_always_an_output():
    p, answer, _ = with_debris()
    done = p.flag("done")
    p.halt = done
    with p.phase("end"):
        p.set(done, when=answer == 3)
    program = p.compile(outputs=[])
    names = {program.layout.bit_names[bit] for entry in program.templates for bit in entry.outputs}
    assert {"done", "answer[0]"} <= names
    assert "z[0]" not in names


places = st.sampled_from(["a", "c0", "c1", "c2"])
terms = st.dictionaries(places, st.booleans(), max_size=3)


@MANY
@given(st.lists(st.tuples(st.integers(0, 2), terms), max_size=5))
def test_no_product_of_a_bit_holds_only_where_another_one_does(statements):
    p = Builder("implied", slots=1, degree=0)
    a, c, t = p.flag("a"), p.choice("c", 3), p.flag("t")
    bits = {"a": a, "c0": c[0], "c1": c[1], "c2": c[2]}
    for phase in range(3):
        with p.phase(f"phase{phase}"):
            for _, term in (found for found in statements if found[0] == phase):
                p.set(t, when=all_of(bits[n] if v else ~bits[n] for n, v in term.items()))
    program = p.compile()
    states = valid_states(program.layout)
    matched, written = matched_table(program, states), written_table(program)
    for column in written.T:
        for one, other in itertools.permutations(np.flatnonzero(column), 2):
            assert (matched[:, one] & ~matched[:, other]).any()


def test_the_check_of_implied_products_can_fail():
    # In the state in which the first value is set the second is not.
    p = Builder("implied", slots=1, degree=0)
    c, t = p.choice("c", 2), p.flag("t", temporary=True)
    with p.phase("only"):
        p.set(t, when=c[0])
        p.set(t, when=~c[1])
    program = p.compile()
    assert program.num_writers[program.layout.bit("t")] == 1
    states = valid_states(program.layout)
    first, second = program.layout.bits("c")
    expected = states[:, first] | ~states[:, second]
    assert np.array_equal(expected_bits(program, states)[:, program.layout.bit("t")], expected)
