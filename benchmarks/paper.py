"""The papers' page: carries out the checks that it names, stores the verdicts, and writes the page.

`python -m benchmarks.paper [--scale SCALE]` goes on where it was stopped, as long as version and scale
are the same; `--page` writes the page alone.
"""

import argparse
import json
import math
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import ntkexec
from ntkexec.check import carry_out
from ntkexec.cli import paper
from ntkexec.runtime import files
from ntkexec.vocabulary import SCALES, Scale
from proofs_check import registry

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "paper.md"
INTRODUCTION = """# The papers, line by line

Written by `python -m benchmarks.paper`; `ntkexec paper` prints the same, `ntkexec paper --json` as data.
Each line is a result of a paper, in words of ours, with what checks it here, published numbers beside ours,
and whether our checks held when last stored. What a verdict means is in [what is proven](proofs.md).

**The predecessors' numbers belong to another regime.** The released networks of arXiv:2502.16763 have the
standard parametrisation and one learning rate for all layers, so that the last layer carries 99.8 % of the
kernel. Their published ensemble sizes are those of the last layer's kernel (NNGP), not of the NTK
(`ntkexec check permutation-published permutation-regime`). Only by that kernel can they be compared with
ours: see [other kernels](scope.md#other-kernels).

"""


def named() -> list[str]:
    """The checks that the page names, once each."""
    return list(dict.fromkeys(name for one in paper.results() for name in one.checks))


# Any: plain data of JSON.
def stored(scale: str) -> dict[str, Any]:
    """What an earlier run of this version and scale has stored, or an empty one."""
    fresh = {"version": ntkexec.__version__, "scale": scale, "checks": {}}
    if not paper.RUN.exists():
        return fresh
    found = paper.stored_run()
    return found if all(found[key] == fresh[key] for key in ("version", "scale")) else fresh


def carry_out_missing(scale: Scale, again: bool, chosen: Sequence[str]) -> None:
    """Carries out what is not stored yet, and stores each verdict as it comes.

    Args:
        scale: how much work.
        again: carry out also what is stored.
        chosen: checks; none for all.
    """
    known = registry.checks()
    for name in chosen or named():
        if name in stored(scale)["checks"] and not again:
            continue
        outcome = carry_out(known[name], scale)
        value = outcome.measurement.value
        # Read anew: another process may have stored others meanwhile.
        run = stored(scale)
        run["checks"][name] = {
            "verdict": outcome.verdict,
            "value": value if math.isfinite(value) else None,
            "relation": outcome.check.relation,
            "bound": outcome.check.bound,
        }
        # In the order of the page, and nothing that it no longer names.
        run["checks"] = {one: run["checks"][one] for one in named() if one in run["checks"]}
        files.write(paper.RUN, (json.dumps(run, indent=1) + "\n").encode())
        print(f"{outcome.verdict:<12} {name} ({outcome.seconds:.0f} s)", file=sys.stderr)


def page() -> str:
    """The page, from the table and the stored run."""
    run = paper.stored_run()
    parts = [INTRODUCTION, paper.told(run), ""]
    for one in paper.papers():
        parts += [f"## {one.title}", ""]
        parts += [
            f"{one.authors}, [arXiv:{one.arxiv}](https://arxiv.org/abs/{one.arxiv}), {one.year}; "
        ]
        parts += [f"[code]({one.code}).", "", f"*Read:* {one.read}.", ""]
        parts += [f"*Not read:* {one.unread}.", ""]
        parts += ["| | what | published | ours | our checks | run |", "|" + " --- |" * 6]
        for result in paper.results():
            if result.paper != one.name:
                continue
            commands = "<br>".join(f"`{command}`" for command in result.commands)
            cells = (
                result.kind,
                result.what,
                result.published,
                result.ours,
                result.verdict(run),
                commands,
            )
            parts.append("| " + " | ".join(cells) + " |")
        parts.append("")
    parts += ["## To cite", "", "The papers (the software is in `CITATION.cff`):", ""]
    parts += ["```bibtex", "\n\n".join(one.bibtex for one in paper.papers()), "```", ""]
    return "\n".join(parts)


def main() -> int:
    """Carries out, stores and writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paper", description=__doc__)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help="by default all that are named")
    parser.add_argument("--scale", choices=SCALES, default="quick")
    parser.add_argument("--again", action="store_true", help="carry out also what is stored")
    parser.add_argument("--page", action="store_true", help="write the page from what is stored")
    options = parser.parse_args()
    if not options.page:
        if unknown := set(options.checks) - set(named()):
            parser.error(f"the page names no check {min(unknown)!r}")
        carry_out_missing(options.scale, options.again, options.checks)
    files.write(PAGE, page().encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
