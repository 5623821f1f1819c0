"""`ntkexec experiment data`: what it says of each set, with data and without."""

import json
import pathlib
import subprocess
import sys

import pytest
from support import node_sets

from experiments.data import catalogue, listing, room
from experiments.harness import registry
from ntkexec.cli import main
from ntkexec.errors import ExperimentError


@pytest.fixture(autouse=True)
def no_data_of_the_user(monkeypatch):
    monkeypatch.delenv(room.VARIABLE, raising=False)


def test_every_set_is_listed_with_what_where_and_how_to_get_it(capsys):
    assert main(["experiment", "data"]) == 0
    said = capsys.readouterr().out
    for name, row in catalogue.by_name().items():
        assert f"\n  {name}" in f"\n{said}"
        for text in (row.what, row.address, row.citation, row.reference, row.caution, row.package):
            assert " ".join(text.split()) in " ".join(said.split()), name
        assert said.count("only found: no reader") == sum(
            not any(place.reader for place in row.places) for row in catalogue.by_name().values()
        )
    assert "Nothing was looked for: name your folder of data sets by --data or NTKEXEC_DATA" in said


def test_what_is_there_is_told_from_what_is_not(tmp_path, capsys, monkeypatch):
    node_sets.write_pickles(tmp_path / "cora", "cora", node_sets.citations())
    for words in (["--data", str(tmp_path)], []):
        assert main(["experiment", "data", "cora", "citeseer", *words]) == 0
        said = capsys.readouterr().out
        assert "cora  (there: cora/ind.cora.x, ..." in said
        assert "citeseer  (not there" in said
        assert f"1 of 2 are below {tmp_path}" in said
        monkeypatch.setenv(room.VARIABLE, str(tmp_path))


def test_json_holds_the_same(tmp_path, capsys):
    node_sets.write_pickles(tmp_path / "cora", "cora", node_sets.citations())
    assert main(["experiment", "data", "cora", "nations", "--data", str(tmp_path), "--json"]) == 0
    cora, nations = json.loads(capsys.readouterr().out)["data"]
    assert cora["path"] == str(tmp_path / "cora")
    assert nations["path"] is None
    assert cora["looked_for"][0] == {"path": "planetoid/cora.npz", "files": [], "loader": True}
    assert not any(place["loader"] for place in nations["looked_for"])
    assert set(cora) >= {
        "what",
        "used_by",
        "address",
        "citation",
        "package",
        "reference",
        "caution",
    }


def test_an_unknown_name_and_a_folder_that_is_not_there_end_with_two(tmp_path, capsys):
    assert main(["experiment", "data", "coras"]) == 2
    assert "did you mean 'cora'" in capsys.readouterr().err
    assert main(["experiment", "data", "--data", str(tmp_path / "no")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_users_are_the_ports_that_name_the_set():
    used = {"one": ("cora", "texas"), "two": ("cora",), "three": ()}
    cora, texas, actor = listing.entries(["cora", "texas", "actor"], None, used)
    assert (cora.users, texas.users, actor.users) == (("one", "two"), ("one",), ())
    assert "cora  (used by one, two)" in listing.text([cora], None)


def test_ports_name_sets_that_there_are():
    for about in registry.abouts():
        for name in about.data:
            assert catalogue.data_set(name).name == name, about.slug


def test_the_page_on_data_names_every_set_with_its_places():
    page = (pathlib.Path(__file__).parents[3] / "docs/data.md").read_text()
    told = [line for line in page.splitlines() if line.startswith("| `")]
    for name, row in catalogue.by_name().items():
        places = ", ".join(dict.fromkeys(f"`{place}`" for place in row.places))
        assert f"| `{name}` | {places} |" in told


def test_hostile_names_are_shown_on_one_line():
    with pytest.raises(ExperimentError) as found:
        listing.entries(["\x1b[31m\n"], None, {})
    assert str(found.value).isprintable()


def test_the_list_loads_neither_numpy_nor_jax():
    code = (
        "import sys; from ntkexec.cli import main; main(['experiment', 'data']);"
        "print(sorted({'numpy', 'jax', 'scipy'} & set(sys.modules)), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr.splitlines()[-1] == "[]"


def test_places_are_told_once_with_all_that_lies_in_them():
    dior, folds = (
        listing.text(listing.entries([one], None, {}), None) for one in ("dior", "pascal-5i")
    )
    layouts = (
        " ".join(dior.split())
        .partition("looked for: ")[2]
        .partition(" get it from")[0]
        .split(" | ")
    )
    assert len(layouts) == len(set(layouts)) == 2
    assert all("Horizontal Bounding Boxes, " in one and one.endswith("Main") for one in layouts)
    for place in catalogue.data_set("pascal-5i").places:
        for file in place.files:
            assert file in " ".join(folds.split())
