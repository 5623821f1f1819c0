"""`python -m benchmarks [NAME ...] [--json]`: runs benchmarks and prints what they measured."""

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import aims, measure, report

# Those of speed, which `report` writes into docs/performance.md.
SPEED = (
    "step",
    "scale",
    "verify",
    "work",
    "members",
    "roofline",
    "hubs",
    "batch",
    "loading",
    "memo",
    "train",
    "startup",
)
WITH_DATA = "hubs"
NAMES = (*SPEED, "sizes", "exactness", "complexity")


def as_table(rows: list[dict[str, Any]]) -> str:
    """Rows with the same keys as columns of text."""
    cells = [list(rows[0]), *([_cell(v) for v in row.values()] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(c.rjust(w) for c, w in zip(r, widths, strict=True)) for r in cells)


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def as_text(results: dict[str, Any]) -> str:
    """All results as text, rows as tables."""
    parts = []
    for name, result in results.items():
        parts.append(f"\n{name}")
        if "rows" in result:
            parts.append(as_table(result["rows"]))
        parts += [f"{key}: {_cell(value)}" for key, value in result.items() if key != "rows"]
    return "\n".join(parts)


def main() -> int:
    """Runs the named benchmarks, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(NAMES)}; or 'report' for those of speed, written into docs/performance.md, "
        "where with names beside it only their tables are measured anew",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="of files of real graphs, for hubs: power.*, as-22july06.*, luxembourg_osm.*",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    if unknown := set(options.names) - {*NAMES, "report"}:
        parser.error(f"no benchmark {unknown.pop()!r}; there are {', '.join(NAMES)} and report")
    if options.data is not None and not options.data.is_dir():
        parser.error(f"--data {options.data} is not a folder")
    reported = "report" in options.names
    named = [name for name in options.names if name != "report"]
    chosen = named or (SPEED if reported else NAMES)
    if reported and (foreign := set(chosen) - set(SPEED)):
        parser.error(
            f"{foreign.pop()!r} is no table of docs/performance.md; {', '.join(SPEED)} are"
        )
    results: dict[str, Any] = report.measured() if reported and named else {}
    results |= {"machine": measure.machine()}
    for name in chosen:
        print(f"running {name} ...", file=sys.stderr)
        given = {"data": options.data} if name == WITH_DATA else {}
        results[name] = importlib.import_module(f"benchmarks.{name}").run(**given)
    if reported:
        tables = {name: results[name] for name in SPEED}
        results = {"machine": results["machine"], "aims": aims.judged(tables), **tables}
    text = as_text(results)
    print(json.dumps(results, indent=1) if options.json else text)
    if reported:
        for path in report.write(results, text):
            print(f"wrote {path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
