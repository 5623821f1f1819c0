"""Statements of one's own: the how-to as it stands, what is refused, and what packages bring."""

import json
import re
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from ntkexec.check import Check, Measurement, carry_out, stated_in, statement
from ntkexec.cli import main
from ntkexec.errors import NtkexecError
from proofs_check import own, registry

PAGE = Path(__file__).parents[2] / "docs" / "own-checks.md"
HALF = """
from ntkexec.check import statement

@statement("a half is at most one", bound=1, broken={"factor": 3.0})
def half(scale, factor=1.0):
    return 0.5 * factor
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_the_how_to_does_what_it_says(here, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (here / "my_bounds.py").write_text(code)
    assert main(["check", "--from", "my_bounds.py", "--quick"]) == 0
    assert capsys.readouterr().out.startswith("holds         my-variance")
    assert main(["check", "--from", "my_bounds.py", "my-variance", "--quick", "--broken"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("fails         my-variance  counter-case of: ")
    assert "each must fail, and did" in told
    assert len(PAGE.read_text().splitlines()) < 60, "a how-to of one screen"


def test_a_statement_that_fails_is_the_exit_status(here, capsys):
    (here / "mine.py").write_text(HALF.replace("bound=1,", "bound=0.25,"))
    assert main(["check", "--from", "mine", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert (data["fails"], data["checks"][0]["value"], data["checks"][0]["bound"]) == (1, 0.5, 0.25)
    # With this bound it does fail; one whose counter-case holds is told likewise.
    (here / "weak.py").write_text(HALF.replace("3.0", "1.5"))
    assert main(["check", "--from", "weak.py", "--broken"]) == 1
    assert "each must fail, and 1 did not" in capsys.readouterr().out
    (here / "none.py").write_text(HALF.replace(', broken={"factor": 3.0}', ""))
    assert main(["check", "--from", "none.py", "--broken"]) == 1
    assert "it has no counter-case" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        (None, [], "there is no file mine.py"),
        ("x = 1\n", [], "mine.py holds no statement; `from ntkexec.check import statement`"),
        ("import nothing_of_this_name\n", [], "ended in ModuleNotFoundError"),
        ("def broken(:\n", [], "mine.py ended in SyntaxError"),
        (HALF, ["hlaf"], "no check 'hlaf'; did you mean 'half'? (--list names"),
        (HALF.replace("0.5 * factor", "1 / 0"), [], "mine.py ended in ZeroDivisionError"),
        (HALF.replace("0.5 * factor", "'much'"), [], "statement 'half' gives 'much'; a number"),
        (
            HALF.replace("bound=1,", "bound=1, name='a half',"),
            [],
            "name is one word for the command",
        ),
        (HALF.replace("0.5 * factor", "0.5 < factor"), [], "statement 'half' gives True; a number"),
        (HALF.replace("bound=1,", "bound=float('inf'),"), [], "bound is a number, not inf"),
        (HALF.replace("bound=1,", "bound='one',"), [], "bound is a number, not 'one'"),
        (HALF.replace('"a half is at most one"', '" "'), [], "claim is a sentence, not ' '"),
        (HALF.replace("bound=1,", "bound=1, relation='below',"), [], "at most or at least"),
    ],
)
def test_bad_input_is_exit_status_2_with_words(here, capsys, text, words, message):
    if text is not None:
        (here / "mine.py").write_text(text)
    assert main(["check", "--from", "mine.py", *words]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert not out


def test_a_file_that_is_no_python_is_no_missing_module(here, capsys):
    (here / "bounds.json").write_text("{}")
    assert main(["check", "--from", "bounds.json"]) == 2
    assert "'bounds.json' is neither a file that ends in .py nor" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["no.such.module", "a-b", "half"])
def test_a_module_that_is_not_there_is_told(name, capsys):
    assert main(["check", "--from", name]) == 2
    assert re.search("there is no module|neither a file", capsys.readouterr().err)


def test_two_statements_of_one_name_are_refused(here):
    (here / "one.py").write_text(HALF)
    (here / "two.py").write_text(HALF)
    with pytest.raises(NtkexecError, match=r"one.py and two.py have two checks 'half'"):
        own.from_modules(["one.py", "two.py"])


def test_names_and_arguments_of_a_statement():
    @statement("x", bound=2.0, relation="at least", name="mine", broken=lambda scale: 1)
    def some_name(scale):
        """How.

        More.
        """
        return Measurement(3.0, (1.0, 4.0))

    assert isinstance(some_name, Check)
    assert (some_name.name, some_name.how, some_name.relation) == ("mine", "How", "at least")
    assert carry_out(some_name, "quick").verdict == "undecided"
    assert some_name.broken("quick").value == 1.0
    assert stated_in([some_name, some_name, 3]) == (some_name,)


def test_installed_packages_bring_theirs(here, monkeypatch, capsys):
    (here / "brought_by_a_package.py").write_text(HALF)
    entry = metadata.EntryPoint("brought", "brought_by_a_package", own.GROUP)
    others = metadata.entry_points

    def entry_points(**selected):
        return [entry] if selected == {"group": "ntkexec.checks"} else others(**selected)

    monkeypatch.setattr(metadata, "entry_points", entry_points)
    registry.modules.cache_clear()
    try:
        assert main(["check", "brought"]) == 0
        assert "half" in capsys.readouterr().out
        assert "padding" in registry.checks()
        # One that is called like ours is refused, and one that cannot be loaded is told.
        for name, value, told in (
            ("padding", "brought_by_a_package", "calls its checks 'padding', as one of ours is"),
            ("gone", "gone_away", "gone = gone_away of ntkexec.checks ended in ModuleNotFound"),
        ):
            entry = metadata.EntryPoint(name, value, own.GROUP)
            registry.modules.cache_clear()
            assert main(["check", "padding"]) == 2
            assert told in capsys.readouterr().err
    finally:
        monkeypatch.undo()
        registry.modules.cache_clear()


@pytest.mark.parametrize("number", [np.float32(0.5), np.array(0.5), np.array([0.5]), 0.5])
def test_arrays_of_one_number_are_numbers(number):
    def half(scale):
        return number

    assert statement("c", bound=1.0)(half).measure("quick") == Measurement(0.5)
    with pytest.raises(NtkexecError, match="a number or a Measurement is needed"):
        statement("c", bound=1.0)(lambda scale: number < np.array([1.0])).measure("quick")


def test_a_measurement_that_json_does_not_have_is_told_or_left_out(here, capsys):
    (here / "endless.py").write_text(HALF.replace("0.5 * factor", "factor * 1e999"))
    assert main(["check", "--from", "endless.py", "--json"]) == 1
    (told,) = json.loads(capsys.readouterr().out)["checks"]
    assert (told["verdict"], told["value"]) == ("fails", None)
    made = "__import__('ntkexec').check.Measurement(0.5, details={'spread': {1, 2}})"
    (here / "set.py").write_text(HALF.replace("0.5 * factor", made))
    assert main(["check", "--from", "set.py", "--json"]) == 2
    assert "not made of plain numbers" in capsys.readouterr().err
