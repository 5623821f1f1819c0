"""`ntkexec experiment`: lists, runs, judges by its exit status, and starts light."""

import dataclasses
import json
import subprocess
import sys

import pytest

from experiments.harness import configuration, registry
from experiments.harness.experiment import Experiment, NotMeasured, Paper
from ntkexec.check import Check, Measurement, Outcome
from ntkexec.cli import main
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class Config:
    size: int = 1

    def __post_init__(self):
        configuration.require(self, size=self.size >= 1)


def study(config, trial):
    trial.report("counting", 1, 2)
    return {"value": config.size, "nothing": float("nan")}


EXAMPLE = Experiment(
    slug="example",
    title="An example",
    paper=Paper("A title", "Somebody", 2020, arxiv="2000.00001"),
    configs={"quick": Config(1)},
    tiny=Config(),
    studies={"numbers": study, "data": lambda config, trial: {"at": str(trial.dataset("roses"))}},
    checks=(
        Check(
            "small",
            "the size is < 3",
            "source",
            "how",
            2,
            "theory",
            lambda rs: Measurement(rs[0]["numbers"]["value"], details={"x": float("inf")}),
        ),
        Check(
            "data", "there are roses", "s", "h", 1, "t", lambda rs: Measurement(len(rs[0]["data"]))
        ),
    ),
)


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "find", lambda slug: EXAMPLE)
    monkeypatch.setattr(registry, "slugs", lambda: ("example",))
    monkeypatch.delenv("NTKEXEC_DATA", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        status = main(["experiment", *map(str, argv)])
        return status, *capsys.readouterr()

    return run


def strict(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_list_names_papers_and_claims(command):
    status, out, err = command("list")
    assert (status, err) == (0, "")
    assert "example  An example (2 claims)" in out
    assert "arXiv:2000.00001" in out
    data = strict(command("list", "--json")[1])
    assert data["experiments"][0]["claims"][0] == {"name": "small", "claim": "the size is < 3"}


def test_a_run_prints_verdicts_and_progress_apart(command, tmp_path):
    status, out, err = command("run", "all", "--seeds", 2)
    assert status == 0
    assert "holds         small: the size is < 3" in out
    assert "1, at most 2" in out
    assert "not measured  data" in out
    assert "needs the data set roses" in out
    assert out.splitlines()[-1] == "1 holds, 0 fail, 0 undecided, 1 not measured"
    assert "example, seed 1: numbers (3 of 4)" in err
    assert (tmp_path / "results" / "example").is_dir()
    assert "2 of 4 results were in results" in command("run", "example", "--seeds", 2)[1]


def test_quiet_runs_print_no_progress(command, capsys):
    assert main(["--quiet", "experiment", "run", "example", "--seeds", "1"]) == 0
    out, err = capsys.readouterr()
    assert "holds         small" in out
    assert err == ""


def test_a_claim_that_fails_gives_status_one(command):
    status, out, _ = command("run", "example", "--set", "size=3")
    assert status == 1
    assert "fails         small" in out
    assert "scale custom" in out


def test_json_is_strict_and_whole(command):
    status, out, _ = command("run", "example", "--seeds", 1, "--json")
    assert (status, out.count("\n")) == (0, 1)
    (found,) = strict(out)["experiments"]
    assert found["config"] == {"size": 1}
    assert [claim["verdict"] for claim in found["claims"]] == ["holds", "not measured"]
    assert found["records"][0]["results"]["numbers"] == {"value": 1, "nothing": None}
    assert found["environment"]["jax"]


def test_the_page_is_one_escaped_file(command, tmp_path):
    command("run", "example", "--html", tmp_path / "deep" / "page.html")
    page = (tmp_path / "deep" / "page.html").read_text()
    assert "the size is &lt; 3" in page
    assert "needs the data set roses" in page
    assert "<script" not in page


UNDECIDED = dataclasses.replace(
    EXAMPLE,
    checks=(
        Check(
            "near",
            "the size is < 3",
            "source",
            "how",
            2,
            "theory",
            lambda rs: Measurement(rs[0]["numbers"]["value"], (1.5, 2.5)),
        ),
        *EXAMPLE.checks,
    ),
)


@pytest.fixture
def undecided(monkeypatch):
    """An experiment with a claim whose interval contains the bound."""
    whole = Outcome.verdict.fget

    def verdict(outcome):
        return "undecided" if outcome.check.name == "near" else whole(outcome)

    monkeypatch.setattr(Outcome, "verdict", property(verdict))
    monkeypatch.setattr(registry, "find", lambda slug: UNDECIDED)


def test_an_undecided_claim_is_counted_by_itself_and_is_no_failure(command, undecided, tmp_path):
    status, out, _ = command("run", "example", "--html", "page.html")
    assert status == 0
    assert "undecided     near: the size is < 3" in out
    assert "1 [1.5, 2.5], at most 2" in out
    assert out.splitlines()[-1] == "1 holds, 0 fail, 1 undecided, 1 not measured"
    page = (tmp_path / "page.html").read_text()
    assert '<td class="undecided">undecided</td>' in page
    assert ".undecided { color: #9a5b00;" in page  # amber
    assert "1 holds, 0 fail, 1 undecided, 1 not measured" in page
    found = strict(command("run", "example", "--json")[1])["experiments"][0]
    assert found["summary"] == {"holds": 1, "fails": 0, "undecided": 1, "not_measured": 1}
    assert [claim["verdict"] for claim in found["claims"]] == ["undecided", "holds", "not measured"]


def test_a_failure_beside_an_undecided_claim_is_one(command, undecided):
    status, out, _ = command("run", "example", "--set", "size=3")
    assert status == 1
    assert out.splitlines()[-1] == "0 hold, 1 fails, 1 undecided, 1 not measured"


def test_words_of_strangers_are_text_on_the_page(command, monkeypatch, tmp_path):
    tricky = "<!--<script>\u2028</script></table>"

    def refused(config, trial):
        raise NotMeasured(tricky)

    example = dataclasses.replace(
        EXAMPLE,
        title=tricky,
        studies={**EXAMPLE.studies, "data": refused},
        checks=tuple(dataclasses.replace(check, claim=tricky) for check in EXAMPLE.checks),
    )
    monkeypatch.setattr(registry, "find", lambda slug: example)
    assert command("run", "example", "--html", "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert "<!--" not in page
    # Title and heading, two claims, one reason.
    assert page.count("&lt;!--&lt;script&gt;") == 4
    assert page.count("</table>") == 3


def test_real_data_is_found_by_flag_or_environment(command, tmp_path, monkeypatch):
    (tmp_path / "mine" / "roses").mkdir(parents=True)
    given = command("run", "example", "--data", tmp_path / "mine", "--out", "one", "--json")[1]
    monkeypatch.setenv("NTKEXEC_DATA", str(tmp_path / "mine"))
    found = command("run", "example", "--out", "two", "--json")[1]
    for out in (given, found):
        claims = strict(out)["experiments"][0]["claims"]
        assert claims[1]["verdict"] == "holds"


@pytest.mark.parametrize(
    "argv, says",
    [
        (("example", "--set", "size=0"), "size cannot be 0"),
        (("example", "--set", "colour=red"), "the fields are size"),
        (("example", "--seeds", 0), "at least one seed is needed, got 0"),
        (("example", "--html", "."), "cannot write the page: . is a folder"),
        (("example", "--html", "/dev/null/page.html"), "cannot write the page: /dev/null takes no"),
        (("example", "--scale", "full"), "example has no scale 'full'; it has quick"),
    ],
)
def test_bad_input_gives_status_two_and_one_line(command, argv, says):
    status, out, err = command("run", *argv)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert says in err


def test_an_experiment_that_cannot_run_leaves_the_reports_of_the_others(
    command, monkeypatch, tmp_path
):
    def refused(config, trial):
        raise ExperimentError("nobody answers")

    broken = dataclasses.replace(EXAMPLE, slug="broken", studies={"numbers": refused})
    monkeypatch.setattr(registry, "slugs", lambda: ("broken", "example"))
    monkeypatch.setattr(registry, "find", {"broken": broken, "example": EXAMPLE}.get)
    status, out, err = command("run", "all", "--seeds", 1, "--html", "page.html")
    assert status == 2
    assert out.startswith("example: ")
    assert out.splitlines()[-1] == "1 holds, 0 fail, 0 undecided, 1 not measured"
    assert err.splitlines()[-1].endswith("broken: nobody answers")
    assert "An example" in (tmp_path / "page.html").read_text()
    status, out, _ = command("run", "all", "--seeds", 1, "--json")
    assert (status, len(strict(out)["experiments"])) == (2, 1)


def test_help_loads_no_numerical_library():
    code = (
        "import sys\nfrom ntkexec.cli import main\n"
        "assert main(['experiment', 'run', '--help']) == 0\n"
        "assert not {'jax', 'numpy', 'experiments.harness.registry'} & set(sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100
    )
    assert found.returncode == 0, found.stderr
