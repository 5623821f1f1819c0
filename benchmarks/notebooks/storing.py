"""Notebooks with their outputs: what is stored, and that it came from the cells beside it."""

import hashlib
import json
import pathlib
from typing import Any

import nbclient
import nbformat

from benchmarks.notebooks import opening

MOST_BYTES = 400_000
"""Of a stored notebook, pictures and pages included."""

TIMEOUT = 600
"""Seconds for one cell."""

# Any: a notebook and its cells, as nbformat gives them.


def opened(notebook: Any, name: str, repository: str | None) -> Any:
    """The notebook with its badge and its install cell as they must be; see `opening`."""
    first, *_ = notebook.cells
    title, *rest = first.source.split("\n")
    kept = [line for line in rest if opening.COLAB not in line]
    while kept and not kept[0]:
        kept = kept[1:]
    first.source = "\n".join([title, "", opening.badge(name, repository), "", *kept])
    code = next(cell for cell in notebook.cells if cell.cell_type == "code")
    code.source = opening.install_cell(name, repository)
    return notebook


def digest(notebook: Any) -> str:
    """SHA-256 of the sources of all code cells."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def executed(notebook: Any, folder: pathlib.Path) -> Any:
    """The notebook after a run from a clean kernel, its outputs kept and everything else forgotten.

    Args:
        notebook: with or without outputs.
        folder: where its kernel works.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    resources = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(
        notebook, timeout=TIMEOUT, kernel_name="python3", resources=resources, coalesce_streams=True
    )
    client.execute()
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "ntkexec": {"outputs_of": digest(notebook)},
        }
    )
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        for output in cell.get("outputs", ()):
            if "metadata" in output:
                output.metadata = nbformat.from_dict({})
    return notebook


def complaints(notebook: Any, size: int) -> list[str]:
    """What keeps a notebook from being stored.

    Args:
        notebook: after a run.
        size: of its file, in bytes.
    """
    found = []
    if size > MOST_BYTES:
        found.append(f"{size} bytes, more than {MOST_BYTES}")
    stored = notebook.metadata.get("ntkexec", {}).get("outputs_of")
    if stored != digest(notebook):
        found.append("its outputs are of other cells")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    if not outputs:
        found.append("no outputs")
    for output in outputs:
        if output.output_type == "error":
            found.append(f"a cell failed: {output.ename}")
        if output.get("name") == "stderr":
            found.append(f"a cell complained: {output.text[:200]}")
    return found
