"""`ntkexec experiment`: lists, runs, judges by its exit status, and starts light."""

import dataclasses
import json
import subprocess
import sys
import types

import pytest
from support.ports import claim, port, row

from experiments.data import room
from experiments.harness import configuration, readme, registry
from experiments.harness.study import NotMeasured
from ntkexec.check import Measurement, Outcome
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


def roses(config, trial):
    return {"at": str(trial.dataset("roses"))}


SMALL = claim(
    "small",
    lambda rs: Measurement(rs[0]["numbers"]["value"], details={"x": float("inf")}),
    2,
    claim="the size is < 3",
)
DATA = claim("data", lambda rs: Measurement(len(rs[0]["data"])), 1, claim="there are roses")
STUDIES = {"numbers": study, "data": roses}
EXAMPLE = port(STUDIES, (SMALL, DATA), Config())


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "find", lambda slug: EXAMPLE)
    monkeypatch.setattr(registry, "slugs", lambda: ("example",))
    monkeypatch.setattr(registry, "abouts", lambda: (EXAMPLE.about,))
    monkeypatch.setattr(room, "data_set", row)
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


def test_the_list_names_areas_papers_and_expected_verdicts(command):
    status, out, err = command("list")
    assert (status, err) == (0, "")
    assert out.startswith("graphs:\n  example  An example (2 claims)\n")
    assert "arXiv:2000.00001" in out
    (found,) = strict(command("list", "--json")[1])["experiments"]
    assert found["expected"] == {"small": "holds", "data": "holds"}
    assert (found["area"], found["paper"]["provenance"]) == ("graphs", "paper")


def test_a_port_is_shown_with_its_claims_and_last_results(command, monkeypatch):
    module = types.ModuleType("experiments.graphs.nowhere")
    module.__all__ = ["Method"]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    said = command("show", "example")[1]
    assert "from experiments.graphs.nowhere import Method" in said
    assert "small (paper; holds expected): the size is < 3" in said
    assert (
        "Nothing of the scale quick is stored in results: `ntkexec experiment run example`" in said
    )
    assert "not measured" not in said
    command("run", "example", "--seeds", 2)
    said = command("show", "example")[1]
    assert "holds: 1, at most 2" in said
    assert "Scale quick, seeds 1000 to 1001, " in said
    assert "Nothing of the scale quick" in command("show", "example", "--first-seed", 0)[1]
    found = strict(command("show", "example", "--json")[1])
    assert found["exports"] == ["Method"]
    assert found["cpu_seconds"] is None  # 0 stands there, as nothing was measured
    assert found["last"]["claims"][0]["verdict"] == "holds"


def test_a_run_prints_verdicts_and_progress_apart(command, tmp_path):
    status, out, err = command("run", "all", "--seeds", 2)
    assert status == 0
    assert "holds         small: the size is < 3" in out
    assert "1, at most 2" in out
    assert "not measured  data" in out
    assert "needs the data set roses" in out
    assert out.splitlines()[-1] == "1 holds, 0 fail, 0 undecided, 1 not measured"
    assert "example, seed 1001: numbers (3 of 4)" in err
    assert (tmp_path / "results" / "example").is_dir()
    assert "2 of 4 results were in results" in command("run", "example", "--seeds", 2)[1]


def test_quiet_runs_print_no_progress(command, capsys):
    assert main(["--quiet", "experiment", "run", "example", "--seeds", "1"]) == 0
    out, err = capsys.readouterr()
    assert "holds         small" in out
    assert err == ""


def test_a_claim_that_fails_against_expectation_gives_status_one(command):
    status, out, _ = command("run", "example", "--set", "size=3")
    assert status == 1
    assert "fails         small" in out
    assert "holds was expected" in out
    assert out.splitlines()[-1].endswith("; contrary to what was expected: small")
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


NEAR = claim(
    "near",
    lambda rs: Measurement(rs[0]["numbers"]["value"], (1.5, 2.5)),
    2,
    claim="the size is < 3",
)
UNDECIDED = port(STUDIES, (NEAR, SMALL, DATA), Config(), expected={"near": "undecided"})


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
    assert '<span class="undecided">undecided</span>' in page
    assert ".undecided { color: #9a5b00;" in page  # amber
    assert "1 holds, 0 fail, 1 undecided, 1 not measured" in page
    found = strict(command("run", "example", "--json")[1])["experiments"][0]
    assert found["summary"] == {"holds": 1, "fails": 0, "undecided": 1, "not_measured": 1}
    assert [claim["verdict"] for claim in found["claims"]] == ["undecided", "holds", "not measured"]


def test_a_failure_beside_an_undecided_claim_is_one(command, undecided):
    status, out, _ = command("run", "example", "--set", "size=3")
    assert status == 1
    assert out.splitlines()[-1] == (
        "0 hold, 1 fails, 1 undecided, 1 not measured; contrary to what was expected: small"
    )


def test_words_of_strangers_are_text_on_the_page(command, monkeypatch, tmp_path):
    tricky = "<!--<script>\u2028</script></table>"

    def refused(config, trial):
        raise NotMeasured(tricky)

    claims = tuple(dataclasses.replace(claim, claim=tricky) for claim in EXAMPLE.claims)
    example = port({**STUDIES, "data": refused}, claims, Config(), title=tricky)
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
        (("example", "--study", "flowers"), "no study 'flowers', but numbers, data"),
        (("example", "--set", "colour=red"), "the fields are size"),
        (("example", "--seeds", 0), "at least one seed is needed, from 0 on; got 0"),
        (("example", "--html", "."), "cannot write the page: . is a folder"),
        (("example", "--html", "/dev/null/page.html"), "cannot write the page: /dev/null takes no"),
        (("example", "--scale", "full"), "there is no scale 'full' here, but quick"),
        (("example", "--data", "nowhere"), "there is no folder nowhere to look for data sets in"),
        (("example", "--first-seed", 2**32), "the last seed is 4294967295; got 5, from 4294967296"),
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

    broken = port({"numbers": refused}, (SMALL,), Config(), slug="broken")
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


def test_every_failure_has_a_line_of_its_own(command, monkeypatch):
    def refused(config, trial):
        raise ExperimentError("nobody answers, " + 250 * "x")

    slugs = ("one", "two", "three")
    ports = {slug: port({"numbers": refused}, (SMALL,), Config(), slug=slug) for slug in slugs}
    monkeypatch.setattr(registry, "slugs", lambda: slugs)
    monkeypatch.setattr(registry, "find", ports.get)
    status, out, err = command("run", "all", "two", "--seeds", 1)
    assert (status, out) == (2, "")
    said = err.splitlines()[-4:]
    for slug, line in zip(slugs, said, strict=False):
        assert line.startswith(f"ntkexec: {slug}: nobody answers, xx")
    assert said[-1] == "ntkexec: 3 of 3 experiments failed: one, two, three"


def test_one_readme_that_cannot_be_written_keeps_none_from_being(command, monkeypatch, tmp_path):
    def ready(slug):
        (tmp_path / slug).mkdir()
        start, end = readme.start_of(slug), readme.END
        (tmp_path / slug / "README.md").write_text(f"# {slug}\n{start}\n{end}\n")
        (tmp_path / slug / "about.toml").write_text("cpu_seconds = 0\n")
        return port(STUDIES, (SMALL, DATA), Config(), slug=slug, folder=tmp_path / slug)

    ports = {slug: ready(slug) for slug in ("one", "two", "three")}
    monkeypatch.setattr(registry, "slugs", lambda: tuple(ports))
    monkeypatch.setattr(registry, "find", ports.get)
    command("run", "one", "three")
    status, out, err = command("readme", "all", "one")
    assert status == 2
    assert [line.split("/")[-2] for line in out.splitlines()] == ["one", "three"]
    assert "the size is < 3" in (tmp_path / "three" / "README.md").read_text()
    assert err.startswith("ntkexec: two: nothing of two is stored")


def test_a_port_is_found_by_the_name_of_its_package_too():
    assert registry.about_of("ff_g2m").slug == registry.about_of("ff-g2m").slug == "ff-g2m"


def test_one_study_can_be_measured_alone(command):
    status, out, _ = command("run", "example", "--study", "data", "--json")
    (found,) = strict(out)["experiments"]
    assert (status, found["summary"]["not_measured"]) == (0, 2)
    assert "has not been measured" in found["claims"][0]["reason"]
    status, out, _ = command("run", "example", "--study", "data", "--study", "numbers", "--json")
    assert strict(out)["experiments"][0]["summary"]["holds"] == 1


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
