"""The theorem about LOCAL algorithms: proved for what their functions say, and for nothing else."""

import copy
import functools
import itertools
import json

import pytest
from support.theorems import as_rechecked, failing, theorem_of, vacuous

from ntkexec.errors import ProgramError
from ntkexec.programs.local import Bool, Fold, Local, Optional, Range, Record, Set, Step, Update
from ntkexec.prove import tables
from ntkexec.prove.solve import model_of
from ntkexec.prove.specifications import SHIPPED, specified
from ntkexec.recheck.reading import Rejected
from ntkexec.recheck.theorem.statements import local as statement
from ntkexec.recheck.theorem.tables import parse_algorithm

QUICK = {"bipartite": {}, "independent-set": {}, "leader-election": {"word": 2}}
WORDS = {
    "leader-election": 3,
    "components": 3,
    "spanning-tree": 2,
    "eccentricity": 3,
    "neighbourhood-size": 4,
    "triangles": 4,
    "cole-vishkin": 3,
}
OF_DEGREE_THREE = (
    WORDS
    | {"eccentricity": 2, "spanning-tree": 1}
    | dict.fromkeys(("neighbourhood-size", "triangles"), 3)
)


def broken(given, program=None):
    """The parts of obligations that fail, by obligation."""
    theorem = theorem_of("local", program or given.program, given.sizes, given.specification)
    found = {name: failing(build()) for name, build in theorem.obligations.items()}
    return {name: parts for name, parts in found.items() if parts}


def proved(given):
    theorem = theorem_of("local", given.program, given.sizes, given.specification)
    assert not any(vacuous(build()) for build in theorem.obligations.values())
    return broken(given) == {}


@pytest.mark.parametrize("name", QUICK)
def test_shipped_algorithms_are_their_functions(name):
    assert proved(specified(name, degree=2, **QUICK[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_all_shipped_algorithms_are_their_functions(name):
    sizes = {"word": WORDS[name]} if name in WORDS else {}
    assert proved(specified(name, degree=2, **sizes))


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_algorithms_of_degree_three_are_their_functions(name):
    sizes = {"word": OF_DEGREE_THREE[name]} if name in OF_DEGREE_THREE else {}
    assert proved(specified(name, degree=3, **sizes))


@pytest.mark.slow
def test_life_on_a_torus_is_its_functions():
    assert proved(specified("life", degree=8, slots=25))


State = Record("State", best=Optional(Range(3)), odd=Bool())


def louder(state, message):
    if message is None or (state.best is not None and message <= state.best):
        return state
    return state._replace(best=message)


def turn(state):
    return state._replace(odd=not state.odd)


def example(hear=louder, send=lambda state: state.best, last=turn, **others):
    return Local(
        name="loudest",
        state=State,
        message=Range(3),
        init=lambda node: State(best=node.input, odd=False),
        send=send,
        stages=(Fold(hear), Step(last)),
        output=lambda state, node: {},
        **others,
    )


def test_an_algorithm_of_ones_own_is_its_functions():
    assert proved(specified(example(), degree=2, slots=3))


def test_addressed_messages_are_those_for_the_port_that_leads_here():
    def send(state, port):
        return None if state.best is None else (state.best + port) % 3

    right = specified(example(send=send, addressed=True), degree=2, slots=3)
    assert proved(right)
    other = specified(example(send=lambda s, p: send(s, 1 - p), addressed=True), degree=2, slots=3)
    assert "table" not in str(broken(right._replace(specification=other.specification)))
    assert broken(right._replace(specification=other.specification))


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"hear": lambda s, m: louder(s, m) if s.odd else s}, {"fold-0-port-0", "fold-0-port-1"}),
        ({"send": lambda s: None if s.best is None else 2 - s.best}, {"send"}),
        ({"last": lambda s: s}, {"step-1"}),
    ],
)
def test_another_function_is_not_what_the_program_does(wrong, where):
    given = specified(example(), degree=2, slots=3)
    other = specified(example(**wrong), degree=2, slots=3)
    assert set(broken(given._replace(specification=other.specification))) == where


def test_without_a_colouring_messages_meet():
    given = specified(example(), degree=2, slots=3)
    program = as_rechecked(given.program)
    algorithm = parse_algorithm(given.specification, 2)
    controls = statement.controls_for(program, algorithm)
    send = statement.build(0, program, given.sizes, algorithm, controls, coloured=False)
    assert "messages-apart" in failing(send)


def test_tables_with_a_case_that_leads_nowhere_are_no_function():
    given = specified(example(), degree=2, slots=3)
    specification = copy.deepcopy(given.specification)
    tree = specification["stages"][1]["tables"][0]["tree"]
    tree[1] = None
    assert "table" in broken(given._replace(specification=specification))["step-1"]


def parity():
    """Every code is a value here, so that no template is there for states that cannot be."""
    Pair = Record("Pair", now=Bool(), before=Bool())

    def hear(state, message):
        return state._replace(now=state.now != bool(message))

    return Local(
        name="parity",
        state=Pair,
        message=Bool(),
        init=lambda node: Pair(now=node.input, before=False),
        send=lambda state: state.now,
        stages=(Fold(hear), Step(lambda state: Pair(now=state.before, before=state.now))),
        output=lambda state, node: {},
    )


def after(templates, ones):
    """The bits that are 1 after a step of the state with these ones, template by template."""
    matching = [
        out for when, out in templates if all((bit in ones) == v for bit, v in when.items())
    ]
    return functools.reduce(int.__or__, matching, 0)


def states(program):
    """All states of `parity` between the steps of a round, but for colour, ports and inbox."""
    at = program.fields
    heard = [at[f"heard{port}_{part}"][0] for port in range(2) for part in ("present", "value")]
    bits = [at["state_now"][0], at["state_before"][0], *heard]
    for phase, *values in itertools.product(at["phase"], *[(False, True)] * len(bits)):
        ones = {bit for bit, value in zip(bits, values, strict=True) if value}
        # Where there is no message its value is 0.
        if all(heard[i] in ones or heard[i + 1] not in ones for i in (0, 2)):
            yield {phase} | ones


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_without_a_template_it_is_not_proved_unless_nothing_depends_on_it(every):
    given = specified(parity(), degree=2, slots=3)
    program = as_rechecked(given.program)
    heard = {bit for path, at in program.fields.items() if path[:5] == "heard" for bit in at}
    for index in range(0, len(program.templates), every):
        templates = [*program.templates[:index], *program.templates[index + 1 :]]
        theorem = statement.theorem(
            program._replace(templates=templates), given.sizes, given.specification
        )
        obligations = (build() for build in theorem.obligations.values())
        if any(model_of(o.formula(p)) is not None for o in obligations for p in o.parts):
            continue
        # What was heard is kept longer than it is needed.
        needed = ~sum(1 << bit for bit in heard)
        for ones in states(program):
            assert (after(templates, ones) ^ after(program.templates, ones)) & needed == 0


def test_a_specification_is_plain_data_and_for_one_degree():
    given = specified("bipartite", degree=2)
    again = json.loads(json.dumps(given.specification))
    assert again == given.specification
    heard = {"fields": again["fields"] | {"heard": []}}
    for change in (
        heard,
        {"parts": 3},
        {"stages": [3]},
        {"send": [3]},
        {"parts": again["parts"][1:]},
        {"send": []},
        {"state": {"words": 3}},
    ):
        with pytest.raises(Rejected):
            parse_algorithm(again | change, 2)
    with pytest.raises(Rejected, match="2 tables of a fold"):
        parse_algorithm(again, 3)


def test_what_is_no_function_or_too_large_is_refused(monkeypatch):
    calls = iter(range(1 << 20))
    with pytest.raises(ProgramError, match="must be pure"):
        specified(example(last=lambda s: s._replace(odd=next(calls) % 2 == 0)), degree=2, slots=3)
    Sets = Record("Sets", seen=Set(3))
    many = Local(
        name="many",
        state=Sets,
        message=Set(3),
        init=lambda node: Sets(seen=frozenset()),
        send=lambda state: state.seen,
        stages=(Update(lambda s, r: Sets(seen=s.seen.union(*(m for m in r if m))), _nothing),),
        output=lambda state, node: {},
    )
    monkeypatch.setattr(tables, "MOST_CASES", 64)
    with pytest.raises(ProgramError, match="more than 64 of its 648 inputs"):
        specified(many, degree=2, slots=3)
    with pytest.raises(ProgramError, match="needs --degree"):
        specified(example())
    with pytest.raises(ProgramError, match="gives 'int'"):
        specified(3, degree=2)


def _nothing(p, state, received):
    with p.phase("nothing"):
        p.set(state.seen[0], when=received.by_slot()[0].present)
