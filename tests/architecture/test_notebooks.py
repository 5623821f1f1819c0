"""The notebooks hold what their cells put out, and open anywhere: a cell installs what is missing."""

import importlib.machinery
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import venv

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs the extra 'notebooks'")
nbclient = pytest.importorskip("nbclient", reason="needs the extra 'notebooks'")

from benchmarks.notebooks import opening, storing  # noqa: E402 (it needs what may be missing)

NOTEBOOKS = opening.notebooks()
ADDRESS = "https://github.com/owner/name"


def read(path):
    return nbformat.read(path, 4)


def test_there_are_notebooks():
    assert len(NOTEBOOKS) == 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_outputs_are_whole_small_and_of_these_cells(path):
    notebook = read(path)
    assert storing.complaints(notebook, path.stat().st_size) == [], "python -m benchmarks.notebooks"
    # A picture before the reader has read much.
    code = [cell for cell in notebook.cells if cell.cell_type == "code"][1]
    shown = {kind for output in code.outputs for kind in output.get("data", {})}
    assert shown & {"image/png", "text/html"}


def test_what_must_not_be_stored_is_found_out():
    notebook = read(NOTEBOOKS[0])
    assert "more than" in storing.complaints(notebook, storing.MOST_BYTES + 1)[0]
    notebook.cells[-2].source += "\n1"
    assert storing.complaints(notebook, 1) == ["its outputs are of other cells"]
    stream = nbformat.v4.new_output("stream", name="stderr", text="a warning")
    notebook.cells[-2].outputs.append(stream)
    assert "a cell complained: a warning" in storing.complaints(notebook, 1)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_first_cells_are_those_that_the_command_writes(path):
    repository = opening.address((opening.ROOT / "pyproject.toml").read_text())
    notebook, again = read(path), storing.opened(read(path), path.stem, repository)
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in again.cells]
    assert notebook.cells[0].source.count("[Open in Colab]") == 1
    # Neither a frame of a file, which is blank elsewhere, nor a formula that Python has escaped.
    text = path.read_text()
    assert "IFrame" not in text
    assert not any("$\\\\" in c.source or "\\\\sqrt" in c.source for c in notebook.cells)


def test_the_repository_is_one_line_that_the_command_fills_in():
    text = '[project]\nname = "a"\n\n[project.scripts]\na = "b"\n'
    assert opening.address(text) is None
    assert "upload" in opening.badge("1_a", None)
    filled = opening.with_address(text, ADDRESS)
    assert opening.address(filled) == ADDRESS
    assert opening.with_address(filled, f"{ADDRESS}2").count("Repository") == 1
    assert "github/owner/name/blob/main/notebooks/1_a.ipynb" in opening.badge("1_a", ADDRESS)
    assert f'"git+{ADDRESS}"' in opening.install_cell("1_a", ADDRESS)
    with pytest.raises(ValueError, match="not 'https://example"):
        opening.with_address(text, "https://example.org/owner/name")


def test_the_install_cell_takes_what_is_there_or_says_what_to_do(monkeypatch, tmp_path):
    cell = opening.install_cell("1_a", None)
    calls = []
    monkeypatch.setattr(subprocess, "run", lambda words, check: calls.append(words[-1]))
    monkeypatch.chdir(tmp_path)
    exec(cell, {})
    assert calls == []  # installed here
    # A clone in the working folder looks like a package without a file.
    namespace = importlib.machinery.ModuleSpec("ntkexec", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: namespace)
    with pytest.raises(FileNotFoundError, match="set SOURCE"):
        exec(cell, {})
    monkeypatch.setenv("NTKEXEC_SOURCE", "git+https://example.org/it")
    exec(cell, {})
    (tmp_path / "ntkexec").mkdir()
    (tmp_path / "ntkexec" / "pyproject.toml").write_text('name = "another"')
    exec(cell, {})
    (tmp_path / "ntkexec" / "pyproject.toml").write_text('name = "ntkexec"')
    exec(cell, {})
    (tmp_path / "ntkexec-0.1.0-py3-none-any.whl").touch()
    exec(cell, {})
    address = "ntkexec[plots] @ git+https://example.org/it"
    wheel = f"{tmp_path}/ntkexec-0.1.0-py3-none-any.whl[plots]"
    assert calls == [address, address, f"{tmp_path}/ntkexec[plots]", wheel]


# In three situations, from a clean kernel.


def environment_without_it(folder):
    """A virtual environment that has all libraries of this one, and not the package."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    site = next((folder / "lib").glob("python*/site-packages"))
    for library in pathlib.Path(sysconfig.get_paths()["purelib"]).iterdir():
        # Neither the package nor what an editable installation leaves, nor what the environment has.
        if "ntkexec" not in library.name and not (site / library.name).exists():
            (site / library.name).symlink_to(library)
    return python


def situated(situation, path, tmp_path):
    """Where a notebook lies, the Python that executes it, and what that finds in its environment."""
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "NTKEXEC_SOURCE")}
    if situation == "installed":
        shutil.copy(path, tmp_path)
        return tmp_path, pathlib.Path(sys.executable), clean | {"PYTHONPATH": str(opening.ROOT)}
    python = environment_without_it(tmp_path / "environment")
    # The tree as it is committed: what a clone holds.
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(opening.ROOT), str(clone)], check=True)
    if situation == "clone":
        shutil.copy(path, clone / "notebooks")
        return clone / "notebooks", python, clean
    (tmp_path / "empty").mkdir()
    shutil.copy(path, tmp_path / "empty")
    return tmp_path / "empty", python, clean | {"NTKEXEC_SOURCE": f"git+file://localhost{clone}"}


@pytest.mark.slow
@pytest.mark.parametrize("situation", ["installed", "clone", "empty"])
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
# The kernel's own sockets and event loop warn in some versions; nothing of ours runs in this process.
@pytest.mark.filterwarnings("ignore")
def test_the_notebook_runs(path, situation, tmp_path, monkeypatch):
    from jupyter_client.kernelspec import KernelSpecManager

    folder, python, environment = situated(situation, path, tmp_path)
    kernels = tmp_path / "share" / "jupyter" / "kernels" / "here"
    kernels.mkdir(parents=True)
    words = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernels / "kernel.json").write_text(
        json.dumps({"argv": words, "display_name": "here", "language": "python"})
    )
    monkeypatch.setattr(
        KernelSpecManager, "_kernel_dirs_default", lambda self: [str(kernels.parent)]
    )
    notebook = read(path)
    resources = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(notebook, timeout=600, kernel_name="here", resources=resources)
    client.execute(env=environment)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert outputs
