"""Functions that are called like a module beside them, so that one name would mean two things."""

import ast
import pathlib
from collections.abc import Iterator, Mapping


def homonyms(modules: Mapping[str, pathlib.Path]) -> Iterator[str]:
    """A sentence for each function whose name is also that of a module of its package, or its own.

    A package has the functions that it defines and all that it imports, its modules themselves aside:
    once a module is imported it is an attribute of its package, and takes the place of a namesake.
    """
    inside: dict[str, set[str]] = {}
    for name in modules:
        package, _, own = name.rpartition(".")
        inside.setdefault(package, set()).add(own)
    for name, path in modules.items():
        above, _, own = name.rpartition(".")
        is_package = path.name == "__init__.py"
        taken = {own} | inside.get(name if is_package else above, set())
        tree = ast.parse(path.read_text(encoding="utf-8"))
        said = set(_functions(tree))
        if is_package:
            said |= {given for source, given in _imported(tree, name) if source not in modules}
        for found in sorted(said & taken):
            yield f"{name}.{found} is called like a module"


def _functions(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name


def _imported(tree: ast.Module, package: str) -> Iterator[tuple[str, str]]:
    """What a package takes from where, under which name, for types included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, (package if node.level else "", node.module)))
            yield from ((f"{base}.{one.name}", one.asname or one.name) for one in node.names)
