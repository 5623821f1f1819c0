"""Records of two seeds of every port's tiny run, on which claims, their twins and pages are tested.

`python tests/support/records.py SLUG... [--data DIR]` measures and stores them. With `--data`, or
NTKEXEC_DATA, claims on real data get records too; without it they are judged as not measured.
"""

import argparse
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from experiments.files.storage import digest, plain
from experiments.harness import registry, runner
from experiments.harness.digest import code_digest
from experiments.harness.experiment import Experiment
from experiments.harness.study import Record

FOLDER = Path(__file__).parents[1] / "experiments" / "records"
LARGEST = 100_000
"""Bytes of one file."""
SEEDS = (0, 1)


def path_of(slug: str) -> Path:
    return FOLDER / f"{slug}.json"


def parts(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """What every study's records depend on but libraries: its code, and the tiny configuration."""
    config = plain(dataclasses.asdict(experiment.studies.tiny))
    functions = experiment.studies.functions
    return {name: {"config": config, "code": code_digest(one)} for name, one in functions.items()}


def identities(of: dict[str, dict[str, Any]]) -> dict[str, str]:
    """A digest of those parts, by study."""
    return {name: digest(one) for name, one in of.items()}


def read(slug: str) -> tuple[dict[str, str], tuple[Record, ...]]:
    """Identities of the studies when they were measured, and the records."""
    found = json.loads(path_of(slug).read_text())
    return found["identities"], tuple(Record(**record) for record in found["records"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slugs", nargs="+", help="ports, or all")
    parser.add_argument("--data", type=Path, default=os.environ.get("NTKEXEC_DATA"))
    given = parser.parse_args()
    data = None if given.data is None else Path(given.data)
    for slug in registry.slugs() if given.slugs == ["all"] else given.slugs:
        experiment = registry.find(slug)
        report = runner.run(
            experiment,
            experiment.studies.tiny,
            num_seeds=len(SEEDS),
            first_seed=SEEDS[0],
            data=data,
        )
        written = {
            "identities": identities(parts(experiment)),
            "records": plain([record.to_data() for record in report.records]),
        }
        text = json.dumps(written, indent=None, separators=(",", ":"), sort_keys=True) + "\n"
        if len(text) > LARGEST:
            raise SystemExit(f"{slug}: {len(text):,} bytes are more than {LARGEST:,}")
        path_of(slug).write_text(text)
        missing = sorted({name for record in report.records for name in record.missing})
        told = f", without {', '.join(missing)}" if missing else ""
        print(f"{path_of(slug)}: {len(text):,} bytes, {report.cpu_seconds:.1f} CPU s{told}")


if __name__ == "__main__":
    main()
