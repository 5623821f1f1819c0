"""`ntkexec complexity`: how many networks execute a program exactly."""

import json as encoder
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ntkexec.cli import options, own
from ntkexec.cli.study_table import as_text
from ntkexec.errors import CertificateError, NtkexecError, clean
from ntkexec.runtime import files

if TYPE_CHECKING:
    from ntkexec.complexity import OwnBound, Sweep
    from ntkexec.complexity.sweeps import Executions


EXAMPLE = "ntkexec complexity flooding --degree 2 --word 1..3 --plot complexity.png"
MAX_VALUES = 64
MAX_DIGITS = 18
BOUND_NAMES = ("published", "theory", "numerical", "certificate", "union", "lower")
DEFAULT_PANELS = Path("complexity.png")


def parse_numbers(option: str, text: str) -> list[int]:
    """Numbers written as 3, as 1,2,4 or as 1..5.

    Raises:
        NtkexecError: another form; names the option.
    """
    numbers: list[int] = []
    for part in text.split(","):
        low, dots, high = part.partition("..")
        if not low.isdecimal() or (dots and not high.isdecimal()):
            raise NtkexecError(
                f"--{option} is a number, a list 1,2,4 or a range 1..5, not {text!r}"
            )
        if max(len(low), len(high)) > MAX_DIGITS:
            raise NtkexecError(f"--{option} holds numbers of at most {MAX_DIGITS} digits")
        first, last = int(low), int(high if dots else low)
        if last < first:
            raise NtkexecError(
                f"--{option}: a range goes up, such as {last}..{first}, not {clean(part)}"
            )
        # Counted before they are listed.
        if last - first >= MAX_VALUES:
            raise NtkexecError(
                f"--{option} {text} names {last - first + 1:,} values, not 1 to {MAX_VALUES}"
            )
        numbers += range(first, last + 1)
    if not 0 < len(numbers) <= MAX_VALUES:
        raise NtkexecError(f"--{option} {text} names {len(numbers)} values, not 1 to {MAX_VALUES}")
    return numbers


def parse_floats(option: str, text: str) -> list[float]:
    """Positive numbers written as 0.5 or as 0.5,1,2.

    Raises:
        NtkexecError: another form; names the option.
    """
    numbers: list[float] = []
    for part in text.split(","):
        try:
            number = float(part)
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf:
            raise NtkexecError(
                f"--{option} is a positive number or a list 0.5,1,2, not {clean(text)!r}"
            )
        numbers.append(number)
    if len(numbers) > MAX_VALUES:
        raise NtkexecError(f"--{option} names {len(numbers)} values, not 1 to {MAX_VALUES}")
    return numbers


def own_bounds(called: Sequence[str]) -> "list[OwnBound]":
    """The functions of `FILE.py:function` or `module:function`, under the functions' names.

    Raises:
        NtkexecError: no such function, one that asks for what there is not, or two of a name.
    """
    from ntkexec.cli.modules import load_function
    from ntkexec.complexity import OwnBound

    found: list[OwnBound] = []
    for one in called:
        name = one.rpartition(":")[2]
        function = load_function(one)
        if name in {known.name for known in found} or name in BOUND_NAMES:
            raise NtkexecError(f"there already is a bound {name!r}; give {clean(one)} another name")
        # A thing that is no function is refused there.
        found.append(OwnBound(name, _told(one, function) if callable(function) else function))  # type: ignore[arg-type]
    return found


def _told(called: str, function: Callable[..., object]) -> Callable[..., object]:
    """The same function; what goes wrong in it is told as an error of the user's code."""
    import functools

    @functools.wraps(function)
    def call(**quantities: object) -> object:
        with own.of_the_user(called):
            return function(**quantities)

    return call


def _single(option: str, text: str) -> int:
    numbers = parse_numbers(option, text)
    if len(numbers) > 1:
        raise NtkexecError(f"--{option} is one number for a program of your own, not {text!r}")
    return numbers[0]


def parse_range(option: str, text: str) -> tuple[int, int]:
    """Least and largest, written as 5..20 or as one number.

    Raises:
        NtkexecError: another form; names the option.
    """
    low, dots, high = text.partition("..")
    try:
        return int(low), int(high if dots else low)
    except ValueError:
        raise NtkexecError(f"--{option} is a range such as 5..20, not {text!r}") from None


def command(
    algorithm: Annotated[
        str,
        typer.Argument(
            metavar="PROGRAM",
            help="flooding, bfs, dfs or bellman-ford; or your own, FILE.npz, FILE.json or "
            "module:function, on GRAPH.",
        ),
    ],
    graph: options.GraphOfOwn = None,
    state: options.State = None,
    steps: options.Steps = None,
    degree: Annotated[
        str | None, typer.Option(help="Most neighbours of a node, D, by default 2; or several.")
    ] = None,
    word: Annotated[
        str | None,
        typer.Option(help="Bits of a word; or several. By default what the graphs need."),
    ] = None,
    graphs: Annotated[int, typer.Option(help="Random graphs to execute on.")] = 1000,
    nodes: Annotated[str, typer.Option(help="Fewest and most nodes of a graph.")] = "5..20",
    weights: Annotated[
        str, typer.Option(help="Least and largest weight, for bellman-ford.")
    ] = "0..3",
    repeat: Annotated[int, typer.Option(help="Repetitions, each with other networks.")] = 50,
    kind: Annotated[
        str,
        typer.Option(
            "--ensemble-kind", help="joint, factored, or joint,factored to compare the two."
        ),
    ] = "joint",
    draw: Annotated[
        str,
        typer.Option(
            help="How networks are drawn: gaussian, trained, linearised or antisymmetric; or several."
        ),
    ] = "gaussian",
    width: Annotated[str, typer.Option(help="Hidden units of a network; or several.")] = "4096",
    padding: Annotated[
        str, typer.Option(help="Padding templates per learning problem; or several.")
    ] = "0",
    threshold: Annotated[
        str,
        typer.Option(
            help="Where outputs become bits: bit, shared or zero; or several, as bit,shared."
        ),
    ] = "bit",
    weight_std: Annotated[
        str,
        typer.Option(
            help="Standard deviation of the weights at initialisation; or several, as 0.5,1,2."
        ),
    ] = "1",
    members: Annotated[
        str | None,
        typer.Option(
            help="Largest N to try, by default 1.5 times the union bound; or several N, of which is told "
            "how often they are exact."
        ),
    ] = None,
    bound: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE.py:FUNCTION",
            help="A bound of your own, beside all others; or module:function; repeat for several.",
        ),
    ] = None,
    delta: Annotated[float, typer.Option(help="Probability of an error that N may leave.")] = 0.001,
    seed: Annotated[int, typer.Option(help="Seed of graphs and networks.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(help="Draw N against the size that varies, into this file.")
    ] = None,
    certainty: Annotated[
        Path | None,
        typer.Option(help="Draw the probability of exactness by N (last study), into this file."),
    ] = None,
    panels: Annotated[
        bool,
        typer.Option(
            "--panels",
            help=f"With --plot, by default {DEFAULT_PANELS}: a panel for each size that varies.",
        ),
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Write a row for each study into this file.")
    ] = None,
    latex: Annotated[
        Path | None, typer.Option(help="Write a table in LaTeX (booktabs) into this file.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how many networks execute a program exactly, against every bound.

    A shipped program on random graphs; your own on GRAPH, from the states of --state. Degree, word,
    width, padding, kind, threshold, draw and weight-std may each be several, as 1,2,4 or 1..5 (of
    your own program degree and word are single); every combination is a study. Exit status: 0, or 2
    for bad input.
    """
    from ntkexec import pipeline
    from ntkexec.complexity import random_executions, variants
    from ntkexec.complexity.sweeps import check_number
    from ntkexec.plots import style

    if panels and plot is None:
        plot = DEFAULT_PANELS
    for file in (plot, certainty):
        if file is not None:
            style.check_target(file)
    for file in filter(None, (csv, latex)):
        files.check_target(file)
    files.check_apart(plot=plot, certainty=certainty, csv=csv, latex=latex)
    mine = own_bounds(bound or ())
    numbers = [] if members is None else parse_numbers("members", members)
    kinds = kind.split(",")
    words = [None] if word is None else parse_numbers("word", word)
    if pipeline.is_shipped(algorithm):
        options.refuse_graph(algorithm, graph)
        if state is not None or steps is not None:
            raise NtkexecError(f"--state and --steps are for programs of your own, not {algorithm}")
        degrees = [2] if degree is None else parse_numbers("degree", degree)
        executions: list[Executions] = random_executions(
            algorithm,
            degrees,
            words,
            num_graphs=graphs,
            nodes=parse_range("nodes", nodes),
            weights=parse_range("weights", weights),
            seed=seed,
        )
    else:
        instance = own.own_program(
            algorithm,
            graph,
            state=state,
            steps=steps,
            needed=True,
            word=None if word is None else _single("word", word),
            degree=None if degree is None else _single("degree", degree),
        ).instance
        assert instance is not None
        executions = [lambda: [instance]]
    # Before the first program is made.
    factors = {
        "programs": len(executions),
        "kinds": len(kinds),
        "paddings": len(parse_numbers("padding", padding)),
        "draws": len(draw.split(",")),
        "weight_stds": len(parse_floats("weight-std", weight_std)),
        "widths": 1 if draw == "gaussian" else len(parse_numbers("width", width)),
        "thresholds": len(threshold.split(",")),
    }
    check_number(factors)
    found = _swept(
        executions,
        of=variants(
            kinds,
            parse_numbers("padding", padding),
            draw.split(","),
            parse_floats("weight-std", weight_std),
            [1] if draw == "gaussian" else parse_numbers("width", width),
        ),
        thresholds=threshold.split(","),
        own=mine,
        seed=seed,
        repeat=repeat,
        delta=delta,
        members=numbers[0] if len(numbers) == 1 else None,
        numbers=numbers if len(numbers) > 1 else (),
    )
    if not found.studies:
        raise CertificateError(found.refused[0].reason)
    _write(found, plot=plot, panels=panels, certainty=certainty, csv=csv, latex=latex)
    if json:
        data = {
            "studies": [study.to_data() for study in found.studies],
            "trends": [trend.to_data() for trend in found.trends],
        }
        print(encoder.dumps(data | {"refused": [one._asdict() for one in found.refused]}))
    else:
        print(as_text(found))


# Any: the settings of `sweep`, passed on.
def _swept(executions: "Sequence[Executions]", **settings: Any) -> "Sweep":
    """The sweep, with a bar of its progress."""
    from ntkexec.cli.progress import bar, counted
    from ntkexec.complexity import sweep

    with bar() as show:
        return sweep(executions, report=lambda title: counted(show, title), **settings)


def _write(
    found: "Sweep",
    *,
    plot: Path | None,
    panels: bool,
    certainty: Path | None,
    csv: Path | None,
    latex: Path | None,
) -> None:
    """The files that are asked for, each whole or not at all."""
    from ntkexec.complexity import tables
    from ntkexec.plots import certainty as certainty_plot
    from ntkexec.plots import complexity as complexity_plot
    from ntkexec.plots import style

    records = [study.to_data() for study in found.studies]
    if plot is not None:
        size = found.trends[0].size if found.trends else complexity_plot.varying(records)[0]
        drawn = complexity_plot.panels(records) if panels else complexity_plot.plot(records, size)
        style.save(drawn, plot)
    if certainty is not None:
        style.save(certainty_plot.plot(records[-1]), certainty)
    if csv is not None:
        files.write(csv, tables.as_csv(found.rows()).encode())
    if latex is not None:
        files.write(latex, tables.as_latex(records).encode())
