"""A module's definitions by name, what it imports, and the statements that run when it is loaded."""

import ast
import dataclasses
import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class Code:
    """A module of ours as it is written.

    Args:
        definitions: by name, the statements that define it and do nothing else.
        imports: by name, what imports bind to it: (module, name), the name empty for the module itself.
        always: the statements that do more, whatever of the module is used.
        bound: names that those bind.
    """

    definitions: dict[str, tuple[ast.stmt, ...]]
    imports: dict[str, tuple[tuple[str, str], ...]]
    always: tuple[ast.stmt, ...]
    bound: frozenset[str]


def code_of(module: str, root: str) -> Code:
    """The code of a module, of which calls to what lies in `root` count as doing more.

    Raises:
        ExperimentError: there is no such module, or it imports relatively or by a star.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ExperimentError(f"there is no module {module}")
    return _parsed(module, root, Path(spec.origin).read_bytes())


@functools.cache  # by the code itself, since studies share modules
def _parsed(module: str, root: str, source: bytes) -> Code:
    tree = ast.parse(source)
    _Bare().visit(tree)
    imports: dict[str, tuple[tuple[str, str], ...]] = {}
    for bound, origin in _bindings(module, tree, root):
        imports[bound] = (*imports.get(bound, ()), origin)
    definitions: dict[str, tuple[ast.stmt, ...]] = {}
    always: list[ast.stmt] = []
    for node in _at_top(tree.body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = _defined(node)
        if not names:
            always.append(node)
        for name in names:
            definitions[name] = (*definitions.get(name, ()), node)
    code = Code(definitions, imports, tuple(always), frozenset(_stored(always)))
    # Names such as __all__ are the package's own, which lists in it what it would load.
    defining = {
        id(node): node
        for name, nodes in definitions.items()
        for node in nodes
        if not name.startswith("__")
    }
    acting = [
        node
        for node in defining.values()
        if any(_acts(code, part, root) for part in _on_loading(node))
    ]
    # As is a name bound by `:=` in passing.
    bound = code.bound | frozenset(_stored(acting))
    return dataclasses.replace(code, always=(*always, *acting), bound=bound)


def _at_top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module that are run: of what is for type checkers alone, the other branch."""
    for node in body:
        if isinstance(node, ast.If) and _start(node.test) == "TYPE_CHECKING":
            yield from _at_top(node.orelse)
        else:
            yield node


def _stored(nodes: list[ast.stmt]) -> Iterator[str]:
    """Names that statements bind in passing: by loops, `with`, branches, `:=`."""
    for top in nodes:
        for node in ast.walk(top):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield node.name


def _on_loading(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Expressions that loading a definition evaluates, with what becomes of each."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield from (("called", part) for part in node.decorator_list)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        defaults = [*node.args.defaults, *node.args.kw_defaults]
        yield from (("value", part) for part in defaults if part is not None)
    elif isinstance(node, ast.ClassDef):
        yield from (("base", part) for part in node.bases)
        yield from (("base", keyword.value) for keyword in node.keywords)
        for inner in node.body:
            yield from _on_loading(inner)
    elif isinstance(node, ast.stmt):
        yield from (("value", part) for part in ast.iter_child_nodes(node) if _is_value(part))


def _is_value(node: ast.AST) -> bool:
    return isinstance(node, ast.expr) and not isinstance(node, ast.Name | ast.Lambda)


def _acts(code: Code, evaluated: tuple[str, ast.expr], root: str) -> bool:
    """Whether an expression may change something else: it calls a function or a table of ours."""
    use, expression = evaluated
    if use == "called":
        return _is_ours(code, _start(expression), root)
    if use == "base":
        return _registers(code, _start(expression), root)
    for node in ast.walk(expression):
        if isinstance(node, ast.Call):
            start = _start(node.func)
            if isinstance(node.func, ast.Attribute) and _is_ours(code, start, root):
                return True
            # To make an object of a class of ours changes nothing else.
            function = isinstance(node.func, ast.Name) and not start[:1].isupper()
            if function and _is_ours(code, start, root):
                return True
        elif isinstance(node, ast.NamedExpr):
            return True
    return False


def _is_ours(code: Code, name: str, root: str) -> bool:
    """Whether a name is defined here, or imported from code that is followed."""
    origins = code.imports.get(name, ())
    return name in code.definitions or any(source.split(".")[0] == root for source, _ in origins)


def _registers(code: Code, name: str, root: str) -> bool:
    """Whether a base, or a metaclass, does something when a class is made of it, or may."""
    for source, found in code.imports.get(name, ()):
        ours = source.split(".")[0] == root and not is_module(f"{source}.{found}")
        if ours and _registers(code_of(source, root), found, root):
            return True
    for node in code.definitions.get(name, ()):
        if isinstance(node, ast.ClassDef):
            bases = [_start(base) for base in (*node.bases, *(k.value for k in node.keywords))]
            names = {getattr(inner, "name", "") for inner in node.body}
            if "__init_subclass__" in names or "type" in bases:
                return True
            if any(base != name and _registers(code, base, root) for base in bases):
                return True
    return False


def _bindings(module: str, tree: ast.AST, root: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """What every import of a module, wherever it stands, binds: (source, name), name empty for all."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                source, _, name = alias.name.rpartition(".")
                if alias.asname:
                    yield alias.asname, ((source, name) if source else (name, ""))
                    continue
                top = alias.name.split(".")[0]
                yield top, (top, "")
                if source:  # loaded, and reached through the first name
                    yield alias.name, (source, name)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ExperimentError(f"{module} imports relatively; name the module in full")
            for alias in node.names:
                if alias.name == "*" and str(node.module).split(".")[0] == root:
                    raise ExperimentError(
                        f"{module} imports everything of {node.module}; name what it uses"
                    )
                yield alias.asname or alias.name, (str(node.module), alias.name)


def _defined(node: ast.stmt) -> list[str]:
    """Names that a statement defines and does nothing else."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.AnnAssign):
        return [node.target.id] if isinstance(node.target, ast.Name) else []
    if isinstance(node, ast.Assign):
        targets = [t for target in node.targets for t in getattr(target, "elts", [target])]
        if all(isinstance(target, ast.Name) for target in targets):
            return [target.id for target in targets]
    return []


def _start(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def is_module(name: str) -> bool:
    """Whether a dotted name is that of a module or package."""
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _by_type(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether annotations compute something: `@f.register` of single dispatch calls by them."""
    return any(getattr(one, "attr", "") == "register" for one in node.decorator_list)


class _Bare(ast.NodeTransformer):
    """Takes away what computes nothing: docstrings and annotations of functions."""

    def visit(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _by_type(node):
            node.returns = None
            for arg in ast.walk(node.args):
                if isinstance(arg, ast.arg):
                    arg.annotation = None
        return node
