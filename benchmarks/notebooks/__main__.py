"""`python -m benchmarks.notebooks`: writes the first cells, executes the notebooks, stores their outputs."""

import argparse

import nbformat

from benchmarks.notebooks import opening, storing


def main(argv: list[str] | None = None) -> int:
    """Writes the notebooks; the exit status is 1 if one of them cannot be stored as it is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.notebooks", description=__doc__)
    parser.add_argument("names", nargs="*", help="beginnings of files, such as 1_; all by default")
    parser.add_argument("--repository", help="its public address, https://github.com/OWNER/NAME")
    parser.add_argument("--no-execute", action="store_true", help="write the first cells alone")
    asked = parser.parse_args(argv)
    pyproject = opening.ROOT / "pyproject.toml"
    if asked.repository:
        pyproject.write_text(opening.with_address(pyproject.read_text(), asked.repository))
    repository = opening.address(pyproject.read_text())
    failed = False
    for path in opening.notebooks():
        if asked.names and not any(path.name.startswith(name) for name in asked.names):
            continue
        notebook = storing.opened(nbformat.read(path, 4), path.stem, repository)
        if not asked.no_execute:
            storing.executed(notebook, path.parent)
        text = nbformat.writes(notebook) + "\n"
        path.write_text(text, encoding="utf-8")
        problems = storing.complaints(notebook, len(text.encode()))
        failed |= bool(problems)
        print(
            f"{path.name}: {'; '.join(problems) or f'stored, {len(text.encode()):,} bytes'}",
            flush=True,
        )
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
