"""How every notebook opens: a badge for Colab, and a cell that installs what is missing.

The public address of the repository is one line of pyproject.toml, `Repository` under
`[project.urls]`. `python -m benchmarks.notebooks --repository https://github.com/OWNER/NAME` fills it in;
while there is none, badges lead to Colab alone and the cell says how to go on.
"""

import pathlib
import re
import tomllib

ROOT = pathlib.Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
COLAB = "https://colab.research.google.com"
# What a repository's address looks like; Colab opens notebooks of GitHub only.
GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?")
EXTRAS = {"5_the_other_papers": "experiments"}
"""By notebook what it needs beyond `plots`."""

BASE = ("ntkexec", "jax", "flax", "optax", "jraph", "jaxtyping", "safetensors")
# Modules without which an extra is not there.
NEEDED = {"plots": ("matplotlib",), "experiments": ("matplotlib", "sklearn", "pymoo", "PIL")}


def notebooks() -> list[pathlib.Path]:
    """The files, in their order."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def address(pyproject: str) -> str | None:
    """The repository's, of the text of pyproject.toml; None while none is known.

    Raises:
        ValueError: Colab cannot open it.
    """
    found = tomllib.loads(pyproject)["project"].get("urls", {}).get("Repository")
    if found is not None and not GITHUB.fullmatch(found):
        raise ValueError(f"Colab opens https://github.com/OWNER/NAME, not {found!r}")
    return found


def with_address(pyproject: str, repository: str) -> str:
    """The text of pyproject.toml with the repository's address.

    Raises:
        ValueError: Colab cannot open it.
    """
    line = f'Repository = "{repository}"\n'
    if address(pyproject) is not None:
        text = re.sub(r'^Repository = ".*"\n', line, pyproject, flags=re.MULTILINE)
    else:
        text = pyproject.replace(
            "[project.scripts]\n", f"[project.urls]\n{line}\n[project.scripts]\n"
        )
    address(text)
    return text


def badge(name: str, repository: str | None) -> str:
    """The badge of a notebook, in Markdown.

    Args:
        name: of the file, without its suffix.
        repository: its address, if it has one.
    """
    image = f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]"
    if repository is None:
        return f"{image}({COLAB}) To open it there, upload this file; the cell below says what else it needs."
    owner_and_name = GITHUB.fullmatch(repository)
    assert owner_and_name is not None
    return f"{image}({COLAB}/github/{owner_and_name[1]}/blob/main/notebooks/{name}.ipynb)"


INSTALL = """\
# Installs ntkexec where it is missing: from the clone that this notebook lies in or beside, else from
# SOURCE, a folder, a wheel or an address that pip knows. It is on no package index.
import importlib.util
import os
import pathlib
import subprocess
import sys

SOURCE = os.environ.get("NTKEXEC_SOURCE", "<SOURCE>")
EXTRA = "<EXTRA>"
NEEDED = "<NEEDED>"


def is_missing(name):
    spec = importlib.util.find_spec(name)
    # A mere folder of that name, such as a clone, is no package.
    return spec is None or spec.origin is None


if any(map(is_missing, NEEDED.split())):
    found = sorted(map(str, pathlib.Path.cwd().glob("ntkexec-*.whl")), reverse=True)
    for folder in map(pathlib.Path, (".", "..", "ntkexec")):
        about = folder / "pyproject.toml"
        if about.exists() and 'name = "ntkexec"' in about.read_text():
            found.append(str(folder.resolve()))
    found += [SOURCE] if SOURCE else []
    if not found:
        raise FileNotFoundError(
            "ntkexec is not here: upload its clone as a folder 'ntkexec', or a file ntkexec-*.whl (made by "
            "'python -m pip wheel --no-deps .' in a clone), or set SOURCE to its repository, 'git+https://...'"
        )
    wanted = f"ntkexec[{EXTRA}] @ {found[0]}" if "://" in found[0] else f"{found[0]}[{EXTRA}]"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", wanted], check=True)
    importlib.invalidate_caches()"""


def install_cell(name: str, repository: str | None) -> str:
    """The source of a notebook's first code cell; arguments as for `badge`."""
    extra = EXTRAS.get(name, "plots")
    source = "" if repository is None else f"git+{repository}"
    needed = " ".join((*BASE, *NEEDED[extra]))
    text = INSTALL.replace("<SOURCE>", source).replace("<EXTRA>", extra)
    return text.replace("<NEEDED>", needed)
