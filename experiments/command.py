"""`ntkexec experiment`: ports of other papers, their claims measured and judged."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ntkexec import vocabulary
from ntkexec.cli import options

if TYPE_CHECKING:
    from experiments.harness.runner import Progress, Report

app = typer.Typer(
    help="Ports of other papers: run them, measure their claims, judge them.",
    epilog="Example: ntkexec experiment list",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command("list", epilog="Example: ntkexec experiment list")
def list_experiments(json: options.Json = False) -> None:
    """List the experiments that are there, with their papers and numbers of claims."""
    from experiments.harness.registry import find, slugs

    listed = [find(slug) for slug in slugs()]
    if json:
        _print_json(
            {
                "experiments": [
                    {
                        "slug": e.slug,
                        "title": e.title,
                        "paper": {**vars(e.paper)},
                        "scales": list(e.configs),
                        "studies": list(e.studies),
                        "options": dict(e.application.options) if e.application else {},
                        "claims": [{"name": c.name, "claim": c.claim} for c in e.checks],
                    }
                    for e in listed
                ]
            }
        )
        return
    width = max(len(e.slug) for e in listed)
    for e in listed:
        print(f"{e.slug:<{width}}  {e.title} ({len(e.checks)} claims)")
        print(f"{'':<{width}}  {e.paper}")
        for option, text in (e.application.options if e.application else {}).items():
            print(f"{'':<{width}}    --{option}: {text}")


@app.command(
    epilog="Example: ntkexec experiment run sgs --seeds 3 --html sgs.html",
    # An experiment that takes a user's data has options of its own; they arrive among the names.
    context_settings={"ignore_unknown_options": True},
)
def run(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Experiments of the list, or 'all'.")
    ],
    scale: Annotated[
        vocabulary.Scale, typer.Option(help="How much to measure; the claims stay the same.")
    ] = "quick",
    seeds: Annotated[
        int | None, typer.Option(help="Number of seeds; by default what the experiment says.")
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Change a field of the configuration."),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for results; what is there already is not measured again.")
    ] = Path("results"),
    data: Annotated[
        Path | None,
        typer.Option(envvar="NTKEXEC_DATA", help="Folder with real data sets, a subfolder each."),
    ] = None,
    json: options.Json = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with tables and plots.")] = None,
) -> None:
    """Run experiments and judge their claims, or apply one to data of yours by its own options.

    The list says which options an experiment has: ntkexec experiment run lvlm-count --image FILE
    --question 'How many red discs are there?' counts in a picture and judges nothing.

    Exit status: 0 if no measured claim fails (undecided is no failure), 1 if one does, 2 for bad
    input. An experiment that cannot be run keeps none of the others from running and being reported.
    """
    from experiments.files.storage import finite, write_atomically
    from experiments.harness import configuration, page, registry, runner
    from ntkexec.errors import ExperimentError, NtkexecError
    from ntkexec.runtime import files

    files.check_folder(out)
    at = next((i for i, name in enumerate(names) if name.startswith("-")), len(names))
    names, own = names[:at], names[at:]
    if own:
        if seeds is not None or change or html is not None:
            raise ExperimentError(f"--seeds, --set and --html judge claims; {own[0]!r} judges none")
        _apply(names, own, out, json)
        return
    chosen = registry.slugs() if names == ["all"] else tuple(dict.fromkeys(names))
    wanted = [registry.find(name) for name in chosen]
    configs = [configuration.changed(e.config(scale), change or ()) for e in wanted]
    if html is not None:
        page.check_target(html)
        files.check_folder(html.parent)
    reports, failures = [], []
    with _progress() as tell:
        for experiment, config in zip(wanted, configs, strict=True):
            try:
                report = runner.run(
                    experiment,
                    config,
                    scale="custom" if change else scale,
                    num_seeds=seeds,
                    out=out,
                    data=data,
                    report=tell,
                )
            except NtkexecError as error:
                failures.append(f"{experiment.slug}: {error}")
                continue
            reports.append(report)
    if html is not None and reports:
        write_atomically(html, page.render(reports).encode())
    if json and (reports or not failures):
        _print_json(finite({"experiments": [report.to_data() for report in reports]}))
    elif reports:
        print("\n\n".join(_text(report, out) for report in reports))
    if failures:
        raise ExperimentError("; ".join(failures))
    raise typer.Exit(int(any(report.failed for report in reports)))


def _apply(names: list[str], words: list[str], out: Path, json: bool) -> None:
    """Applies one experiment's method to what its own options name."""
    from experiments.harness import registry
    from experiments.harness.runner import Progress
    from ntkexec.errors import ExperimentError

    if len(names) != 1:
        raise ExperimentError(f"{words[0]!r} belongs to one experiment, and {len(names)} are named")
    experiment = registry.find(names[0])
    if experiment.application is None:
        raise ExperimentError(
            f"{words[0]!r} is no option, and {experiment.slug} has none of its own"
        )
    options = experiment.application.parsed(words)
    with _progress() as tell:

        def report(what: str, done: int, total: int) -> None:
            tell(Progress(experiment.slug, "application", 0, 0, 1, what, done / total))

        tell(Progress(experiment.slug, "application", 0, 0, 1))
        applied = experiment.application.function(options, out, report)
    if json:
        _print_json(applied.to_data())
    else:
        print(applied)


def _print_json(data: dict[str, Any]) -> None:
    import json

    print(json.dumps(data, allow_nan=False))


def _text(report: "Report", out: Path) -> str:
    """A report for a terminal: one claim, what was measured for it, and the verdict."""
    from ntkexec.check import in_words, rendering

    experiment, num = report.experiment, len(report.records)
    lines = [
        f"{experiment.slug}: {experiment.title}",
        f"  {experiment.paper}",
        f"  scale {report.scale}, {num} seed{'s' * (num != 1)}, {report.seconds:.1f} s of measuring; "
        f"{report.reused} of {num * len(experiment.studies)} results were in {out}",
        "",
    ]
    for outcome in report.outcomes:
        verdict, claim, measured = rendering.lines(outcome)
        lines += [verdict + claim, measured]
    return "\n".join([*lines, "", in_words(report.outcomes)])


@contextlib.contextmanager
def _progress() -> Iterator[Callable[["Progress"], None]]:
    """A bar on a terminal, a line for every started study elsewhere; both on stderr, if at all."""
    from ntkexec.cli import progress

    on_terminal = progress.on_terminal()
    with progress.bar() as show:

        def tell(now: "Progress") -> None:
            title = f"{now.slug}, seed {now.seed}: {now.study}" + (now.what and f", {now.what}")
            if on_terminal:
                show(title, now.done + now.part, now.total)
            elif not now.what and not progress.quiet():
                typer.echo(f"{title} ({now.done + 1} of {now.total})", err=True)

        yield tell
