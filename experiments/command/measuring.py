"""`experiment run`: measures and judges, or applies a method to what the user has."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.command.options import (
    Change,
    Data,
    FirstSeed,
    Out,
    Scale,
    Seeds,
    Study,
    app,
    chosen_slugs,
    print_json,
    raise_failed,
)
from ntkexec.cli.options import Json

if TYPE_CHECKING:
    from experiments.harness.runner import Progress


@app.command(
    epilog="Example: ntkexec experiment run sgs --seeds 3 --html sgs.html",
    # An experiment that takes a user's data has options of its own; they arrive among the names.
    context_settings={"ignore_unknown_options": True},
)
def run(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Experiments of the list, or 'all'.")
    ],
    scale: Scale = "quick",
    seeds: Seeds = None,
    first_seed: FirstSeed = 1000,
    change: Change = None,
    study: Study = None,
    out: Out = Path("results"),
    data: Data = None,
    jobs: Annotated[int, typer.Option(min=1, help="Experiments side by side, a process each.")] = 1,
    json: Json = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with tables and plots.")] = None,
) -> None:
    """Run experiments and judge their claims, or apply one to data of yours by its own options.

    `experiment show NAME` says which options one has, and judged is nothing then: ntkexec experiment run
    lvlm-count --image FILE --question 'How many red discs are there?' counts in a picture; damo-yolo and
    yolov9 --image FILE [--score 0.3] [--side 64] [--weights FILE] find handwritten digits in one.

    Exit status: 0 if nothing contradicts what ports expect (what is undecided or not measured does
    not), 1 if a claim fails that was expected to hold or the other way round, 2 for bad input. An
    experiment that cannot be run keeps none of the others from running and being reported.
    """
    from experiments.files.storage import finite, write_atomically
    from experiments.files.words import shown
    from experiments.harness import configuration, registry, runner, tables
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
    chosen = chosen_slugs(names)
    if data is not None and not data.is_dir():
        raise ExperimentError(f"there is no folder {shown(data)} to look for data sets in")
    wanted = [registry.find(name) for name in chosen]
    configs = [configuration.changed(e.studies.config(scale), change or ()) for e in wanted]
    if html is not None:
        from experiments.harness import page  # here, since it brings all of ntkexec's pages

        page.check_target(html)
        files.check_folder(html.parent)
    failures: dict[str, str] = {}
    if jobs > 1 and len(chosen) > 1:
        given = _as_options(scale, seeds, first_seed, change, study, out, data)
        # The longest first, so that at the end no process works alone for long. Ports of systems wait
        # for disks, sockets and processes besides, which their processor time does not say.
        longest = sorted(
            wanted, key=lambda one: (one.about.area != "systems", -one.about.cpu_seconds)
        )
        failures = _measure_side_by_side([one.slug for one in longest], given, jobs)
    reports = []
    with _progress() as tell:
        for experiment, config in zip(wanted, configs, strict=True):
            if experiment.slug in failures:
                continue
            try:
                report = runner.run(
                    experiment,
                    config,
                    scale="custom" if change else scale,
                    num_seeds=seeds,
                    first_seed=first_seed,
                    out=out,
                    data=data,
                    only=study or (),
                    report=tell,
                )
            except NtkexecError as error:
                failures[experiment.slug] = str(error)
                continue
            reports.append(report)
    if html is not None and reports:
        write_atomically(html, page.render(reports).encode())
    if json and (reports or not failures):
        print_json(finite({"experiments": [report.to_data() for report in reports]}))
    elif reports:
        print("\n\n".join(tables.text(report, str(out)) for report in reports))
    raise_failed(failures, len(chosen))
    raise typer.Exit(int(any(report.surprising for report in reports)))


def _as_options(
    scale: str,
    seeds: int | None,
    first_seed: int,
    change: list[str] | None,
    study: list[str] | None,
    out: Path,
    data: Path | None,
) -> list[str]:
    """Options of `run` again as the words that give them."""
    given = {"--scale": scale, "--first-seed": first_seed, "--out": out.absolute()}
    given |= {} if seeds is None else {"--seeds": seeds}
    given |= {} if data is None else {"--data": data.absolute()}
    words = [word for name, value in given.items() for word in (name, str(value))]
    words += [word for name in study or () for word in ("--study", name)]
    return [*words, *(word for field in change or () for word in ("--set", field))]


def _measure_side_by_side(slugs: Sequence[str], given: list[str], jobs: int) -> dict[str, str]:
    """By port, why it could not be measured; progress as of one process."""
    from experiments.harness import jobs as side_by_side
    from ntkexec.cli import progress

    on_terminal = progress.on_terminal()
    with progress.bar() as show:
        done = 0

        def tell(line: str) -> None:
            nonlocal done
            done += line.partition(": ")[0] in slugs
            if on_terminal:
                show(line, done, len(slugs) + 1)
            elif not progress.quiet():
                typer.echo(line, err=True)

        return side_by_side.measure_side_by_side(slugs, given, jobs=jobs, tell=tell)


def _apply(names: list[str], words: list[str], out: Path, json: bool) -> None:
    """Applies one experiment's method to what its own options name."""
    from experiments.harness import registry
    from experiments.harness.runner import Progress
    from ntkexec.errors import ExperimentError

    if "all" in names:
        raise ExperimentError(
            f"{words[0]!r} belongs to one experiment, and 'all' names all of them"
        )
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
        print_json(applied.to_data())
    else:
        print(applied)


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
