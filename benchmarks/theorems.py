"""The theorems: each proved, verified, and put into the table of docs/theorems.md.

`python -m benchmarks.theorems [NAME ...]` proves those of these programs, by default all, and keeps what
it measured in docs/theorems.json, from which the table is written. `--sizes small` leaves out those of
degree 4.
"""

import argparse
import hashlib
import json
import pathlib
import tempfile
import time
from typing import Any, NamedTuple

from benchmarks import forgeries
from ntkexec.prove import making, subject
from ntkexec.recheck.theorem import verification
from ntkexec.runtime import files

DOCS = pathlib.Path(__file__).parents[1] / "docs"
PAGE, RECORDS = DOCS / "theorems.md", DOCS / "theorems.json"
MARKS = "<!-- theorems: begin -->\n", "<!-- theorems: end -->\n"
GRAPHS = ({"degree": 2, "word": 4}, {"degree": 3, "word": 4}, {"degree": 4, "word": 8})
# Of LOCAL algorithms with words: the longest of which the tables are small enough.
LOCAL = {
    **{
        name: {"word": 3}
        for name in ("leader-election", "components", "eccentricity", "cole-vishkin")
    },
    **{name: {"word": 4} for name in ("neighbourhood-size", "triangles")},
    "spanning-tree": {"word": 2},
    **{
        name: {}
        for name in ("bipartite", "greedy-colouring", "independent-set", "rule-110", "life")
    },
}
LARGE = 4


class Asked(NamedTuple):
    """A theorem of the table.

    program: by the name that the command line takes.
    sizes: those that a user gives.
    """

    program: str
    sizes: dict[str, int]

    @property
    def command(self) -> str:
        """What proves it."""
        sizes = "".join(f" --{name.replace('_', '-')} {size}" for name, size in self.sizes.items())
        return f"ntkexec prove {self.program}{sizes} --out theorem"


THEOREMS = [
    *(
        Asked(name, dict(sizes))
        for name in ("flooding", "bfs", "bfs-queue", "dfs", "dfs-forest", "bellman-ford")
        for sizes in GRAPHS
    ),
    *(
        Asked(name, {"degree": 3, "word": word})
        for name in ("flooding-split", "bfs-split")
        for word in (4, 8)
    ),
    *(Asked(name, {"degree": 2} | sizes) for name, sizes in LOCAL.items()),
    *(Asked(name, {"word": word}) for name in ("permute", "add", "multiply") for word in (4, 8)),
    Asked("sbn", {"word": 3}),
]


def record(asked: Asked) -> dict[str, Any]:
    """What a theorem came to, proved and verified, with seconds of the processor."""
    with tempfile.TemporaryDirectory() as there:
        folder, start = pathlib.Path(there) / "theorem", time.process_time()
        made = making.make(subject.asked_for(asked.program, **asked.sizes), folder)
        proved = time.process_time()
        verification.verify(folder, None)
        checking = time.process_time() - proved
    # Whatever is proved was verified already, before it was stored.
    proving, data = proved - start - checking, made.to_data()
    formulas = "\n".join(entry["formula"] for entry in data["obligations"])
    names = dict.fromkeys(entry["name"] for entry in data["obligations"])
    return {
        "command": asked.command,
        "program": asked.program,
        "sizes": data["sizes"],
        "sentence": data["sentence"],
        "scope": data["scope"],
        "obligations": list(names),
        "proofs": len(data["obligations"]),
        "clauses": data["clauses"],
        "steps": data["steps"],
        "bytes": data["proof_bytes"],
        "proving": round(proving, 2),
        "checking": round(checking, 2),
        "digest": data["program"],
        "formulas": hashlib.sha256(formulas.encode()).hexdigest(),
    }


def table(records: list[dict[str, Any]]) -> str:
    """The records in Markdown: what was claimed, and a row for each of its sizes."""
    lines = []
    for program in dict.fromkeys(one["program"] for one in records):
        own = [one for one in records if one["program"] == program]
        last = own[-1]
        lines += [
            f"### {program}",
            "",
            last["sentence"],
            "",
            *(f"- {line}" for line in last["scope"]),
            "",
            "| sizes | obligations | proofs | clauses | proof steps | proofs, kB | proved, CPU s | "
            "verified, CPU s | program | formulas |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        ]
        for one in own:
            sizes = ", ".join(f"{name} {size}" for name, size in one["sizes"].items())
            cells = (
                sizes,
                f"{len(one['obligations'])}",
                f"{one['proofs']:,}",
                f"{one['clauses']:,}",
                f"{one['steps']:,}",
                f"{one['bytes'] / 1e3:,.0f}",
                f"{one['proving']:.1f}",
                f"{one['checking']:.1f}",
                f"`{one['digest'][:12]}`",
                f"`{one['formulas'][:12]}`",
            )
            lines.append(f"| {' | '.join(cells)} |")
        lines += ["", f"Obligations: {', '.join(last['obligations'])}. `{last['command']}`", ""]
    return "\n".join(lines)


def stored() -> dict[str, dict[str, Any]]:
    """What was measured before, by command."""
    if not RECORDS.exists():
        return {}
    return {one["command"]: one for one in json.loads(RECORDS.read_text(encoding="utf-8"))}


def main() -> None:
    """Proves, measures and writes the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("programs", nargs="*", metavar="NAME", help="all by default")
    parser.add_argument("--sizes", choices=["small", "all"], default="all")
    options = parser.parse_args()
    known = {asked.program for asked in THEOREMS}
    if unknown := set(options.programs) - known:
        parser.error(f"no theorem about {unknown.pop()!r}; there are {', '.join(sorted(known))}")
    found = stored()
    for asked in sorted(THEOREMS, key=lambda one: one.sizes.get("degree", 0) >= LARGE):
        large = options.sizes == "small" and asked.sizes.get("degree", 0) >= LARGE
        if asked.program not in (options.programs or known) or large:
            continue
        found[asked.command] = record(asked)
        print(json.dumps(found[asked.command]), flush=True)
        write([found[one.command] for one in THEOREMS if one.command in found])


def write(records: list[dict[str, Any]]) -> None:
    """Keeps the records, and writes the table that they make."""
    files.write(RECORDS, (json.dumps(records, indent=1) + "\n").encode())
    text = forgeries.page(PAGE.read_text(encoding="utf-8"), table(records), MARKS)
    files.write(PAGE, text.encode())


if __name__ == "__main__":
    main()
