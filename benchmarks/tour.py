"""The README's sample and the times of its tour, measured: every command in a process of its own.

python -m benchmarks.tour          # writes README.md
python -m benchmarks.tour --print  # writes nothing
"""

import argparse
import os
import pathlib
import re
import resource
import shlex
import subprocess
import sys
import tempfile

from benchmarks.forgeries import page
from ntkexec.runtime import files

README = pathlib.Path(__file__).parents[1] / "README.md"
SAMPLE = "<!-- sample: begin -->\n", "<!-- sample: end -->\n"
TOUR = "<!-- tour: begin -->\n", "<!-- tour: end -->\n"
FIRST = "ntkexec run flooding karate --message 1011"
SHOWN_NODES = 3
_COMMAND = re.compile(r"`((?:ntkexec|python -m ntkexec\.\w+) [^`]+)`")


def carried_out(command: str, folder: str) -> tuple[str, float]:
    """What a command prints, and the processor seconds that it takes.

    Args:
        command: as it stands in the README.
        folder: where it is carried out.

    Raises:
        subprocess.CalledProcessError: it does not end with 0.
    """
    words = shlex.split(command)
    argv = words[1:] if words[0] == "python" else ["-m", *words]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = subprocess.run(
        [sys.executable, *argv],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        # What a first run takes, whoever measures.
        env=os.environ | {"NTKEXEC_CACHE": "0"},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.stdout, sum(after[:2]) - sum(before[:2])


def sample(printed: str) -> str:
    """The first command's output as the README shows it: of the nodes only some."""
    facts, nodes, verdict = printed.rstrip().split("\n\n")
    shown = "\n".join(nodes.splitlines()[: 1 + SHOWN_NODES])
    return f"```text\n{facts}\n\n{shown}\n...\n\n{verdict}\n```\n"


def timed(row: str) -> str:
    """A row of the tour with the time of its commands, one after the other, in its third column."""
    cells = row.split(" | ")
    with tempfile.TemporaryDirectory() as folder:
        seconds = [carried_out(command, folder)[1] for command in _COMMAND.findall(row)]
    if seconds:
        cells[2] = f"{sum(seconds):.0f} s" if sum(seconds) >= 1 else "< 1 s"
    return " | ".join(cells)


def main() -> None:
    """Measures, prints, and writes the README."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tour", description=main.__doc__)
    parser.add_argument("--print", action="store_true", dest="printed", help="write no page")
    printed = parser.parse_args().printed
    text = README.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        text = page(text, sample(carried_out(FIRST, folder)[0]), SAMPLE)
    head, rule, *rows = text.partition(TOUR[0])[2].partition(TOUR[1])[0].splitlines()
    lines = [head, rule]
    for row in rows:
        lines.append(timed(row))
        print(lines[-1], flush=True)
    text = page(text, "\n".join(lines) + "\n", TOUR)
    if not printed:
        files.write(README, text.encode("utf-8"))


if __name__ == "__main__":
    main()
