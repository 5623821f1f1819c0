"""Every port has the same shape: what is known of it, its page, claims that can fail, studies that run.

Claims are judged on records that were measured before (`python tests/support/records.py SLUG`);
the slow tests measure them anew.
"""

import ast
import dataclasses
import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from support import records

import experiments
from experiments.files.storage import finite
from experiments.harness import page, readme, registry, runner, stored, tables
from experiments.harness.about import Provenance
from experiments.harness.report import Report
from ntkexec import vocabulary
from ntkexec.errors import ExperimentError

SLUGS = registry.slugs()
SECTIONS = ("## Use", "## What was measured", "## What was not measured")
ROOT = Path(experiments.__path__[0])
DATA = Path(os.environ["NTKEXEC_DATA"]) if "NTKEXEC_DATA" in os.environ else None
# What loads a study or judges one; a method does neither.
HARNESS = re.compile(r"^experiments\.(harness|command)\b|\.(study|study_\w+|claims|application)$")


@pytest.fixture(scope="module", params=SLUGS)
def experiment(request):
    return registry.find(request.param)


@pytest.fixture(scope="module")
def kept(experiment):
    """The port's stored records."""
    return records.read(experiment.slug)[1]


@pytest.fixture(scope="module")
def report(experiment, kept):
    """The port as if its tiny run had just ended."""
    outcomes = tuple(runner.judge(claim, kept) for claim in experiment.claims)
    tiny = experiment.studies.tiny
    return Report(experiment, "tiny", tiny, kept, outcomes, 1.0, 1.0, 0, stored.environment())


def test_there_are_ports_and_a_folder_without_about_is_none():
    assert SLUGS
    folders = {p.parent for area in registry.AREAS for p in (ROOT / area).glob("*/__init__.py")}
    assert {folder.name for folder in folders} == {slug.replace("-", "_") for slug in SLUGS}


def test_the_page_names_paper_and_claims_and_tells_what_was_and_was_not_measured(experiment):
    about = experiment.about
    text = about.readme.read_text()
    # Examples and the command's tables are as long as they are.
    tables = "|".join(
        rf"{re.escape(readme.start_of(about.slug, scale))}.*?{re.escape(readme.end_of(scale))}"
        for scale in vocabulary.SCALES
    )
    prose = re.sub(rf"```python.*?```|{tables}", "", text, flags=re.DOTALL)
    assert len(prose.splitlines()) <= 60
    for part in (*SECTIONS, readme.start_of(about.slug), readme.END):
        assert part in text, part
    assert (about.paper.arxiv or about.paper.title) in text
    for claim in experiment.claims:
        assert f"`{claim.name}`" in text, f"the page does not mention the claim {claim.name}"
    if about.paper.provenance == "reconstructed":
        assert "reconstructed" in text.lower()


def test_the_page_has_an_example_of_every_exported_name(experiment):
    nodes = [n for block in _blocks(experiment.about.readme) for n in ast.walk(ast.parse(block))]
    used = {n.id for n in nodes if isinstance(n, ast.Name)}
    used |= {n.attr for n in nodes if isinstance(n, ast.Attribute)}
    # To import a name is not to use it.
    assert set(_exports(experiment)) <= used


@pytest.mark.slow
@pytest.mark.parametrize("slug", SLUGS)
def test_the_examples_of_the_page_run(slug, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "example"}
    for block in _blocks(registry.about_of(slug).readme):
        exec(compile(block, f"{slug}/README.md", "exec"), names)


def _blocks(path: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def _exports(experiment) -> list[str]:
    return sys.modules[experiment.about.package].__all__


def test_there_is_a_quick_scale_and_all_scales_have_one_type(experiment):
    configs, tiny = experiment.studies.configs, experiment.studies.tiny
    assert "quick" in configs
    for config in configs.values():
        assert type(config) is type(tiny)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(config, dataclasses.fields(config)[0].name, 0)


def test_the_configuration_refuses_what_makes_no_sense(experiment):
    tiny = experiment.studies.tiny
    numbers = [
        f.name for f in dataclasses.fields(tiny) if type(getattr(tiny, f.name)) in (int, float)
    ]
    assert numbers
    for name in numbers:
        with pytest.raises(ExperimentError, match=name):
            dataclasses.replace(tiny, **{name: -1})


def test_every_claim_says_what_where_how_and_why(experiment):
    assert 5 <= len(experiment.claims) <= 12
    for claim in experiment.claims:
        for text in (claim.claim, claim.source, claim.how, claim.bound_from):
            assert text.strip(), claim.name
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", claim.name)
        assert claim.provenance in get_args(Provenance)
    assert list(experiment.about.expected) == [claim.name for claim in experiment.claims]


def test_the_stored_records_are_those_of_this_code(experiment):
    command = f"python tests/support/records.py {experiment.slug} --data DIR"
    parts = records.parts(experiment)
    # Every study has a name of its own code.
    assert len({one["code"] for one in parts.values()}) == len(parts)
    found = records.identities(parts)
    was = records.read(experiment.slug)[0]
    old = sorted(name for name in found if found[name] != was.get(name))
    assert not old, f"{', '.join(old)} changed since records were stored; run {command}"
    assert records.path_of(experiment.slug).stat().st_size <= records.LARGEST


def test_every_claim_is_measured_or_says_why_not_and_its_broken_twin_does_not_hold(report, kept):
    for outcome in report.outcomes:
        claim = outcome.check
        assert claim.broken is not None, f"{claim.name} has no broken twin"
        found = runner.judge(dataclasses.replace(claim, measure=claim.broken), kept)
        # Two seeds make wide intervals, in which the bound may lie; but the claim cannot hold.
        measured = outcome.verdict != "not measured"
        expected = ("fails", "undecided") if measured else ("not measured",)
        assert found.verdict in expected, (claim.name, found.measurement)


def test_the_report_is_json_a_table_and_a_page_that_loads_nothing(experiment, report):
    text = json.dumps(finite(report.to_data()), allow_nan=False)
    assert json.loads(text)["experiment"] == experiment.slug
    made, table, told = (
        page.render([report]),
        tables.markdown(report),
        tables.text(report, "results"),
    )
    for claim in experiment.claims:
        for shown in (made, table, told):
            assert claim.name in shown
    for loaded in ('src="http', "<script", "<link", "url("):
        assert loaded not in made


@pytest.mark.parametrize("slug", SLUGS)
def test_methods_import_neither_harness_nor_claims(slug):
    package = registry.about_of(slug).package
    for module in _methods(package):
        for imported in _imports(module):
            assert not HARNESS.search(imported), f"{module} imports {imported}"


def _methods(package: str) -> set[str]:
    """The modules of a port that hold its method: what the package exports, and what that imports."""
    exports = registry.about_of(package.rpartition(".")[2].replace("_", "-")).folder / "__init__.py"
    calls = [n for n in ast.walk(ast.parse(exports.read_text())) if isinstance(n, ast.Call)]
    todo = [f"{package}.{k.arg}" for call in calls for k in call.keywords]
    assert todo, f"{package} exports nothing"
    found: set[str] = set()
    while todo:
        module = todo.pop()
        if module not in found:
            found.add(module)
            todo += [name for name in _imports(module) if name.startswith("experiments.")]
    return found


# From the ground up: what comes later is imported by nothing that comes before.
ROOMS = ("exports", "files", "data", "kits", "harness", "ports", "command")


def test_imports_between_the_folders_go_down_only_and_to_no_studies_of_another_port():
    for path in ROOT.rglob("*.py"):
        parts = ("experiments", *path.relative_to(ROOT).with_suffix("").parts)
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        for imported in _imports(module):
            if not imported.startswith("experiments."):
                continue
            below, above = _room(imported), _room(module)
            assert ROOMS.index(below) <= ROOMS.index(above), f"{module} imports {imported}"
            if below == above == "ports" and imported.split(".")[2] != module.split(".")[2]:
                assert not HARNESS.search(imported), f"{module} imports {imported}"


def _room(module: str) -> str:
    inner = module.split(".")[1] if "." in module else "exports"
    return "ports" if inner in registry.AREAS else inner


@functools.cache
def _imports(module: str) -> frozenset[str]:
    path = ROOT.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = str(node.module)
            inner = (
                ROOT.joinpath(*source.split(".")[1:]) if source.startswith("experiments") else None
            )
            if inner is not None and inner.is_dir():
                found |= {f"{source}.{alias.name}" for alias in node.names}
            else:
                found.add(source)
    return frozenset(found)


def test_a_port_is_imported_without_its_studies_and_without_jax():
    packages = [registry.about_of(slug).package for slug in SLUGS]
    code = f"import sys, {', '.join(packages)}\nprint(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"jax", "flax", "numpy", "sklearn"} & set(loaded)
    assert not [name for name in loaded if HARNESS.search(name)]


@pytest.mark.slow
@pytest.mark.parametrize("slug", SLUGS)
def test_a_tiny_run_measures_everything_once(slug, tmp_path, monkeypatch):
    experiment = registry.find(slug)
    tiny = experiment.studies.tiny
    first = runner.run(experiment, tiny, num_seeds=2, out=tmp_path, data=DATA)
    missing = sum(len(record.missing) for record in first.records)
    measure = runner._measure

    def try_again(study, config, trial):
        result = measure(study, config, trial)
        pytest.fail(f"{trial.study} was measured again: {result}")

    monkeypatch.setattr(runner, "_measure", try_again)
    again = runner.run(experiment, tiny, num_seeds=2, out=tmp_path, data=DATA)
    assert again.reused == 2 * len(experiment.studies.functions) - missing
    assert again.records == first.records
    reasons = [reason for record in first.records for reason in record.missing.values()]
    assert all(reasons)
    if DATA is not None:
        assert not [reason for reason in reasons if "needs the data set" in reason]
