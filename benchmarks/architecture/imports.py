"""Who imports whom, read from the sources: anywhere in a module, also by name, without running it."""

import ast
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import networkx as nx

# What takes a module by its name.
LOADERS = frozenset({"import_module", "__import__", "find_spec", "resolve_name", "run_module"})
# A module, or something in it, as strings name them: `ntkexec.cli:main`.
DOTTED = re.compile(r"[A-Za-z_]\w*(\.\w+)+(:\w+)?")


class Import(NamedTuple):
    """That a module imports another one, or names it.

    importer, imported: modules, as they are imported.
    line: where.
    """

    importer: str
    imported: str
    line: int


def modules_of(root: pathlib.Path, packages: Sequence[str]) -> dict[str, pathlib.Path]:
    """Every module of some packages with its file; a package has its `__init__`."""
    found = {}
    for path in sorted(p for name in packages for p in (root / name).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(modules: Mapping[str, pathlib.Path]) -> tuple[Import, ...]:
    """What the modules import of each other: at the top, in functions, for types only, by name.

    By name are strings such as `ntkexec.cli`, wherever they stand, and in a module that loads others
    by names which it computes, every string that could be one: absolute, relative to its package, or
    after the beginning that the call writes out.
    """
    return tuple(
        sorted({found for name in modules for found in _imports(name, modules) if found[1] != name})
    )


def import_graph(modules: Mapping[str, pathlib.Path], imports: Sequence[Import]) -> nx.DiGraph:
    """The modules, and what is executed when one is imported, packages on the way included.

    Args:
        modules: with their files.
        imports: what they import of each other, of `imports_of`.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(modules)
    for importer, imported, _ in imports:
        # The packages around a module are there when it runs; those around another one come first.
        around = {*_packages_around(imported)} - {*_packages_around(importer), importer}
        graph.add_edges_from((importer, one) for one in (imported, *around))
    return graph


def _packages_around(module: str) -> Iterator[str]:
    while module := module.rpartition(".")[0]:
        yield module


def _imports(name: str, modules: Mapping[str, pathlib.Path]) -> Iterator[Import]:
    # Walked once: there are a million of them.
    nodes = tuple(ast.walk(ast.parse(modules[name].read_text(encoding="utf-8"))))
    package = name if modules[name].name == "__init__.py" else name.rpartition(".")[0]
    strings = _strings(nodes)
    for said, line in _statements(nodes, package):
        if found := _nearest(said, modules):
            yield Import(name, found, line)
    for said, line in strings:
        found = _nearest(said.replace(":", "."), modules) if DOTTED.fullmatch(said) else None
        if found and "." in found:
            yield Import(name, found, line)
    for said, line in _loaded(nodes, strings, package):
        if said in modules:
            yield Import(name, said, line)


def _nearest(said: str, modules: Mapping[str, pathlib.Path]) -> str | None:
    """The module that is named, or in which something is."""
    return next((one for one in (said, *_packages_around(said)) if one in modules), None)


def _statements(nodes: Sequence[ast.AST], package: str) -> Iterator[tuple[str, int]]:
    """What `import` and `from` name."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            around = package.split(".")
            up = around[: len(around) + 1 - node.level] if node.level else []
            base = [*up, node.module] if node.module else up
            yield from ((".".join([*base, alias.name]), node.lineno) for alias in node.names)


def _strings(nodes: Sequence[ast.AST]) -> list[tuple[str, int]]:
    """All strings but docstrings."""
    prose = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    return [
        (node.value, node.lineno)
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    ]


def _loaded(
    nodes: Sequence[ast.AST], strings: Sequence[tuple[str, int]], package: str
) -> Iterator[tuple[str, int]]:
    """What calls of `LOADERS` may name, under whatever name these were imported."""
    names = LOADERS | {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in LOADERS
    }
    begins: set[str] = set()
    for node in nodes:
        if not isinstance(node, ast.Call):
            continue
        called, named = node.func, [one.value for one in node.keywords if one.arg == "name"]
        by = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        for said in [*node.args, *named][:1] if by in names else []:
            if isinstance(said, ast.Constant):
                yield _absolute(str(said.value), package), node.lineno
            else:
                begins |= {"", f"{package}."}
            if isinstance(said, ast.JoinedStr) and isinstance(said.values[0], ast.Constant):
                begins.add(begin := str(said.values[0].value))
                if begin != package.split(".")[0] + ".":  # which may be any of its own
                    yield begin.rstrip("."), node.lineno
    for begin in begins:
        yield from ((begin + text.lstrip("."), line) for text, line in strings if text)


def _absolute(said: str, package: str) -> str:
    return f"{package}{said}" if said.startswith(".") else said
