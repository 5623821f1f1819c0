"""The checker verifies what is so, and nothing that a forger hands over."""

import ast
import io
import json
import shutil
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

from benchmarks.forgeries import KINDS
from ntkexec.recheck import command, reading
from ntkexec.recheck.command import main

CHECKER = Path(command.__file__).parent


# What it is made of.


def test_what_is_not_there_cannot_be_read(tmp_path, capsys):
    """Status 2, and words of its own, for a folder and for a certificate."""
    nowhere = tmp_path / "nowhere"
    for arguments in ([str(nowhere)], [str(nowhere), str(tmp_path)], [str(tmp_path)]):
        assert main(arguments) == 2
        out, err = capsys.readouterr()
        assert not out
        assert err.startswith(f"recheck: there is no {tmp_path}")
        assert err.count("\n") == 1
        assert "Errno" not in err


def test_it_works_alone_and_imports_nothing_of_ours(bundle, folder, tmp_path):
    path = bundle.write(folder)
    shutil.copytree(CHECKER, tmp_path / "checker", ignore=shutil.ignore_patterns("__pycache__"))
    script = (
        "import sys; sys.modules['ntkexec'] = sys.modules['jax'] = None;"
        f"sys.path.insert(0, {str(tmp_path)!r}); from checker.command import main;"
        "sys.exit(main(sys.argv[1:]) or main(['example']))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(path), str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("VERIFIED")
    assert "\nTHEOREM about the program, bfs" in run.stdout
    for module in CHECKER.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            else:
                continue
            for name in names:
                top = name.split(".")[0]
                assert top in ("numpy", "safetensors") or top in sys.stdlib_module_names


@pytest.mark.parametrize(("part", "most"), [(".", 550), ("theorem", 650)])
def test_it_is_short_enough_to_be_read(part, most):
    """Lines of code: blank lines, comments and docstrings aside; and what theorems say."""
    assert sum(map(lines_of_code, (CHECKER / part).glob("*.py"))) < most


def lines_of_code(module):
    source = module.read_text()
    documentation = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node)
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    silent = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT)
    code = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in (*silent, tokenize.DEDENT, tokenize.ENDMARKER)
    }
    return len(code - documentation)


# What it says.


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=() if kind in ("factored", "joint") else pytest.mark.slow)
        for kind in KINDS
    ],
)
def test_honest_certificates_are_verified_in_words_that_follow_from_them(
    cases, kind, folder, capsys
):
    case = cases(kind)
    path = case.bundle.copy().write(folder)
    assert main([str(path), str(folder)]) == 0
    line, digests = capsys.readouterr().out.splitlines()
    proof = case.bundle.proof
    assert line == f"VERIFIED: {proof['decisions']:,} decisions; {proof['claim']}"
    if kind == "joint":
        (run,) = case.executions
        assert (
            f"EXACT on an execution (nodes: 3, directed edges: 4, steps: {run.num_steps})" in line
        )
    else:
        assert "EXACT on every graph with degree at most 2 and at most 4 colours" in line
    assert digests == f"program {proof['program']['digest']}, ensemble {proof['ensemble']}"


def test_it_says_what_it_cannot_read(tmp_path, capsys):
    assert main([]) == 2
    for content in (b"[", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"a": 1, "a": 1}'):
        (tmp_path / "c.json").write_bytes(content)
        assert main([str(tmp_path / "c.json"), str(tmp_path)]) in (1, 2)
    assert main([str(tmp_path / "none.json"), str(tmp_path)]) == 2
    assert main(["/dev/zero", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert "Traceback" not in shown.out + shown.err


def test_the_words_of_strangers_are_shown_in_one_short_line(bundle, folder, capsys):
    bundle.manifest["files"][0]["name"] = "\x1b[2J\n" + "x" * 10_000
    bundle.proof["ensemble"] = reading.hashlib.sha256(
        json.dumps(bundle.manifest, indent=1, sort_keys=True).encode() + b"\n"
    ).hexdigest()
    path = bundle.write(folder)
    assert main([str(path), str(folder)]) == 1
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert shown.count("\n") == 1
    assert len(shown) < 400
