"""`ntkexec complexity`: how many networks execute a program exactly."""

import functools
import itertools
import json as encoder
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ntkexec import vocabulary
from ntkexec.cli import options, own
from ntkexec.cli.study_table import Refused, as_text
from ntkexec.errors import CertificateError, NtkexecError

if TYPE_CHECKING:
    from ntkexec.complexity import Study
    from ntkexec.programs import Instance


EXAMPLE = "ntkexec complexity flooding --degree 2 --word 1..3 --plot complexity.png"
MAX_VALUES = 64
MAX_DIGITS = 18


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
        # Counted before they are listed.
        if last - first >= MAX_VALUES:
            raise NtkexecError(
                f"--{option} {text} names {last - first + 1:,} values, not 1 to {MAX_VALUES}"
            )
        numbers += range(first, last + 1)
    if not 0 < len(numbers) <= MAX_VALUES:
        raise NtkexecError(f"--{option} {text} names {len(numbers)} values, not 1 to {MAX_VALUES}")
    return numbers


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
    draw: Annotated[vocabulary.Draw, typer.Option(help="How networks are drawn.")] = "gaussian",
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
    weight_std: options.WeightStd = 1.0,
    members: Annotated[
        int | None, typer.Option(help="Largest N to try; by default 1.5 times the union bound.")
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
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how many networks execute a program exactly, against every bound.

    A shipped program on random graphs; your own on GRAPH, from the states of --state. Degree, word,
    width, padding, kind and threshold may each be several, as 1,2,4 or 1..5 (of your own program
    degree and word are single); every combination is a study. Exit status: 0, or 2 for bad input.
    """
    from ntkexec import pipeline
    from ntkexec.complexity import trends
    from ntkexec.plots import certainty as certainty_plot
    from ntkexec.plots import complexity as complexity_plot
    from ntkexec.plots import style

    for file in (plot, certainty):
        if file is not None:
            style.check_target(file)
    kinds = kind.split(",")
    words = [None] if word is None else parse_numbers("word", word)
    if pipeline.is_shipped(algorithm):
        options.refuse_graph(algorithm, graph)
        if state is not None or steps is not None:
            raise NtkexecError(f"--state and --steps are for programs of your own, not {algorithm}")
        executions = random_executions(
            algorithm,
            [2] if degree is None else parse_numbers("degree", degree),
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
    studies, refused = run_studies(
        executions,
        widths=[1] if draw == "gaussian" else parse_numbers("width", width),
        paddings=parse_numbers("padding", padding),
        kinds=kinds,
        repeat=repeat,
        draw=draw,
        thresholds=threshold.split(","),
        weight_std=weight_std,
        members=members,
        delta=delta,
        seed=seed,
    )
    if not studies:
        raise CertificateError(refused[0].reason)
    groups = sorted({(s.kind, s.threshold) for s in studies})
    fitted = [
        trend
        for group in groups
        for trend in trends([s for s in studies if (s.kind, s.threshold) == group])
    ]
    records = [study.to_data() for study in studies]
    if plot is not None:
        size = fitted[0].size if fitted else "n0"
        style.save(complexity_plot.plot(records, size), plot)
    if certainty is not None:
        style.save(certainty_plot.plot(records[-1]), certainty)
    if json:
        data = {"studies": records, "trends": [t.to_data() for t in fitted]}
        print(encoder.dumps(data | {"refused": [one._asdict() for one in refused]}))
    else:
        print(as_text(studies, fitted, refused))


# Any: the settings of `random_instances`, passed on.
def random_executions(
    algorithm: str, degrees: list[int], words: list[int] | list[None], **settings: Any
) -> "list[Callable[[], list[Instance]]]":
    """By size of the program, what makes its executions on random graphs."""
    from ntkexec.complexity import random_instances

    return [
        functools.partial(random_instances, algorithm, degree=degree, word=word, **settings)
        for degree, word in itertools.product(degrees, words)
    ]


# Any: the settings of `study`, passed on.
def run_studies(
    executions: "Sequence[Callable[[], list[Instance]]]",
    *,
    widths: list[int],
    paddings: list[int],
    kinds: list[str],
    thresholds: list[str],
    weight_std: float,
    draw: vocabulary.Draw,
    seed: int,
    **settings: Any,
) -> "tuple[list[Study], list[Refused]]":
    """One study for every program with its executions, and every combination of the rest.

    Of several conventions for the thresholds one that no number of networks makes exact is told
    beside the others' studies.
    """
    from ntkexec.cli.progress import bar, counted
    from ntkexec.complexity import collect, study
    from ntkexec.ensemble import EnsembleConfig
    from ntkexec.program.problem import LearningProblem

    studies: list[Study] = []
    refused: list[Refused] = []
    variants = list(itertools.product(kinds, paddings, widths))
    with bar() as show:
        for number, made in enumerate(executions):
            instances = made()
            for index, (kind, padding, width) in enumerate(variants):
                name = f"study {number * len(variants) + index + 1} of {len(executions) * len(variants)}"
                # The library checks the words of kind, draw and threshold.
                problem = LearningProblem(instances[0].program, kind, padding)  # type: ignore[arg-type]
                config = EnsembleConfig(
                    members=1,
                    width=width,
                    weight_std=weight_std,
                    seed=seed,
                    draw=draw,
                )
                cases = collect(
                    problem, instances, report=counted(show, f"{name}: running the program")
                )
                for threshold in thresholds:
                    try:
                        found = study(
                            cases,
                            config,
                            sizes=instances[0].sizes,
                            convention=threshold,  # type: ignore[arg-type]
                            report=counted(
                                show, f"{name}, thresholds {threshold}: drawing networks"
                            ),
                            **settings,
                        )
                    except CertificateError as error:
                        if len(thresholds) == 1 or threshold not in vocabulary.CONVENTIONS:
                            raise
                        told = " ".join(f"{n} {v}" for n, v in instances[0].sizes.items())
                        refused.append(Refused(kind, told, threshold, str(error)))
                    else:
                        studies.append(found)
    return studies, refused
