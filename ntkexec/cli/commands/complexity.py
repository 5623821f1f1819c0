"""`ntkexec complexity`: how many networks execute a program exactly."""

import itertools
import json as encoder
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ntkexec import vocabulary
from ntkexec.cli import options
from ntkexec.errors import CertificateError, NtkexecError

if TYPE_CHECKING:
    from ntkexec.complexity import Study, Trend


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
    algorithm: Annotated[str, typer.Argument(help="flooding, bfs, dfs or bellman-ford.")],
    degree: Annotated[str, typer.Option(help="Most neighbours of a node, D; or several.")] = "2",
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

    Degree, word, width, padding, kind and threshold may each be several, as 1,2,4 or 1..5; every
    combination is a study. Exit status: 0, or 2 for bad input.
    """
    from ntkexec.complexity import trends
    from ntkexec.plots import certainty as certainty_plot
    from ntkexec.plots import complexity as complexity_plot
    from ntkexec.plots import style

    for file in (plot, certainty):
        if file is not None:
            style.check_target(file)
    kinds = kind.split(",")
    studies, refused = run_studies(
        algorithm,
        degrees=parse_numbers("degree", degree),
        words=[None] if word is None else parse_numbers("word", word),
        widths=[1] if draw == "gaussian" else parse_numbers("width", width),
        paddings=parse_numbers("padding", padding),
        kinds=kinds,
        graphs=graphs,
        nodes=parse_range("nodes", nodes),
        weights=parse_range("weights", weights),
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


class Refused(NamedTuple):
    """A convention for the thresholds with which no number of networks is exact, and why."""

    kind: str
    sizes: str
    threshold: str
    reason: str


# Any: the settings of `study`, passed on.
def run_studies(
    algorithm: str,
    *,
    degrees: list[int],
    words: list[int] | list[None],
    widths: list[int],
    paddings: list[int],
    kinds: list[str],
    thresholds: list[str],
    weight_std: float,
    graphs: int,
    nodes: tuple[int, int],
    weights: tuple[int, int],
    draw: vocabulary.Draw,
    seed: int,
    **settings: Any,
) -> "tuple[list[Study], list[Refused]]":
    """One study for every combination, with a progress bar on stderr.

    Of several conventions for the thresholds one that no number of networks makes exact is told
    beside the others' studies.
    """
    from ntkexec.cli.progress import bar, counted
    from ntkexec.complexity import collect, random_instances, study
    from ntkexec.ensemble import EnsembleConfig
    from ntkexec.program.problem import LearningProblem

    studies: list[Study] = []
    refused: list[Refused] = []
    sizes = list(itertools.product(degrees, words))
    variants = list(itertools.product(kinds, paddings, widths))
    with bar() as show:
        for number, (degree, word) in enumerate(sizes):
            instances = random_instances(
                algorithm,
                degree=degree,
                word=word,
                num_graphs=graphs,
                nodes=nodes,
                weights=weights,
                seed=seed,
            )
            for index, (kind, padding, width) in enumerate(variants):
                name = f"study {number * len(variants) + index + 1} of {len(sizes) * len(variants)}"
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


def as_text(studies: "list[Study]", fitted: "list[Trend]", refused: Sequence[Refused] = ()) -> str:
    """Studies as a table, and what they show."""
    header: tuple[str, ...] = (
        "kind, draw, thresholds, sizes",
        "n0",
        "m",
        "states",
        "σ²/μ²",
        "margin",
        "lower",
        "N measured",
        "99 %",
        "union",
        "certificate",
        "numerical",
        "theory",
        "published",
        "seconds",
    )
    rows = [header]
    for one in studies:
        low, high = one.median_interval
        sizes = " ".join(f"{name} {value}" for name, value in one.sizes.items())
        width = "" if one.width is None else f" width {one.width}"
        shown = ("union", "certificate", "numerical", "theory", "published")
        bounds = [getattr(one.bounds, name) for name in shown]
        rows.append(
            (
                f"{one.kind}, {one.draw}{width}, {one.threshold}, {sizes}",
                f"{one.num_inputs}",
                f"{one.max_matches}",
                f"{one.num_states}",
                f"{one.noise_ratio:.3g}",
                f"{one.smallest_margin:.3g}",
                "-" if one.bounds.lower is None else f"{one.bounds.lower}",
                f"{one.median:g} ({low:g} to {high:g})",
                f"{one.quantile(0.99):g}",
                *("-" if bound is None else f"{bound}" for bound in bounds),
                f"{one.seconds:.1f}",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    first = studies[0]
    lines = [
        f"{first.algorithm}: {first.num_graphs:,} graphs, {len(first.stable)} repetitions, "
        "thresholds by convention. N measured: median of the smallest N from which on every ensemble",
        f"is exact (95 % interval), and its 99 % quantile. Bounds at δ = {first.delta:g}, for the same D "
        "decisions: theory = 8 n0 log(D/δ), numerical puts",
        "σ²/μ² for n0. published = 8 n0 log(2 n0 T I) for all I = 2^n0 inputs, without δ.",
        "",
        *(
            "  ".join(
                cell.ljust(size) if i == 0 else cell.rjust(size)
                for i, (cell, size) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ),
    ]
    lines += [f"{one.kind}, {one.threshold}, {one.sizes}: {one.reason}" for one in refused]
    missing = sum(n is None for one in studies for n in one.stable)
    if missing:
        lines.append(
            f"{missing} repetitions found no exact ensemble up to the largest N tried, so no trend "
            "is fitted; --members tries more"
        )
    if fitted:
        lines.append("")
    for trend in fitted:
        low, high = trend.interval
        lines.append(
            f"N grows like {trend.size}^{trend.exponent:.2f} ({low:.2f} to {high:.2f}), "
            f"σ²/μ² like {trend.size}^{trend.noise_exponent:.2f}, over {trend.size} = "
            + ", ".join(f"{value:g}" for value in trend.values)
        )
    return "\n".join(lines)
