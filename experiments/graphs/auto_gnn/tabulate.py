"""Measures the table of `table.py` anew: `python -m experiments.graphs.auto_gnn.tabulate --data DIR`.

It takes half an hour of processor time. What is measured is kept in a folder, part by part, and a
second call goes on where the first was stopped.
"""

import argparse
import logging
import platform
from pathlib import Path

import jax

from experiments.data import load
from experiments.files.storage import digest, read_sealed, write_sealed
from experiments.graphs.auto_gnn.table import (
    PATH,
    REPEATS,
    SPACE,
    described,
    measured,
    prepared,
)

PART = 24
"""Architectures of one part."""
LOG = logging.getLogger(__name__)
LIBRARIES = ("jax", "flax", "optax", "numpy")


def main(arguments: list[str] | None = None) -> None:
    """Measures the parts that are not there, and writes the table once all are."""
    import importlib.metadata

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with real data sets")
    parser.add_argument("--work", type=Path, default=Path("cora-table"), help="folder of the parts")
    parser.add_argument("--parts", type=int, default=SPACE.size, help="most parts of this call")
    parser.add_argument("--out", type=Path, default=PATH, help="file of the table")
    given = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s")
    LOG.setLevel(logging.INFO)
    given.work.mkdir(parents=True, exist_ok=True)
    data = load("cora", given.data)
    graph, rows, left = prepared(data), [], given.parts
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    for start in range(0, SPACE.size, PART):
        path = given.work / f"{start}.json"
        part = read_sealed(path, space=described(), versions=versions)
        if part is None and left > 0:
            numbers = range(start, start + PART)
            found = [[measured(data, graph, n, r) for r in range(REPEATS)] for n in numbers]
            write_sealed(path, {"space": described(), "versions": versions, "found": found})
            part, left = read_sealed(path), left - 1
            LOG.info("%d of %d architectures", start + PART, SPACE.size)
        if part is not None:
            rows += part["found"]
    if len(rows) < SPACE.size:
        LOG.info("%d of %d are measured; call again", len(rows), SPACE.size)
        return
    columns = {
        name: [" ".join(str(pair[place]) for pair in row) for row in rows]
        for place, name in enumerate(("validation", "test"))
    }
    made = {
        "by": "python -m experiments.graphs.auto_gnn.tabulate",
        "data": "Cora, standard split of Planetoid",
        "versions": versions,
        "python": platform.python_version(),
        "device": f"{jax.devices()[0].device_kind}, {platform.machine()}",
    }
    write_sealed(given.out, {"space": described(), "made": made, **columns})
    LOG.info("%s: the rows %s", given.out, digest(columns))


if __name__ == "__main__":
    main()
