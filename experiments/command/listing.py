"""`experiment list`, `show` and `data`: what is there."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.command.options import Data, FirstSeed, Out, Scale, app, print_json
from ntkexec.cli.options import Json


@app.command("list", epilog="Example: ntkexec experiment list")
def list_experiments(json: Json = False) -> None:
    """List the ports that are there by area, with their papers and what is expected of their claims."""
    from experiments.harness import registry

    listed = registry.abouts()
    if json:
        print_json({"experiments": [about.to_data() for about in listed]})
        return
    width = max(len(about.slug) for about in listed)
    for area in dict.fromkeys(about.area for about in listed):
        print(f"{area}:")
        for about in listed:
            if about.area == area:
                print(f"  {about.slug:<{width}}  {about.title} ({len(about.expected)} claims)")
                print(f"  {'':<{width}}  {about.paper}")


@app.command("show", epilog="Example: ntkexec experiment show dagnn")
def show_experiment(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An experiment of the list.")],
    scale: Scale = "quick",
    first_seed: FirstSeed = 1000,
    out: Out = Path("results"),
    json: Json = False,
) -> None:
    """Show what a port exports and claims, and its last results under all seeds that are stored."""
    from experiments.files.storage import finite
    from experiments.harness import registry, runner, stored, tables

    experiment = registry.find(name)
    about = experiment.about
    exported = registry.exports(about)
    config = experiment.studies.config(scale)
    report = runner.run(
        experiment,
        config,
        scale=scale,
        num_seeds=stored.num_stored(out, experiment, config, first_seed) or None,
        first_seed=first_seed,
        out=out,
        measuring=False,
    )
    own = dict(experiment.application.options) if experiment.application else {}
    if json:
        found = {"exports": exported, "options": own, "page": str(about.readme)}
        print_json(finite({**about.to_data(), **found, "last": report.to_data()}))
        return
    print(f"{about.slug}: {about.title}\n  {about.paper}")
    if about.paper.provenance == "reconstructed":
        print(f"  {tables.RECONSTRUCTED}")
    print(f"  from {about.package} import {', '.join(exported)}")
    print(f"  data: {', '.join(about.data) or 'generated'}; page: {about.readme}")
    for option, words in own.items():
        print(f"    --{option}: {words}")
    print(f"\n{tables.claims(report, str(out))}")


@app.command("data", epilog="Example: ntkexec experiment data cora --data ~/data")
def list_data(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Data sets; by default all.")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List the real data sets that ports can use: what they are, whether they are there, how to get them.

    Nothing is downloaded.
    """
    from experiments.data import listing
    from experiments.harness import registry

    used = {about.slug: about.data for about in registry.abouts()}
    listed = listing.entries(names or (), data, used)
    if json:
        print_json({"data": [entry.to_data() for entry in listed]})
    else:
        print(listing.text(listed, data))
