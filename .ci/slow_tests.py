"""Runs the slow tests that a change touches, the nearest first, for so many minutes; says what it left out.

    python3 .ci/slow_tests.py [--minutes 5] [--all] [--list] [BASE]

A test file is touched by a change if it, or what it imports, or what that imports, has changed since
BASE: the commit where this branch left the main one, and on that one the last commit. Needs nothing
but Python, git, and pytest to run them.
"""

import argparse
import ast
import functools
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Where modules are, and what their names begin with there.
PLACES = {".": ("ntkexec", "proofs_check", "experiments", "benchmarks"), "tests": ("support",)}
AREAS = ("graphs", "vision", "language", "systems")
# Carried out by themselves: see `run`.
ELSEWHERE = frozenset({"tests/architecture/test_notebooks.py"})
# Runs every port's tiny studies, which it finds by their folders: no import tells which it needs.
PORTS = "tests/experiments/test_conformity.py"
NOTHING_COLLECTED = 5


def modules(root: pathlib.Path) -> dict[str, pathlib.Path]:
    """Files of the modules, and of the tests by their paths."""
    found = {}
    for place, packages in PLACES.items():
        for path in (p for package in packages for p in (root / place / package).rglob("*.py")):
            parts = path.relative_to(root / place).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    tests = (root / "tests").rglob("*.py")
    known = set(found.values())
    return found | {p.relative_to(root).as_posix(): p for p in tests if p not in known}


def imports(name: str, path: pathlib.Path, known: Iterable[str]) -> set[str]:
    """Modules that a module names: in imports anywhere in it, and in strings, as lazy ones do."""
    known, found = set(known), set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        said: list[str] = []
        if isinstance(node, ast.Import):
            said = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            around = package.split(".")
            base = around[: len(around) + 1 - node.level] if node.level else []
            base = [*base, *([node.module] if node.module else [])]
            said = [".".join([*base, alias.name]) for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            said = [word for word in re.split(r"[^\w.]+", node.value) if "." in word]
            if path.name == "__init__.py":  # tables of names that are taken when somebody asks
                said += [f"{package}.{node.value}"]
        for one in said:
            while one and one not in known:
                one = one.rpartition(".")[0]
            found |= {one} - {"", name}
    # What pytest reads before a test.
    settings = {one for one in known if one.endswith("/conftest.py")} - {name}
    found |= {one for one in settings if name.startswith(one.removesuffix("conftest.py"))}
    return found


@functools.cache
def graph_of(root: pathlib.Path) -> tuple[dict[str, pathlib.Path], dict[str, set[str]]]:
    """Files of the modules and tests, and which others each imports; read once."""
    files = modules(root)
    return files, {name: imports(name, path, files) for name, path in files.items()}


def distances(changed: set[str], graph: Mapping[str, set[str]]) -> dict[str, int]:
    """How many imports lie between what has changed and each module that is touched by it."""
    importers: dict[str, set[str]] = {}
    for one, named in graph.items():
        for other in named:
            importers.setdefault(other, set()).add(one)
    found = dict.fromkeys(changed & graph.keys(), 0)
    last = list(found)
    while last:
        following = {one for name in last for one in importers.get(name, ())} - found.keys()
        found |= dict.fromkeys(following, found[last[0]] + 1)
        last = list(following)
    return found


def names_of(path: str, files: Mapping[str, pathlib.Path], root: pathlib.Path) -> set[str]:
    """What a changed file stands for: its module; the modules beside it; tests that speak of it."""
    whole = root / path
    own = {name for name, file in files.items() if file == whole}
    if own or path.endswith(".py"):  # a module that is gone has importers that have changed
        return own
    beside = {name for name, file in files.items() if file.parent == whole.parent}
    words = {path.split("/")[0], whole.name}
    tests = {name for name in files if name.startswith("tests/")}
    speak = {n for n in tests if any(f'"{word}"' in files[n].read_text() for word in words)}
    return beside | speak


def is_slow(path: pathlib.Path) -> bool:
    """Whether a test file has slow tests."""
    return path.name.startswith("test_") and "mark.slow" in path.read_text(encoding="utf-8")


def reached(changed: Iterable[str], root: pathlib.Path = ROOT) -> dict[str, int]:
    """How far every module and test is that a change of some files touches."""
    files, graph = graph_of(root)
    start = {name for path in changed for name in names_of(path, files, root)}
    return distances(start, graph)


def touched(changed: Iterable[str], root: pathlib.Path = ROOT) -> list[str]:
    """Test files with slow tests that a change of some files touches, the nearest first."""
    found, files = reached(changed, root), graph_of(root)[0]
    slow = [n for n in found if n.startswith("tests/") and is_slow(files[n]) and n not in ELSEWHERE]
    if touched_ports(found) and PORTS not in slow and PORTS in files:
        slow.append(PORTS)
    return sorted(slow, key=lambda name: (found.get(name, 0), name))


def touched_ports(found: Iterable[str]) -> list[str]:
    """Slugs of the ports of papers that are among some modules."""
    parts = (name.split(".") for name in found if name.startswith("experiments."))
    inner = {p[2] for p in parts if len(p) > 2 and p[1] in AREAS}
    return sorted(name.replace("_", "-") for name in inner)


def all_slow(root: pathlib.Path = ROOT) -> list[str]:
    """All test files with slow tests."""
    files, _ = graph_of(root)
    return sorted(n for n, p in files.items() if is_slow(p) and n not in ELSEWHERE)


def git(*words: str) -> str:
    """What git says, or nothing where it fails: there may be no history."""
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def base_commit() -> str:
    """Where this branch left the main one; on that one, the commit before; nothing without history."""
    head = git("rev-parse", "HEAD")
    for main in ("origin/main", "origin/master", "main", "master"):
        commit = git("merge-base", "HEAD", main)
        if commit and commit != head:
            return commit
    return git("rev-parse", "HEAD~1")


def changed_since(commit: str) -> list[str]:
    """Files that differ from a commit, new and unsaved ones included."""
    found = git("diff", "--name-only", commit), git("ls-files", "--others", "--exclude-standard")
    return sorted({line for text in found for line in text.splitlines()})


def main() -> int:
    """The command; 1 if a test failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("base", nargs="?", help="the commit to compare with")
    parser.add_argument(
        "--minutes", type=float, default=5, help="none begins or goes on after them"
    )
    parser.add_argument("--all", action="store_true", help="whatever has changed")
    parser.add_argument("--list", action="store_true", help="name them, and run none")
    options = parser.parse_args()
    base = options.base or base_commit()
    every = all_slow()
    changed = None if options.all or not base else changed_since(base)
    chosen = every if changed is None else touched(changed)
    ports = [] if changed is None else touched_ports(reached(changed))
    why = "all" if chosen == every else f"touched since {base[:10]}"
    print(f"slow tests: {len(chosen)} of {len(every)} files ({why})", flush=True)
    if options.list:
        print(*chosen, sep="\n")
        return 0
    end, failed, left = time.monotonic() + 60 * options.minutes, [], []
    for name in chosen:
        seconds = end - time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", "-m", "slow", name]
        command += ["-k", " or ".join(ports)] if name == PORTS and ports else []
        try:
            if seconds <= 0:
                raise subprocess.TimeoutExpired(command, 0)
            status = subprocess.run(command, cwd=ROOT, timeout=seconds, check=False).returncode
        except subprocess.TimeoutExpired:
            left.append(name)
        else:
            failed += [name] if status not in (0, NOTHING_COLLECTED) else []
    if left:
        print(f"left out or broken off after {options.minutes:g} minutes: {', '.join(left)}")
    if failed:
        print(f"failed: {', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
