"""Running: stored as soon as measured, continued, never stale, never silently replaced."""

import dataclasses
import json
import sys

import numpy as np
import pytest

from experiments.files.storage import code_digest
from experiments.harness import configuration, registry, runner, statistics
from experiments.harness.experiment import Experiment, NotMeasured, Paper, Trial
from ntkexec.check import Check, Measurement
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class Config:
    size: int = 1
    rate: float = 0.5
    name: str = "a"
    widths: tuple[int, ...] = (1,)

    def __post_init__(self):
        configuration.require(self, size=self.size >= 1)


CALLS = []


def study(config, trial):
    CALLS.append(trial.seed)
    return {"value": config.size + trial.seed, "draw": float(trial.generator.uniform())}


def data_study(config, trial):
    return {"files": len(list(trial.dataset("flowers").iterdir()))}


def check(name, measure, bound):
    return Check(name, "claim", "source", "how", bound, "theory", measure)


EXPERIMENT = Experiment(
    slug="example",
    title="An example",
    paper=Paper("A title", "Somebody", 2020),
    configs={"quick": Config(2)},
    tiny=Config(),
    studies={"numbers": study, "flowers": data_study},
    checks=(
        check("small", lambda rs: Measurement(max(r["numbers"]["value"] for r in rs)), 4),
        check("files", lambda rs: Measurement(rs[0]["flowers"]["files"]), 1),
    ),
)


@pytest.fixture(autouse=True)
def forget_calls():
    CALLS.clear()


def test_verdicts_come_from_the_records():
    report = runner.run(EXPERIMENT, Config(2), num_seeds=3)
    assert [o.verdict for o in report.outcomes] == ["holds", "not measured"]
    report = runner.run(EXPERIMENT, Config(2), num_seeds=4)
    assert [o.verdict for o in report.outcomes] == ["fails", "not measured"]
    assert report.failed


def test_more_seeds_continue_and_other_configurations_start_anew(tmp_path):
    runner.run(EXPERIMENT, Config(), num_seeds=2, out=tmp_path)
    again = runner.run(EXPERIMENT, Config(), num_seeds=3, out=tmp_path)
    assert CALLS == [0, 1, 2]
    assert again.reused == 2
    runner.run(EXPERIMENT, Config(2), num_seeds=1, out=tmp_path)
    assert CALLS == [0, 1, 2, 0]
    assert not list(tmp_path.rglob("*.part"))


def test_a_killed_run_keeps_what_it_measured(tmp_path, monkeypatch):
    def killed(progress):
        if progress.seed == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.run(EXPERIMENT, Config(), num_seeds=3, out=tmp_path, report=killed)
    assert runner.run(EXPERIMENT, Config(), num_seeds=3, out=tmp_path).reused == 1
    assert CALLS == [0, 1, 2]


def test_a_seed_gives_the_same_record_and_another_seed_another():
    first, second = runner.run(EXPERIMENT, Config(), num_seeds=2).records
    again = runner.run(EXPERIMENT, Config(), num_seeds=1).records[0]
    assert first == again
    assert first["numbers"]["draw"] != second["numbers"]["draw"]


def test_absent_data_is_not_measured_and_present_data_is(tmp_path):
    out = tmp_path / "out"
    report = runner.run(EXPERIMENT, Config(), num_seeds=1, out=out)
    assert "needs the data set flowers" in report.outcomes[1].measurement.reason
    assert "--data or NTKEXEC_DATA" in report.outcomes[1].measurement.reason
    (tmp_path / "flowers").mkdir()
    (tmp_path / "flowers" / "rose").touch()
    # What was missing was not stored as missing.
    report = runner.run(EXPERIMENT, Config(), num_seeds=1, out=out, data=tmp_path)
    assert report.outcomes[1].verdict == "holds"
    with pytest.raises(NotMeasured, match="not run"):
        report.records[0]["bees"]


def test_damaged_results_are_refused_by_name(tmp_path):
    runner.run(EXPERIMENT, Config(), num_seeds=1, out=tmp_path)
    (stored,) = tmp_path.rglob("seed-0.json")
    stored.write_text("{")
    with pytest.raises(ExperimentError, match=r"seed-0\.json is damaged; delete it"):
        runner.run(EXPERIMENT, Config(), num_seeds=1, out=tmp_path)
    stored.write_text(json.dumps({"format": runner.FORMAT}))
    with pytest.raises(ExperimentError, match="holds no result"):
        runner.run(EXPERIMENT, Config(), num_seeds=1, out=tmp_path)


def test_a_result_that_json_cannot_hold_is_refused():
    bad = dataclasses.replace(EXPERIMENT, studies={"numbers": lambda c, t: {"value": {1, 2}}})
    with pytest.raises(ExperimentError, match="holds a set"):
        runner.run(bad, Config(), num_seeds=1)


@pytest.mark.parametrize("seeds, says", [(0, "at least one seed"), (-1, "got -1")])
def test_a_run_needs_seeds(seeds, says):
    with pytest.raises(ExperimentError, match=says):
        runner.run(EXPERIMENT, Config(), num_seeds=seeds)


def test_two_checks_of_one_name_and_unknown_slow_studies_are_refused():
    with pytest.raises(ExperimentError, match="two checks are called 'small'"):
        dataclasses.replace(EXPERIMENT, checks=(EXPERIMENT.checks[0],) * 2)
    with pytest.raises(ExperimentError, match="no study 'fast'"):
        dataclasses.replace(EXPERIMENT, slow_studies=("fast",))


# Configurations from words.


def test_fields_are_set_by_words():
    changed = configuration.changed(Config(), ["size=3", "rate=2", "name=b", "widths=[4, 5]"])
    assert changed == Config(3, 2.0, "b", (4, 5))


@pytest.mark.parametrize(
    "change, says",
    [
        ("size", "sets no field"),
        ("sise=3", "the fields are size, rate, name, widths"),
        ("size=big", "'big' is none"),
        ("size=1.5", "'1.5' is none"),
        ("size=0", "size cannot be 0"),
    ],
)
def test_words_that_fit_no_field_are_refused(change, says):
    with pytest.raises(ExperimentError, match=says):
        configuration.changed(Config(), [change])


# Code digests.


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two modules of which one imports the other."""
    root = tmp_path / "somepackage"
    root.mkdir()
    (root / "__init__.py").touch()
    (root / "study.py").write_text("from somepackage.model import f\n\ndef g():\n    return f()\n")
    (root / "model.py").write_text("def f():\n    return 1\n")
    (root / "claims.py").write_text("BOUND = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield root
    # Looking for a module in it has imported the package itself.
    sys.modules.pop("somepackage", None)


def test_the_digest_follows_imports_and_sees_code_alone(package):
    before = code_digest("somepackage.study", "somepackage")
    (package / "claims.py").write_text("BOUND = 2\n")
    (package / "model.py").write_text('"""Says."""\n\ndef f():\n    """It."""\n    return 1  # !\n')
    assert code_digest("somepackage.study", "somepackage") == before
    (package / "model.py").write_text("def f():\n    return 2\n")
    assert code_digest("somepackage.study", "somepackage") != before


def test_an_import_through_a_package_would_hide_code_and_is_refused(package):
    (package / "study.py").write_text("from somepackage import something\n")
    with pytest.raises(ExperimentError, match="import it from its module"):
        code_digest("somepackage.study", "somepackage")


# The registry.


def test_unknown_experiments_are_refused_with_the_nearest_name():
    assert "sgs" in registry.slugs()
    assert "shared" not in registry.slugs()
    with pytest.raises(ExperimentError, match="did you mean 'sgs'"):
        registry.find("sg")
    with pytest.raises(ExperimentError, match="there are "):
        registry.find("zzzzzz")


def test_a_part_of_a_study_is_measured_once_and_the_same_in_memory(tmp_path):
    made = []

    def make():
        made.append(np.float32(len(made)))
        return {"value": made[-1]}

    trial = Trial("study", 0, folder=tmp_path / "seed-0")
    assert [trial.kept("one part", make) for _ in range(2)] == [{"value": 0.0}] * 2
    assert trial.kept("another", make) == {"value": 1.0}
    assert Trial("study", 0).kept("one part", make) == {"value": 2.0}
    (tmp_path / "seed-0/one-part.json").write_text("{")
    with pytest.raises(ExperimentError, match="one-part"):
        trial.kept("one part", make)


def test_an_interval_of_one_seed_is_not_measured_and_the_rest_is():
    alone = dataclasses.replace(
        EXPERIMENT.checks[0],
        name="interval",
        measure=lambda records: statistics.mean([1.0] * len(records)).measurement(),
    )
    one = dataclasses.replace(EXPERIMENT, checks=(*EXPERIMENT.checks, alone))
    *others, found = runner.run(one, one.tiny, num_seeds=1).outcomes
    assert found.verdict == "not measured"
    assert found.measurement.reason == "an interval needs at least two seeds, got 1"
    assert [o.verdict for o in others] == [
        o.verdict for o in runner.run(EXPERIMENT, EXPERIMENT.tiny, num_seeds=1).outcomes
    ]
