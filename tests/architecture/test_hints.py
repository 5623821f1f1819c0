"""No hint asks a package index for ntkexec, which is on none: there the name may be anybody's."""

import pathlib
import re

import pytest

from ntkexec.errors import MissingExtraError

ROOT = pathlib.Path(__file__).parents[2]
FOLDERS = ("ntkexec", "proofs_check", "experiments", "benchmarks", "docs", "notebooks", ".ci")
KINDS = {".py", ".md", ".ipynb", ".js", ".html", ""}
# A name, not a path, an option before it or not.
OF_AN_INDEX = re.compile(r"pip install(?: -\S+)* [\\\"'`]*ntkexec\b(?!-)(?!\[?[\w{}]*\]? @)")


def files():
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and file.suffix in KINDS and "__pycache__" not in file.parts:
                yield file
    yield ROOT / "README.md"


def test_nothing_is_asked_of_an_index():
    found = [
        f"{file.relative_to(ROOT)}: {hint[0]}"
        for file in files()
        for hint in OF_AN_INDEX.finditer(file.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "hint",
    ["pip install ntkexec", "pip install 'ntkexec[plots]'", 'pip install -q \\"ntkexec[test]\\"'],
)
def test_what_asks_an_index_would_be_found_out(hint):
    assert OF_AN_INDEX.search(hint)


@pytest.mark.parametrize(
    "hint", ["pip install -e '.[plots]'", "pip install matplotlib", "pip install ntkexec-0.1.0.whl"]
)
def test_what_does_not_is_left_alone(hint):
    assert not OF_AN_INDEX.search(hint)


def test_a_missing_extra_says_how_it_is_installed():
    told = str(MissingExtraError("plots need matplotlib: install ntkexec[plots]"))
    assert told.endswith("install ntkexec[plots] (in a checkout: pip install -e '.[plots]')")
    assert str(MissingExtraError("needs pyarrow: pip install pyarrow")).endswith("pyarrow")
