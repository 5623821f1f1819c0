"""The notebooks run from a clean kernel; their outputs stay small."""

import importlib.util
import pathlib
import subprocess

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs the extra 'notebooks'")
nbclient = pytest.importorskip("nbclient", reason="needs the extra 'notebooks'")

NOTEBOOKS = sorted((pathlib.Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
MAX_OUTPUT = 200_000  # characters, plots included


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
# The kernel's own sockets and event loop warn in some versions; nothing of ours runs in this process.
@pytest.mark.filterwarnings("ignore")
def test_the_notebook_runs(path):
    notebook = nbformat.read(path, 4)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert outputs
    assert sum(len(str(output)) for output in outputs) < MAX_OUTPUT


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_is_stored_without_outputs_and_installs_first(path):
    notebook = nbformat.read(path, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert "find_spec" in code[0].source
    assert not any(cell.get("outputs") for cell in code)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_install_cell_takes_a_wheel_or_a_checkout_or_says_what_to_do(
    path, monkeypatch, tmp_path
):
    cell = next(c for c in nbformat.read(path, 4).cells if c.cell_type == "code").source
    calls = []
    monkeypatch.setattr(subprocess, "run", lambda words, check: calls.append(words[-1]))
    monkeypatch.chdir(tmp_path)
    exec(cell, {})
    assert calls == []  # installed here
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="upload the file"):
        exec(cell, {})
    (tmp_path / "ntkexec").mkdir()
    (tmp_path / "ntkexec" / "pyproject.toml").touch()
    exec(cell, {})
    (tmp_path / "ntkexec-0.1.0-py3-none-any.whl").touch()
    exec(cell, {})
    extra = calls[0].removeprefix("ntkexec")
    assert calls == [f"ntkexec{extra}", f"{tmp_path}/ntkexec-0.1.0-py3-none-any.whl{extra}"]
