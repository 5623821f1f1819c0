"""Running: stored as soon as measured, continued, never stale, never silently replaced."""

import dataclasses
import json

import numpy as np
import pytest
from support.ports import claim, port, row

from experiments.data import room
from experiments.harness import configuration, registry, report, runner, statistics, stored
from experiments.harness.study import NotMeasured, Studies, Trial
from ntkexec.check import Measurement
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


def busy(config, trial):
    return {"value": sum(range(2_000_000)) and 0, "draw": 0.0}


def data_study(config, trial):
    return {"files": len(list(trial.dataset("flowers").iterdir()))}


EXPERIMENT = port(
    {"numbers": study, "flowers": data_study},
    (
        claim("small", lambda rs: Measurement(max(r["numbers"]["value"] for r in rs)), 4),
        claim("files", lambda rs: Measurement(rs[0]["flowers"]["files"]), 1),
    ),
    Config(2),
    tiny=Config(),
)


@pytest.fixture(autouse=True)
def room_of_flowers(monkeypatch):
    monkeypatch.setattr(room, "data_set", row)


def run(config, num_seeds, **options):
    return runner.run(EXPERIMENT, config, num_seeds=num_seeds, first_seed=0, **options)


@pytest.fixture(autouse=True)
def forget_calls():
    CALLS.clear()


def test_verdicts_come_from_the_records():
    found = run(Config(2), 3)
    assert [o.verdict for o in found.outcomes] == ["holds", "not measured"]
    assert found.surprising == ()
    found = run(Config(2), 4)
    assert [o.verdict for o in found.outcomes] == ["fails", "not measured"]
    assert [o.check.name for o in found.surprising] == ["small"]


@pytest.mark.parametrize(
    "expected, surprises",
    [("holds", [False, True]), ("fails", [True, False]), ("undecided", [False, False])],
)
def test_only_a_verdict_that_contradicts_the_expected_one_surprises(expected, surprises):
    other = port(
        EXPERIMENT.studies.functions, EXPERIMENT.claims, Config(2), expected={"small": expected}
    )
    for num_seeds, surprise in zip((3, 4), surprises, strict=True):
        found = runner.run(other, Config(2), num_seeds=num_seeds, first_seed=0)
        assert bool(found.surprising) == surprise
        assert found.to_data()["surprises"] == ["small"] * surprise


def test_seeds_begin_beyond_those_of_pilots():
    assert runner.run(EXPERIMENT, Config(2)).records[0].seed == 1000


def test_without_measuring_only_what_is_stored_is_judged(tmp_path):
    run(Config(), 1, out=tmp_path)
    CALLS.clear()
    found = run(Config(), 2, out=tmp_path, measuring=False)
    assert CALLS == []
    assert [sorted(record.results) for record in found.records] == [["numbers"], []]
    assert "not been measured under seed 1" in found.records[1].missing["numbers"]
    assert "needs the data set flowers" in found.records[1].missing["flowers"]


def test_only_the_studies_asked_for_are_measured_and_the_others_read(tmp_path):
    with pytest.raises(ExperimentError, match="no study 'words', but numbers, flowers"):
        run(Config(), 1, only=["numbers", "words"])
    found = run(Config(), 1, out=tmp_path, only=["flowers"])
    assert CALLS == []
    assert "not been measured under seed 0" in found.records[0].missing["numbers"]
    run(Config(), 1, out=tmp_path, only=["numbers"])
    found = run(Config(), 1, out=tmp_path, only=["flowers"])
    assert CALLS == [0]
    assert sorted(found.records[0].results) == ["numbers"]


def test_a_result_of_other_versions_is_another_result(tmp_path, monkeypatch):
    run(Config(), 1, out=tmp_path)
    monkeypatch.setattr(stored, "versions", lambda: {"jax": "0.0.1"})
    run(Config(), 1, out=tmp_path)
    assert CALLS == [0, 0]


def test_processor_time_is_stored_and_summed(tmp_path):
    working = port({"numbers": busy, "flowers": data_study}, EXPERIMENT.claims, Config())
    first = runner.run(working, Config(), num_seeds=2, out=tmp_path)
    assert first.cpu_seconds > 0.01
    assert runner.run(working, Config(), num_seeds=2, out=tmp_path).cpu_seconds == first.cpu_seconds


def test_more_seeds_continue_and_other_configurations_start_anew(tmp_path):
    run(Config(), 2, out=tmp_path)
    again = run(Config(), 3, out=tmp_path)
    assert CALLS == [0, 1, 2]
    assert again.reused == 2
    run(Config(2), 1, out=tmp_path)
    assert CALLS == [0, 1, 2, 0]
    assert not list(tmp_path.rglob("*.part"))


def test_a_killed_run_keeps_what_it_measured(tmp_path, monkeypatch):
    def killed(progress):
        if progress.seed == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Config(), 3, out=tmp_path, report=killed)
    assert run(Config(), 3, out=tmp_path).reused == 1
    assert CALLS == [0, 1, 2]


def test_a_seed_gives_the_same_record_and_another_seed_another():
    first, second = run(Config(), 2).records
    again = run(Config(), 1).records[0]
    assert first == again
    assert first["numbers"]["draw"] != second["numbers"]["draw"]


def test_absent_data_is_not_measured_and_present_data_is(tmp_path):
    out = tmp_path / "out"
    found = run(Config(), 1, out=out)
    assert "needs the data set flowers" in found.outcomes[1].measurement.reason
    assert "--data or NTKEXEC_DATA" in found.outcomes[1].measurement.reason
    found = run(Config(), 1, out=out, data=tmp_path)
    reason = found.outcomes[1].measurement.reason
    assert reason.startswith(f"flowers is not there: below {tmp_path} there is no flowers; get it ")
    (tmp_path / "flowers").mkdir()
    (tmp_path / "flowers" / "rose").touch()
    # What was missing was not stored as missing.
    found = run(Config(), 1, out=out, data=tmp_path)
    assert found.outcomes[1].verdict == "holds"
    with pytest.raises(NotMeasured, match="not run"):
        found.records[0]["bees"]


def test_damaged_results_are_refused_by_name(tmp_path):
    run(Config(), 1, out=tmp_path)
    (path,) = tmp_path.rglob("seed-0.json")
    path.write_text("{")
    with pytest.raises(ExperimentError, match=r"seed-0\.json is damaged; delete it"):
        run(Config(), 1, out=tmp_path)
    path.write_text(json.dumps({"format": report.FORMAT}))
    with pytest.raises(ExperimentError, match="holds no result"):
        run(Config(), 1, out=tmp_path)


def test_a_result_that_json_cannot_hold_is_refused():
    bad = port({"numbers": lambda c, t: {"value": {1, 2}}}, EXPERIMENT.claims, Config())
    with pytest.raises(ExperimentError, match="holds a set"):
        runner.run(bad, Config(), num_seeds=1)


@pytest.mark.parametrize(
    "seeds, first, says", [(0, 0, "got 0, from 0"), (-1, 0, "got -1"), (1, -1, "from -1")]
)
def test_a_run_needs_seeds(seeds, first, says):
    with pytest.raises(ExperimentError, match=says):
        runner.run(EXPERIMENT, Config(), num_seeds=seeds, first_seed=first)


def test_a_port_that_contradicts_itself_is_refused():
    small, files = EXPERIMENT.claims
    with pytest.raises(ExperimentError, match="two claims are called 'small'"):
        port({"numbers": study}, (small, small), Config())
    with pytest.raises(ExperimentError, match="differ in 'files'"):
        dataclasses.replace(EXPERIMENT, claims=(small,))
    with pytest.raises(ExperimentError, match="cannot be wrong"):
        port({"numbers": study}, (), Config())
    with pytest.raises(ExperimentError, match="no study 'fast'"):
        port({"numbers": study}, (small, files), Config(), slow=("fast",))
    with pytest.raises(ExperimentError, match="measures nothing"):
        Studies({"quick": Config()}, Config(), {})


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


# The registry.


def test_unknown_experiments_are_refused_with_the_nearest_name():
    slug = registry.slugs()[0]
    with pytest.raises(ExperimentError, match=f"did you mean '{slug}'"):
        registry.find(slug[:-1])
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
    alone = claim("interval", lambda records: statistics.mean([1.0] * len(records)).measurement())
    one = port(EXPERIMENT.studies.functions, (*EXPERIMENT.claims, alone), Config())
    *others, found = runner.run(one, Config(), num_seeds=1).outcomes
    assert found.verdict == "not measured"
    assert found.measurement.reason == "an interval needs at least two seeds, got 1"
    assert [o.verdict for o in others] == ["fails", "not measured"]  # the value is the seed, 1000
