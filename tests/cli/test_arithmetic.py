"""Arithmetic and LOCAL algorithms from the command line."""

import dataclasses
import json

import pytest
from support.commands import KERNEL

import ntkexec
from ntkexec import summary
from ntkexec.programs import arithmetic
from ntkexec.programs.registry import ALGORITHMS


def test_a_sum_is_printed_beside_what_it_was_learned_from(command):
    status, out, _ = command("run", "add", 13, 29, "--bits", 8, *KERNEL)
    assert status == 0
    assert "26 examples, for 65,536 inputs" in out
    assert ["13", "+", "29", "42"] in [line.split() for line in out.splitlines()]
    assert "EXACT" in out


def test_arithmetic_prints_one_object(command):
    status, out, _ = command("run", "multiply", 13, 29, *KERNEL, "--json")
    data = json.loads(out)
    assert status == 0
    assert data["answer"] == {"13 * 29": {"product": 377}}
    assert data["program"]["templates"] == 19 * 5 - 21
    assert data["num_inputs"] == 4**5
    assert data["own_program"] is False


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("add", 13, 29), "13 + 29 = 42"),
        (("multiply", 13, 29), "13 x 29 = 377"),
        (("permute", "10110", 4, 2, 0, 1, 3), "10110 permuted = 11001"),
        (("sbn", "gcd", "a=2", "b=4"), "gcd = 2"),
    ],
    ids=str,
)
def test_the_answer_stands_before_the_verdict(command, words, told):
    status, out, _ = command("run", *words, *KERNEL)
    assert status == 0
    assert out.splitlines()[-2:] == [told, "EXACT: the node equals the reference"]


def test_a_wrong_answer_is_not_told_as_one():
    result = ntkexec.run("add", arithmetic.nodes(["one"], label="add"), a=1, b=2, engine="kernel")
    assert summary.equation(result) == ["1 + 2 = 3"]
    states = ~result.execution.states
    graphs = result.execution.graphs._replace(nodes=states)
    wrong = dataclasses.replace(
        result, execution=dataclasses.replace(result.execution, graphs=graphs)
    )
    assert summary.equation(wrong) == ["1 + 2 = 4, which is wrong"]


def test_several_additions_have_no_equation():
    pairs = arithmetic.nodes(range(2), label="two")
    assert ntkexec.prepare("add", pairs, a=[1, 2], b=3).equation is None


def test_bits_move_where_the_permutation_says(command):
    status, out, _ = command("run", "permute", "10110", 4, 2, 0, 1, 3, *KERNEL, "--json")
    assert status == 0
    assert json.loads(out)["answer"] == {"10110": {"permuted": "11001"}}


def test_a_program_runs_on_the_numbers_that_are_given(command, tmp_path):
    path = tmp_path / "down.txt"
    path.write_text("n = 2\none = 1\nzero = 0\nbelow = -1\nloop: one n halt\nzero below loop\n")
    status, out, _ = command("run", "sbn", path, "n=1", *KERNEL, "--json")
    data = json.loads(out)
    assert status == 0
    assert data["answer"]["down"]["n"] == -1
    assert data["inputs"]["cycles"] == 3


def test_rounds_are_asked_for(command):
    status, out, _ = command(
        "run", "neighbourhood-size", "path:5", "--rounds", 1, *KERNEL, "--json"
    )
    assert status == 0
    sizes = [row["size"] for row in json.loads(out)["answer"].values()]
    assert sizes == [2, 3, 3, 3, 2]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["add", 13], "add takes 2 numbers, got 1"),
        (["add", 1, -2, "--"], "whole numbers from 0"),
        (["add", 300, 2, "--bits", 8], "9 bits would hold it"),
        (["add", 1, 2, "--source", 3], "not 'sources'"),
        (["flooding", "karate", 3], "'3' goes with arithmetic"),
        (["flooding", "karate", "--bits", 3], "--bits 3 goes with arithmetic"),
        (["permute", "102", 0, 1, 2], "a string of 0s and 1s"),
        (["permute", "10", 0, 0], "1 is missing"),
        (["sbn", "gdc"], "did you mean 'gcd'"),
        (["sbn", "gcd", "a"], "CELL=NUMBER"),
        (["bfs", "path:3", "--rounds", 2], "not 'rounds'"),
        (["cole-vishkin", "petersen"], "neither a tree nor a ring"),
    ],
    ids=str,
)
def test_bad_input_is_one_line_and_status_two(command, argv, message):
    if "--" in argv:
        argv = [argv[0], "--", *argv[1:-1]]
    status, out, err = command("run", *argv)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "algorithm", [name for name, one in ALGORITHMS.items() if one.operands is not None]
)
@pytest.mark.parametrize("options", [(), ("--bits", 3)], ids=str)
def test_whoever_gives_no_operands_is_shown_how(command, algorithm, options):
    status, out, err = command("run", algorithm, *options)
    assert (status, out) == (2, "")
    assert f"ntkexec run {algorithm} " in err
    assert err.count("\n") == 1
