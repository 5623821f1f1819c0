"""Tables of READMEs: written from stored results, between their marks, and nowhere else."""

import dataclasses

import pytest
from support.ports import claim, port

from experiments.harness import readme, runner, tables
from experiments.harness.claim import reported
from ntkexec.check import Measurement
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class Config:
    size: int = 1


def numbers(config, trial):
    return {"value": config.size, "accuracy": 84.0 + 0.1 * (trial.seed % 2)}


CLAIMS = (
    claim("small", lambda rs: Measurement(rs[0]["numbers"]["value"]), 2, claim="it | is"),
    reported(
        "figure",
        "84.4 on Cora",
        "numbers.accuracy",
        figure=84.4,
        within=1.0,
        unit="%",
        source="Table 1",
        how="mean",
    ),
)
START = "<!-- results: ntkexec experiment readme a-method -->"
PAGE = f"# A page\n\n{START}\nold\n<!-- end of results -->\n\nrest\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "README.md").write_text(PAGE)
    (tmp_path / "about.toml").write_text('title = "One"\ncpu_seconds = 0\n[paper]\nyear = 2020\n')
    return tmp_path


def report(folder, **options):
    made = port({"numbers": numbers}, CLAIMS, Config(), slug="a-method", folder=folder)
    return runner.run(made, Config(), scale="quick", num_seeds=4, **options)


def test_the_table_stands_between_the_marks_and_the_time_in_about(folder):
    found = dataclasses.replace(report(folder), cpu_seconds=12.4)
    assert readme.write_table(found) == folder / "README.md"
    text = (folder / "README.md").read_text()
    before, inner = text.split(START)
    inner, after = inner.split(readme.END)
    assert (before, after) == ("# A page\n\n", "\n\nrest\n")
    assert "\nold\n" not in inner
    assert "Scale quick, seeds 1000 to 1003, 12 s of processor time, jax" in inner
    assert "| `small`: it \\| is | 1, at most 2 | holds |" in inner
    assert "84.05 % [83.96, 84.14], published 84.4, within 1 | holds |" in inner
    assert "cpu_seconds = 12\n[paper]\nyear = 2020" in (folder / "about.toml").read_text()
    readme.write_table(found)
    assert (folder / "README.md").read_text() == text


def test_a_longer_run_has_a_table_of_its_own_with_what_it_measured(folder):
    page = PAGE + (
        "<!-- results: ntkexec experiment readme a-method --scale standard -->\nold too\n"
        "<!-- end of results at standard -->\n"
    )
    (folder / "README.md").write_text(page)
    found = report(folder)
    missing = runner.judge(found.experiment.claims[1], ())  # nothing was measured for it
    longer = dataclasses.replace(
        found, scale="standard", cpu_seconds=9.0, outcomes=(found.outcomes[0], missing)
    )
    readme.write_table(longer)
    text = (folder / "README.md").read_text()
    assert text.startswith(PAGE)  # the quick table is as it was, and so is its time
    assert "cpu_seconds = 0" in (folder / "about.toml").read_text()
    table = text.removeprefix(PAGE)
    assert "old too" not in table
    assert "Scale standard" in table
    assert "1 holds, 0 fail, 0 undecided, 0 not measured" in table
    assert "| `small`" in table
    assert "`figure`" not in table


def test_a_surprise_is_said(folder):
    found = report(folder)
    about = dataclasses.replace(
        found.experiment.about, expected={"small": "fails", "figure": "holds"}
    )
    surprised = dataclasses.replace(
        found, experiment=dataclasses.replace(found.experiment, about=about)
    )
    assert "holds, fails expected |" in tables.markdown(surprised)
    assert tables.summary(surprised).endswith("contrary to what was expected: small")


def test_nothing_is_written_where_nothing_is_stored(folder, tmp_path):
    found = report(folder, out=tmp_path / "results", measuring=False)
    with pytest.raises(ExperimentError, match="measure it with `ntkexec experiment run a-method`"):
        readme.write_table(found)
    assert (folder / "README.md").read_text() == PAGE


def test_a_page_of_an_installed_package_is_left_alone(folder):
    inside = folder / "lib" / "site-packages" / "a_method"
    inside.mkdir(parents=True)
    (inside / "README.md").write_text(PAGE)
    with pytest.raises(ExperimentError, match=r"installed package .*`ntkexec experiment show a-m"):
        readme.write_table(report(inside))
    assert (inside / "README.md").read_text() == PAGE


@pytest.mark.parametrize("text", ["", START, PAGE + START, PAGE.replace(START, "") + START])
def test_a_page_without_marks_is_left_alone(folder, text):
    (folder / "README.md").write_text(text)
    with pytest.raises(ExperimentError, match=r"needs the lines .* once each"):
        readme.write_table(report(folder))
    assert (folder / "README.md").read_text() == text
