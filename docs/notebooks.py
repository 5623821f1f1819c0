"""Notebooks as pages of the site, with the outputs that are stored in them: a hook of mkdocs."""

import html
import itertools
import json
import pathlib
import re

from mkdocs.structure.files import File

NOTEBOOKS = pathlib.Path(__file__).parents[1] / "notebooks"
# Outputs are put in their places after Markdown is done, which would read what is in them.
_KEPT: dict[str, str] = {}
_NUMBERS = itertools.count()
# A picture from elsewhere, of which the site loads none.
REMOTE_PICTURE = re.compile(r"!\[([^\]]*)\]\(https?://[^)]*\)")
# Terminal colours in the output of a cell.
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def as_markdown(notebook: dict) -> str:
    """A notebook as a page.

    Args:
        notebook: as its file holds it.
    """
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            # Other notebooks are pages beside this one.
            source = re.sub(r"\]\((\d_\w+)\.ipynb\)", r"](\1.md)", source)
            parts.append(REMOTE_PICTURE.sub(r"\1", source))
            continue
        code = f"```python\n{source}\n```"
        if "NTKEXEC_SOURCE" in source:
            # The same in every notebook, and no part of what it tells.
            code = f'??? note "Install what is missing"\n\n{_indented(code)}'
        parts.append(code)
        parts += [_kept(_output(output)) for output in cell["outputs"]]
    return "\n\n".join(parts) + "\n"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.split("\n"))


def _output(output: dict) -> str:
    """The richest form of an output, as HTML."""
    data = output.get("data", {})
    if "text/html" in data:
        return f'<div class="output">{"".join(data["text/html"])}</div>'
    if "image/png" in data:
        picture = "".join(data["image/png"]).replace("\n", "")
        shown = f'<img alt="what the cell above draws" src="data:image/png;base64,{picture}">'
        return f'<div class="output">{shown}</div>'
    text = "".join(output.get("text") or data.get("text/plain", ""))
    return f'<pre class="output">{html.escape(COLOURS.sub("", text))}</pre>'


def _kept(output: str) -> str:
    mark = f"output-of-a-notebook-{next(_NUMBERS)}"
    _KEPT[mark] = output
    return f'<div id="{mark}"></div>'


def on_files(files: object, config: object) -> object:
    """Called by mkdocs with all files of the site: adds a page for every notebook."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        text = as_markdown(json.loads(path.read_text(encoding="utf-8")))
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=text))
    return files


def on_page_content(page_html: str, **_: object) -> str:
    """Called by mkdocs with the content of every page: puts outputs in their places."""
    return re.sub(r'<div id="(output-of-a-notebook-\d+)"></div>', lambda m: _KEPT[m[1]], page_html)
