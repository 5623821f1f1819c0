"""Complete certificates of trained ensembles of the algorithms, each verified by `ntkexec.recheck`.

`python -m benchmarks.certified` trains what `ntkexec train` would, and writes the table to docs/proofs.md.
"""

import contextlib
import io
import json
import pathlib
import tempfile
from typing import Any, NamedTuple

from benchmarks import forgeries
from ntkexec import complete, ensemble, pipeline
from ntkexec.ensemble import thresholds
from ntkexec.recheck.command import main as recheck
from ntkexec.runtime import files

BEGIN, END = "<!-- certified: begin -->\n", "<!-- certified: end -->\n"
DELTA, DECISIONS = 1e-3, 10**6
SIZES: dict[str, dict[str, int | None]] = {
    **{
        name: {"degree": 3, "word": 4}
        for name in ("flooding", "bfs", "dfs", "bellman-ford", "leader-election", "spanning-tree")
    },
    "eccentricity": {"degree": 3, "word": 4},
    **{
        name: {"degree": 3, "word": None}
        for name in ("bipartite", "greedy-colouring", "independent-set", "life")
    },
    "cole-vishkin": {"degree": 2, "word": 4},
    "rule-110": {"degree": 2, "word": None},
}


class Row(NamedTuple):
    """One ensemble and its certificate."""

    program: str
    components: int
    match_sets: int
    members: int
    width: int
    bad: int
    margin: float
    rounding: float
    coarse: int
    verified: bool


def one(name: str, folder: pathlib.Path) -> Row:
    """Trains, certifies and rechecks the ensemble of an algorithm that the certificate asks for."""
    algorithm = pipeline.find_algorithm(name)
    sizes: dict[str, Any] = algorithm.sizes(**SIZES[name])
    certificate = pipeline.certify(algorithm.program(**sizes), delta=DELTA, num_decisions=DECISIONS)
    config = pipeline.ensemble_config(
        pipeline.at_width(certificate), members=None, seed=0, delta=DELTA, num_decisions=DECISIONS
    )
    networks = ensemble.train(
        certificate.problem,
        config,
        directory=folder,
        sizes=sizes,
        thresholds=thresholds.running(certificate),
        convention=certificate.convention,
    )
    found = complete.complete(networks)
    path = folder.parent / f"{name}.json"
    complete.write(path, complete.to_data(found, ensemble.read_manifest(folder), folder))
    with contextlib.redirect_stdout(io.StringIO()):
        verified = recheck([str(path), str(folder)]) == 0
    return Row(
        name,
        len(found.components),
        found.num_sets,
        config.members,
        config.width,
        found.wrong + found.unsure,
        found.smallest_margin,
        found.largest_rounding,
        sum(number for kind, number in found.unproven.items() if kind != "float32"),
        verified,
    )


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| program | components | match sets | members | width | wrong or unsure | smallest margin | "
        "rounding bound | not proven in TF32 or bfloat16 | recheck |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row.program} | {row.components} | {row.match_sets:,} | {row.members} | {row.width:,} | "
        f"{row.bad} | {row.margin:.3f} | {row.rounding:.1e} | {row.coarse} | "
        f"{'VERIFIED' if row.verified else 'REJECTED'} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Prints the table and writes it to the page."""
    rows = []
    for name in SIZES:
        with tempfile.TemporaryDirectory() as there:
            rows.append(one(name, pathlib.Path(there) / "ensemble"))
        print(json.dumps(rows[-1]._asdict()), flush=True)
    text = forgeries.PAGE.read_text(encoding="utf-8")
    files.write(forgeries.PAGE, forgeries.page(text, table(rows), (BEGIN, END)).encode())


if __name__ == "__main__":
    main()
