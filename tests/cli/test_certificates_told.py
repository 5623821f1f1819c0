"""`run`, `certify` and `train` tell a certificate alike: the same rows in one order, the same keys."""

import pytest
from support.commands import one_object

SIZES = ("--degree", 2, "--word", 2, "--slots", 3, "--arrival-bits", 2, "--width", 512)
ROWS = ["certificate", "  holds for", "  thresholds", "  this width"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("told") / "flooding"


@pytest.fixture
def told(command, folder):
    """What each command prints of one program and width, with an option added."""

    def by_command(*option):
        lines = {
            # Training comes first, so that there is something to run.
            "train": ("train", "flooding", *SIZES, "--out", folder, "--members", 1),
            "certify": ("certify", "flooding", *SIZES),
            "run": ("run", "flooding", "path:3", "--message", "01", "--ensemble", folder),
        }
        return {name: command(*words, *option)[1] for name, words in lines.items()}

    return by_command


def rows(text):
    """Labels and values of the certificate's rows, from its own to the first of another thing."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("certificate "))
    below = next(i for i in range(first + 1, len(lines)) if not lines[i].startswith("  "))
    # A label may begin with two blanks, and ends where two follow it.
    found = {}
    for line in lines[first:below]:
        label, _, value = line[2:].partition("  ")
        found[line[:2] + label] = value.strip()
    return found


def test_the_rows_have_the_same_labels_in_one_order_and_the_same_words(told):
    found = {name: rows(text) for name, text in told().items()}
    assert [*found["certify"]] == [*found["train"]] == ROWS
    # A run also knows how many decisions it took.
    assert [*found["run"]] == [*ROWS, "  in the limit"]
    assert found["certify"] == found["train"]
    for row in ("certificate", "  holds for", "  this width"):
        assert found["run"][row] == found["certify"][row]


def keys(data):
    """The names in nested objects."""
    if not isinstance(data, dict):
        return None
    return {name: keys(value) for name, value in data.items()}


def test_the_objects_have_the_same_keys(told):
    found = {name: one_object(out) for name, out in told("--json").items()}
    for part in ("program", "certificate", "finite_width"):
        assert (
            keys(found["run"][part]) == keys(found["certify"][part]) == keys(found["train"][part])
        )
    assert keys(found["run"]["ensemble"]) == keys(found["train"]["ensemble"])
    assert found["certify"].keys() < found["train"].keys()
    assert found["certify"]["certificate"] == found["train"]["certificate"]
    assert found["certify"]["finite_width"] == found["train"]["finite_width"]
