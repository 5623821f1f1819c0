"""The engines' registry: its rows are the words of the vocabulary, and of the documentation."""

import re
from pathlib import Path

import pytest

from ntkexec import pipeline
from ntkexec.engines import ENGINE_SPECS, find_engine, make_engine
from ntkexec.errors import EnsembleError, NtkexecError
from ntkexec.program.fields import Flag
from ntkexec.program.layout import Layout
from ntkexec.program.program import Program
from ntkexec.program.templates import template
from ntkexec.vocabulary import ENGINES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def certificate():
    program = Program("not", Layout((Flag("a"), Flag("b")), ()), (template({0: False}, [1]),))
    return pipeline.certify(program, num_decisions=1)


def test_the_registry_has_exactly_the_words_of_the_vocabulary():
    assert tuple(ENGINE_SPECS) == ENGINES
    assert all(spec.name == name for name, spec in ENGINE_SPECS.items())


def test_the_rows_say_what_each_engine_needs():
    def those(field):
        return {name for name, spec in ENGINE_SPECS.items() if getattr(spec, field)}

    assert those("trained") == {"ensemble", "ensemble-memo"}
    assert those("packed") == {"ensemble-memo", "kernel-packed"}
    assert those("preparation") == {"kernel-packed"}
    assert those("certified") == set(ENGINE_SPECS) - {"linear"}


def test_the_documentation_lists_them_in_the_same_words():
    text = (DOCS / "how-to.md").read_text()
    table = text.split("| engine | what it is | when |\n| --- | --- | --- |\n")[1].split("\n\n")[0]
    rows = [re.fullmatch(r"\| `(.*)` \| (.*) \| (.*) \|", line) for line in table.splitlines()]
    assert [row[1] for row in rows] == list(ENGINE_SPECS)
    for row in rows:
        spec = ENGINE_SPECS[row[1]]
        assert row[2] == spec.summary
        assert row[3].startswith(spec.when)


def test_an_unknown_engine_is_named_with_the_nearest(certificate):
    message = "no engine 'kernal'; there is ensemble, .*; did you mean 'kernel'"
    with pytest.raises(NtkexecError, match=message):
        find_engine("kernal")
    with pytest.raises(NtkexecError, match=message):
        make_engine("kernal", certificate)


@pytest.mark.parametrize("name", [name for name, spec in ENGINE_SPECS.items() if spec.trained])
def test_without_networks_an_engine_of_networks_is_refused(certificate, name):
    with pytest.raises(EnsembleError, match=f"the engine '{name}' needs trained networks"):
        make_engine(name, certificate)


@pytest.mark.parametrize(
    "name", [n for n, spec in ENGINE_SPECS.items() if not spec.trained and n != "oracle"]
)
def test_the_others_are_made_of_a_certificate(certificate, name):
    assert make_engine(name, certificate).encoding.num_components == 1
