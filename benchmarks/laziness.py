"""How lazy a network must be: numbers of networks against the weights' standard deviation.

`python -m benchmarks.laziness` measures, draws the picture and writes the table of docs/bench.md.
"""

import pathlib

from benchmarks.forgeries import page
from ntkexec.complexity import Sweep, random_executions, sweep, variants
from ntkexec.plots import complexity, style
from ntkexec.runtime import files

DOCS = pathlib.Path(__file__).parents[1] / "docs"
PAGE, PICTURE = DOCS / "bench.md", DOCS / "images" / "complexity-weight-std.png"
MARKS = "<!-- lazy: begin -->\n", "<!-- lazy: end -->\n"
WEIGHT_STDS = (0.5, 1.0, 2.0, 4.0)


def measured() -> Sweep:
    """Joint flooding at D = 2 and words of one bit, thresholds by bit."""
    return sweep(
        random_executions("flooding", [2], [1], num_graphs=30, nodes=(5, 12), seed=0),
        of=variants(["joint"], [0], ["gaussian"], WEIGHT_STDS, [1]),
        thresholds=["bit"],
        repeat=20,
    )


def table(found: Sweep) -> str:
    """The studies in Markdown."""
    names = ("threshold", "weight_std", "n0", "m", "noise_ratio", "lower", "median", "union")
    lines = [
        "| thresholds | weight_std | n0 | m | sigma^2 / mu^2 | lower | N measured (median of "
        f"{len(found.studies[0].stable)}) | union | certificate |",
        "|" + " --- |" * (len(names) + 1),
    ]
    for row in found.rows():
        cells = [
            f"{value:,.3g}" if isinstance(value, float) and value < 1000 else f"{value:,.0f}"
            for value in (row[name] for name in names[1:])
            if isinstance(value, int | float)
        ]
        lines.append(f"| {row['threshold']} | {' | '.join(cells)} | {row['certificate']:,} |")
    trends = [f"N grows like weight_std^{one.exponent:.2f}" for one in found.trends]
    number = found.studies[0].num_graphs
    lines += ["", f"Joint flooding, D = 2, l = 1, {number} random graphs, delta = 0.001. "]
    if trends:
        lines[-1] += "Fitted: " + "; ".join(trends) + ", flattened where N ends at 1."
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures, draws and writes."""
    found = measured()
    records = [study.to_data() for study in found.studies]
    style.save(complexity.plot(records, "weight_std"), PICTURE)
    text = PAGE.read_text(encoding="utf-8")
    files.write(PAGE, page(text, table(found), MARKS).encode())


if __name__ == "__main__":
    main()
