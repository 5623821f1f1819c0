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
    """Write docs/results.md, a row a paper, from stored results; measures nothing.

    With --json the rows are printed instead, and ports of which nothing is stored are among them.
    """
    from experiments.harness import ledger, readme, registry

    reports = [_stored(slug, scale, seeds, first_seed, out) for slug in registry.slugs()]
    if json:
        print_json({"papers": [ledger.row(report).to_data() for report in reports]})
        return
    print(readme.write_ledger(reports))


def _stored(
    slug: str, scale: vocabulary.Scale, seeds: int | None, first_seed: int, out: Path
) -> "Report":
    """What is stored of a port, judged."""
    from experiments.harness import registry, runner

    experiment = registry.find(slug)
    return runner.run(
        experiment,
        experiment.studies.config(scale),
        scale=scale,
        num_seeds=seeds,
        first_seed=first_seed,
        out=out,
        measuring=False,
    )
