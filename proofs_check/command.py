"""`ntkexec check`: carries out the statements of the theory."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ntkexec.check import Check, Outcome
    from ntkexec.vocabulary import Scale

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog="Example: ntkexec check padding --json")
def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Checks, or modules of checks; all by default."),
    ] = None,
    of: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Check the statements of your own file, or of a module; repeat for several.",
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller measurements.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Larger measurements.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Name the checks and stop.")] = False,
    broken: Annotated[
        bool,
        typer.Option(
            "--broken", help="Carry out the counter-cases, of which each must fail, instead."
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(help="Also write a page with formulas and plots.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the measurement of one check, such as kernel-finite-width."),
    ] = None,
) -> None:
    """Check the theory, statement by statement, by measurements that could refute it.

    Exit status: 0 if no statement fails, 1 if one does, 2 for bad input. One that is undecided (its
    interval contains the bound) neither holds nor fails; it is counted by itself and does not
    change the status, nor does one that is not measured. With --broken: 0 if every counter-case
    fails, as it must, else 1.
    """
    from ntkexec.cli import progress
    from ntkexec.errors import NtkexecError
    from ntkexec.plots import style
    from proofs_check import own, page, registry

    if quick and full:
        raise NtkexecError("--quick and --full exclude each other")
    scale: Scale = "quick" if quick else "full" if full else "standard"
    if of:
        found = own.from_modules(of)
        selected = registry.named(names or (), own.by_name(found), found)
    else:
        selected = registry.select(names or ())
    if listed:
        for known in selected:
            print(f"{known.name:<24} {known.claim}")
        return
    if broken:
        selected = own.counter_cases(selected)
    # Before the work, so that a missing extra or folder is known at once.
    if html is not None:
        page.check_target(html)
    if plot is not None:
        others = selected if of else registry.select(())
        _check_drawn(selected, [known.name for known in others if known.plot])
        style.check_target(plot)
    outcomes: list[Outcome] = []
    with progress.bar() as show:
        for outcome in registry.carry_out_all(
            selected,
            scale,
            starting=lambda check: show(check.name, len(outcomes), len(selected)),
        ):
            outcomes.append(outcome)
    if html is not None:
        page.write(html, outcomes, scale)
    if plot is not None:
        _draw(outcomes[0], plot)
    data = _summary(outcomes, scale) | {"broken": broken}
    if json:
        print(_as_json(data | {"checks": [outcome.to_data() for outcome in outcomes]}))
    else:
        _print_table(outcomes)
    wrong = len(outcomes) - data["fails"] if broken else data["fails"]
    if broken and not json:
        print(
            "Counter-cases: each must fail" + (f", and {wrong} did not" if wrong else ", and did")
        )
    raise typer.Exit(1 if wrong else 0)


def _check_drawn(selected: "Sequence[Check]", drawn: list[str]) -> None:
    """Raises NtkexecError unless the checks are a single one that has a picture."""
    from ntkexec.errors import NtkexecError

    if len(selected) != 1:
        raise NtkexecError(
            f"--plot draws one check, not {len(selected)}; {', '.join(drawn)} can be"
        )
    if selected[0].plot is None:
        raise NtkexecError(f"check {selected[0].name!r} has no plot; {', '.join(drawn)} have")


def _draw(outcome: "Outcome", path: Path) -> None:
    from ntkexec.errors import NtkexecError
    from ntkexec.plots.style import save

    if outcome.measurement.reason or outcome.check.plot is None:
        raise NtkexecError(f"nothing to draw: {outcome.measurement.reason}")
    save(outcome.check.plot(outcome.measurement), path)


def _summary(outcomes: "list[Outcome]", scale: str) -> dict[str, Any]:
    from ntkexec.check import counts

    numbers = {verdict.replace(" ", "_"): n for verdict, n in counts(outcomes).items()}
    return {"scale": scale, **numbers, "seconds": sum(outcome.seconds for outcome in outcomes)}


def _as_json(data: dict[str, Any]) -> str:
    import json

    return json.dumps(data, allow_nan=False)


def _print_table(outcomes: "list[Outcome]") -> None:
    """The outcomes as text; verdicts have their colours on a terminal."""
    from rich.console import Console
    from rich.text import Text

    from ntkexec.check import COLOURS, in_words, rendering

    console = Console(soft_wrap=True)
    width = max(len(outcome.check.name) for outcome in outcomes)
    for outcome in outcomes:
        verdict, claim, measured = rendering.lines(outcome, name_width=width)
        line = Text(verdict, style=f"bold {COLOURS[outcome.verdict]}")
        console.print(line.append(claim, style="not bold default"))
        console.print(Text(measured))
    seconds = sum(outcome.seconds for outcome in outcomes)
    plural = "s" * (len(outcomes) != 1)
    console.print(
        Text(f"\nOf {len(outcomes)} statement{plural} {in_words(outcomes)}, in {seconds:.0f} s")
    )
