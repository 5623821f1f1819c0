"""Every experiment has the same shape: page, sources, checks that can fail, results that last."""

import dataclasses
import json

import pytest

from experiments.files.storage import finite
from experiments.harness import page, registry, runner
from ntkexec.errors import ExperimentError

SLUGS = registry.slugs()
SECTIONS = ("## Paper", "## What is ported", "## What was measured", "## What was not measured")


@pytest.fixture(scope="module", params=SLUGS)
def whole(request):
    return registry.find(request.param)


@pytest.fixture(scope="module", params=["fast", pytest.param("slow", marks=pytest.mark.slow)])
def experiment(request, whole):
    """The experiment; without what takes long to compile, in the default tests."""
    if request.param == "slow":
        return whole
    kept = {name: s for name, s in whole.studies.items() if name not in whole.slow_studies}
    return dataclasses.replace(whole, studies=kept, slow_studies=())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def tiny(experiment, folder):
    """A run at the tiny size, in which everything must work and nothing need hold."""
    return runner.run(experiment, experiment.tiny, num_seeds=2, out=folder)


def test_the_page_names_the_paper_and_tells_what_was_and_was_not_done(whole):
    text = registry.page_of(whole.slug).read_text()
    for section in SECTIONS:
        assert section in text, section
    assert (whole.paper.arxiv or whole.paper.title) in text
    for check in whole.checks:
        assert f"`{check.name}`" in text, f"the page does not mention the check {check.name}"


def test_there_is_a_quick_scale_and_all_scales_have_one_type(whole):
    assert "quick" in whole.configs
    assert set(whole.configs) <= {"quick", "standard", "full"}
    for config in whole.configs.values():
        assert type(config) is type(whole.tiny)
        assert dataclasses.is_dataclass(config)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(config, dataclasses.fields(config)[0].name, 0)


def test_the_configuration_refuses_what_makes_no_sense(whole):
    numbers = [
        f.name
        for f in dataclasses.fields(whole.tiny)
        if type(getattr(whole.tiny, f.name)) in (int, float)
    ]
    assert numbers
    for name in numbers:
        with pytest.raises(ExperimentError, match=name):
            dataclasses.replace(whole.tiny, **{name: -1})


def test_every_check_says_what_where_how_and_why(whole):
    for check in whole.checks:
        for text in (check.claim, check.source, check.how, check.bound_from):
            assert text.strip(), check.name
        assert check.name == check.name.lower()
        assert " " not in check.name


def test_every_check_is_measured_or_says_why_not_and_its_broken_twin_fails(experiment, tiny):
    for outcome in tiny.outcomes:
        assert outcome.check.broken is not None, f"{outcome.check.name} has no broken twin"
        twin = dataclasses.replace(outcome.check, measure=outcome.check.broken)
        found = runner.judge(twin, tiny.records)
        # Two seeds make wide intervals, in which the bound may lie; but the claim cannot hold.
        measured = outcome.verdict != "not measured"
        expected = ("fails", "undecided") if measured else ("not measured",)
        assert found.verdict in expected, (outcome.check.name, found.measurement)


def test_the_report_is_json_and_a_page_that_loads_nothing(experiment, tiny):
    text = json.dumps(finite(tiny.to_data()), allow_nan=False)
    assert json.loads(text)["experiment"] == experiment.slug
    made = page.render([tiny])
    for check in experiment.checks:
        assert check.name in made
    for loaded in ('src="http', "<script", "<link", "url("):
        assert loaded not in made


def test_a_second_run_measures_nothing_and_says_the_same(experiment, folder, tiny, monkeypatch):
    # Only what could not be measured is tried again.
    missing = sum(len(record.missing) for record in tiny.records)
    measure = runner._measure

    def try_again(study, config, trial):
        result = measure(study, config, trial)
        pytest.fail(f"{trial.study} was measured again: {result}")

    monkeypatch.setattr(runner, "_measure", try_again)
    again = runner.run(experiment, experiment.tiny, num_seeds=2, out=folder)
    assert again.reused == 2 * len(experiment.studies) - missing
    assert again.records == tiny.records
