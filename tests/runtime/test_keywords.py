"""Frozen configurations, and their fields as loose keywords."""

import dataclasses
import inspect

import pytest

import ntkexec
from ntkexec.certifying import Certifying
from ntkexec.ensemble.sizing import Ensembling
from ntkexec.errors import NtkexecError
from ntkexec.executor import Executing
from ntkexec.runtime import keywords


@dataclasses.dataclass(frozen=True)
class Brewing:
    tea: str = "green"
    minutes: int = 3


def test_loose_keywords_become_fields_and_the_others_are_left():
    loose = {"minutes": 5, "sugar": True}
    assert keywords.taken(loose, Brewing(tea="black")) == Brewing("black", 5)
    assert loose == {"sugar": True}


def test_what_is_asked_for_is_what_differs_from_the_defaults():
    assert keywords.asked(Brewing()) == keywords.asked(Brewing("green")) == {}
    assert keywords.asked(Brewing(minutes=4)) == {"minutes": 4}


def test_help_shows_the_fields_among_the_keywords():
    @keywords.shows_fields_of(Brewing)
    def brew(water, *, cups=1, **loose):
        return water

    assert str(inspect.signature(brew)) == (
        "(water, *, cups=1, tea: str = 'green', minutes: int = 3, **loose)"
    )


@pytest.mark.parametrize(
    ("function", "configurations"),
    [(ntkexec.run, (Certifying, Ensembling, Executing)), (ntkexec.certify, (Certifying,))],
)
def test_the_library_shows_its_options_with_their_defaults(function, configurations):
    shown = inspect.signature(function).parameters
    for configuration in configurations:
        for field in dataclasses.fields(configuration):
            assert shown[field.name].default == field.default


def test_no_two_configurations_of_a_run_have_a_field_of_one_name():
    names = [f.name for c in (Certifying, Ensembling, Executing) for f in dataclasses.fields(c)]
    own = {"algorithm", "graph", "engine", "certifying", "ensembling", "executing", "report"}
    assert len(names) == len(set(names))
    assert not own & set(names)


def test_a_configuration_and_a_loose_keyword_say_the_same_and_the_keyword_wins():
    asked = {"engine": "kernel", "message": "1", "certifying": Certifying(kind="joint", bound=3)}
    found = ntkexec.run("flooding", "path:3", **asked)
    assert (found.certificate.problem.kind, found.certificate.max_matches) == ("joint", 3)
    found = ntkexec.run("flooding", "path:3", **asked, kind="factored")
    assert (found.certificate.problem.kind, found.certificate.max_matches) == ("factored", 3)


def test_a_keyword_that_nobody_takes_is_refused():
    with pytest.raises(ntkexec.NtkexecError, match=r"flooding takes the inputs .*, not 'widht'"):
        ntkexec.run("flooding", "path:3", engine="kernel", widht=4)
    with pytest.raises(TypeError, match="widht"):
        ntkexec.certify(ntkexec.Program, num_decisions=1, widht=4)


def test_a_keyword_is_taken_by_its_former_name():
    @keywords.renamed(pot="kettle")
    def boil(kettle, **rest):
        return kettle, rest

    with pytest.warns(DeprecationWarning, match="pot= of boil is called kettle= now") as caught:
        assert boil(pot=1, sugar=2) == (1, {"sugar": 2})
    assert caught[0].filename == __file__
    assert boil(3) == boil(kettle=3) == (3, {})
    assert boil(kettle=3, pot=1) == (3, {"pot": 1})


@pytest.mark.parametrize("function", [ntkexec.run, ntkexec.prepare])
def test_programs_are_taken_by_their_former_name(function):
    with (
        pytest.warns(DeprecationWarning, match="algorithm= of .* is called program= now"),
        pytest.raises(NtkexecError, match="flooding needs a graph"),
    ):
        function(algorithm="flooding")
