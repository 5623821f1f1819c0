"""`experiment readme` and `ledger`: pages written from stored results."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.command.options import (
    FirstSeed,
    Out,
    Scale,
    Seeds,
    app,
    chosen_slugs,
    print_json,
    raise_failed,
)
from ntkexec import vocabulary
from ntkexec.cli.options import Json

if TYPE_CHECKING:
    from experiments.harness.report import Report


@app.command(epilog="Example: ntkexec experiment readme dagnn")
def readme(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Experiments of the list, or 'all'.")
    ],
    scale: Scale = "quick",
    seeds: Seeds = None,
    first_seed: FirstSeed = 1000,
    out: Out = Path("results"),
) -> None:
    """Write the tables of results in the ports' READMEs from stored results; measures nothing."""
    from experiments.harness import readme
    from ntkexec.errors import NtkexecError

    chosen = chosen_slugs(names)
    failures: dict[str, str] = {}
    for slug in chosen:
        try:
            print(readme.write_table(_stored(slug, scale, seeds, first_seed, out)))
        except NtkexecError as error:
            failures[slug] = str(error)
    raise_failed(failures, len(chosen))


@app.command(epilog="Example: ntkexec experiment ledger")
def ledger(
    scale: Scale = "quick",
    seeds: Seeds = None,
    first_seed: FirstSeed = 1000,
    out: Out = Path("results"),
    json: Json = False,
) -> None:
    """Write docs/results.md, a row a system, from stored results; measures nothing.

    Figures that only a longer run measures are taken from one where it is stored, and say so. With --json the
    rows are printed instead, and ports of which nothing is stored are among them.
    """
    from experiments.harness import ledger, readme, registry

    reports = [_stored(slug, scale, seeds, first_seed, out) for slug in registry.slugs()]
    longer = {
        report.experiment.slug: [
            _stored(report.experiment.slug, name, seeds, first_seed, out)
            for name in report.experiment.studies.configs
            if vocabulary.SCALES.index(name) > vocabulary.SCALES.index(scale)
        ]
        for report in reports
    }
    if json:
        rows = [ledger.row(report, longer[report.experiment.slug]) for report in reports]
        print_json({"papers": [row.to_data() for row in (ledger.own_row(), *rows)]})
        return
    print(readme.write_ledger(reports, longer=longer))


def _stored(
    slug: str, scale: vocabulary.Scale, seeds: int | None, first_seed: int, out: Path
) -> "Report":
    """What is stored of a port, judged."""
    from experiments.harness import readme, registry, runner, stored

    experiment = registry.find(slug)
    config = experiment.studies.config(scale)
    if seeds is None and scale != readme.QUICK:
        # A long run has as many seeds as somebody had the time for.
        seeds = stored.num_stored(out, experiment, config, first_seed) or None
    return runner.run(
        experiment,
        config,
        scale=scale,
        num_seeds=seeds,
        first_seed=first_seed,
        out=out,
        measuring=False,
    )
