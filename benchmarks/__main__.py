"""`python -m benchmarks [NAME ...] [--json]`: runs benchmarks and prints what they measured."""

import argparse
import importlib
import json
import sys
from typing import Any

from benchmarks import measure

# Those of speed, which `report` writes into docs/performance.md.
SPEED = ("step", "scale", "work", "roofline", "batch", "memo", "train", "startup")
NAMES = (*SPEED, "sizes", "exactness")


def as_table(rows: list[dict[str, Any]]) -> str:
    """Rows with the same keys as columns of text."""
    cells = [list(rows[0]), *([_cell(v) for v in row.values()] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(c.rjust(w) for c, w in zip(r, widths, strict=True)) for r in cells)


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> int:
    """Runs the named benchmarks, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no benchmark {unknown.pop()!r}; there are {', '.join(NAMES)}")
    results: dict[str, Any] = {"machine": measure.machine()}
    for name in options.names or NAMES:
        print(f"running {name} ...", file=sys.stderr)
        results[name] = importlib.import_module(f"benchmarks.{name}").run()
    if options.json:
        print(json.dumps(results, indent=1))
        return 0
    for name, result in results.items():
        print(f"\n{name}")
        if "rows" in result:
            print(as_table(result["rows"]))
            result = {key: value for key, value in result.items() if key != "rows"}
        for key, value in result.items():
            print(f"{key}: {_cell(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
