"""The page and the picture of `python -m benchmarks.complexity`."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ntkexec.complexity.bounds import published
from ntkexec.plots.complexity import SIZES, size_of
from ntkexec.plots.style import COLOURS, new_figure, save
from ntkexec.runtime import files

# Any: a panel, as `benchmarks.complexity` records it.
Panels = Mapping[str, Any]

INTRODUCTION = """# How the number of networks grows

Written by `python -m benchmarks.complexity`. *N measured* is the median over the repetitions of the smallest
number of networks from which on every ensemble executes the program exactly on all graphs, with its 95 %
confidence interval from order statistics. *States* are distinct match sets, of which an execution
visits no others. *Union* and *certificate* leave an error of 0.001, over the distinct decisions with
Gaussian tails and over all decisions, and can be compared with each other. *Published* is another thing: the
bound 8 n0 log(2 n0 T I) of the paper, for all I = 2^n0 encoded inputs and T steps, that is
8 n0 log(2 n0 T) + 8 n0^2 log 2; it names no error. `ntkexec complexity` also prints what its form would
ask for, for these decisions and this error, and a lower bound. Draws are of infinite width, 30 repetitions,
unless a width is given. Random connected graphs: flooding 100 of 5 to 12 nodes, BFS 50 of 5 to 8, DFS 20 of
4 to 6, Bellman-Ford 10 of 4 to 5 with weights 0 and 1: each what visits some hundred to a thousand states.
Thresholds are *shared* but where it is said.

![Smallest number of networks against word, degree, n0, width; two bounds](images/complexity-panels.png)

A power law is fitted to all repetitions of a panel, and left out where some had no exact ensemble up to the
largest N that was tried. Its interval is that of the regression, 95 %, and does not say whether a power law
fits: with the degree BFS does not follow one. On three to five sizes it describes the range that was
measured, no more. N cannot fall below 1, which flattens it where medians end there: by padding
sigma^2 / mu^2 is the cleaner trend.
"""
TITLES = {
    "word": "Word",
    "degree": "Degree",
    "n0": "n0, by padding",
    "width": "Width, trained networks",
    "kind": "Joint against factored",
}
NOTES = {
    "word": """At D = 2, without padding. In flooding all bits of a message are used, so m grows with the
word, and N with it. BFS and DFS only count further than these graphs need: idle bits match nothing, raise n0
and not m, and N falls, as with padding. In Bellman-Ford every bit passes the pipeline, idle or not, and N
stays.""",
    "degree": """With the first word above and 64 padding templates, without which the joint BFS is not
certified at D = 4. Degree raises both m, against N, and n0, for it; which wins depends on the program.""",
    "n0": "At D = 2. The published bound rises with n0; what it bounds falls.",
    "width": """At D = 2, with 128 padding templates, 20 repetitions of up to 32 networks trained to a
residual of 1e-4; every repetition had exact ensembles among them. The bounds are those of infinite width.
With four units for each training pair or more they hold here; with two, DFS and Bellman-Ford need more
networks than the union bound says, and Bellman-Ford more than its certificate.""",
    "kind": """At D = 3, without padding. A factored problem has the few templates that concern one bit:
whenever one of them matches, the bit is 1. So m is small, nothing interferes, and one network a bit is
enough. A joint network sees all templates at once: m is their total over all bits.""",
}
CONVENTIONS = """Where outputs become bits, joint, without padding, on the graphs above, an error of
0.001. *zero* is the paper's threshold; *shared* is one for all bits at each number of matches; *bit* one for
each bit and number of matches, w beta + Delta_m / (2 lambda), with which every conflict-free program is right
in the mean (docs/decisions/threshold.md; `ntkexec check bit-thresholds`). *Union* is over the distinct
decisions with Gaussian tails, *certificate* over all decisions. *N at infinite width* is the median and the
99 % quantile of 200 repetitions; *N trained* the smallest number of trained networks of width 3,072 from
which on all decisions were right, of up to 12, in three repetitions. No number of networks is exact where
nothing stands. The *linear read-out* of the same encoding, fitted by least squares to the same training
pairs, is the baseline: exact, without spread, for any program (docs/decisions/threshold.md says what networks
add)."""
TRAINED = """Both kinds certified for all states of every graph of degree 3 with words of 5 bits, an error of
0.001 in a million decisions, thresholds *shared*, and trained on two cores that other work kept busy; joint
ones with `--descent whitened`, padded as the certificate asks for. Compilation is included."""
COLUMNS = (
    "program",
    "n0",
    "m",
    "states",
    "sigma^2 / mu^2",
    "margin",
    "N measured",
    "union",
    "certificate",
    "published",
)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """A table in Markdown."""
    return [
        "| " + " | ".join(header) + " |",
        "|" + " --- |" * len(header),
        *("| " + " | ".join(map(str, row)) + " |" for row in rows),
        "",
    ]


def panel(found: Panels, name: str) -> list[str]:
    """A panel of all programs."""
    chosen = {key.split()[0]: value for key, value in found.items() if key.split()[1] == name}
    rows, laws = [], []
    for program, value in chosen.items():
        for one in value["studies"]:
            size = one["kind"] if name == "kind" else f"{size_of(one, name):,g}"
            rows.append([program, *([] if name == "n0" else [size]), *_row(one)])
        for trend in value["trends"]:
            if trend["size"] == name:
                low, high = trend["interval"]
                law = f"{program}: N like {name}^{trend['exponent']:.2f} ({low:.2f} to {high:.2f})"
                # At infinite width, where sigma^2 is known, no width changes it.
                noise = f", sigma^2 / mu^2 like {name}^{trend['noise_exponent']:.2f}"
                laws.append(law + ("" if name == "width" else noise))
    # In the panel of n0 the size that varies has its column anyway.
    own = [] if name == "n0" else [name]
    lines = [f"## {TITLES[name]}", "", NOTES[name], ""]
    lines += table([COLUMNS[0], *own, *COLUMNS[1:]], rows)
    return lines + ([*(f"- {law}" for law in laws), ""] if laws else [])


def _row(one: Mapping[str, Any]) -> list[str]:
    low, high = (f"{v:g}" if v is not None else "more" for v in one["median_interval"])
    median, bounds = one["median"], one["bounds"]
    return [
        f"{one['num_inputs']}",
        f"{one['max_matches']}",
        f"{one['num_states']:,}",
        f"{one['noise_ratio']:.3g}",
        f"{one['smallest_margin']:.3g}",
        "none" if median is None else f"{median:g} ({low} to {high})",
        *("" if bounds[b] is None else f"{bounds[b]:,}" for b in ("union", "certificate")),
        f"{_published(one):,}",
    ]


def _published(one: Mapping[str, Any]) -> int:
    # From the sizes, which records that are older than this bound have too. A factored problem is taken
    # for its largest component.
    return published(one["num_inputs"], one["num_steps"])


def trained(found: Panels) -> list[str]:
    """Certified ensembles of both kinds."""
    header = (
        "program",
        "kind",
        "problems",
        "n0",
        "m",
        "margin",
        "N",
        "width",
        "steps",
        "residual",
        "s to certify",
        "s in all",
        "CPU s",
    )
    rows = [
        [
            key.split()[0],
            row["kind"],
            row["problems"],
            row["inputs"],
            row["matches"],
            f"{row['margin']:.3g}",
            row["members"],
            f"{row['width']:,}",
            row["steps"],
            f"{row['residual']:.1e}",
            f"{row['seconds_to_certify']:.1f}",
            f"{row['seconds']:.1f}",
            f"{row['cpu_seconds']:.1f}",
        ]
        for key, value in found.items()
        if key.split()[1] == "trained"
        for row in value["rows"]
    ]
    return [
        "## Trained for all states",
        "",
        TRAINED,
        "",
        *table(header, rows),
    ]


def conventions(found: Panels) -> list[str]:
    """The conventions of thresholds side by side."""
    bounds = ("union", "certificate", "N at infinite width", "N trained")
    header = ("program", "D", "n0", "m", "thresholds", *bounds)
    rows = []
    for key, value in found.items():
        if key.split()[1] != "conventions":
            continue
        for row in value["rows"]:
            if "wrong" in row:
                # No spread, so one is as many as any number.
                exact = "1, 1" if row["wrong"] == 0 else "none"
                row = row | {"union": 1, "certificate": 1}
            drawn = row.get("gaussian")
            networks = row.get("trained", [])
            numbers = (
                "" if n is None else f"{n:,}" for n in (row.get("union"), row.get("certificate"))
            )
            rows.append(
                [
                    key.split()[0],
                    row["degree"],
                    row["n0"],
                    row["m"],
                    row["convention"],
                    *numbers,
                    exact if "wrong" in row else f"{drawn[0]:g}, {drawn[1]:g}" if drawn else "",
                    ", ".join("more" if n is None else f"{n:g}" for n in networks),
                ]
            )
    return ["## Conventions of thresholds", "", CONVENTIONS, "", *table(header, rows)]


def page(found: Panels) -> str:
    """The page."""
    lines = [INTRODUCTION, *conventions(found)]
    for name in TITLES:
        lines += panel(found, name)
    return "\n".join(lines + trained(found)).rstrip() + "\n"


def picture(found: Panels, path: pathlib.Path) -> None:
    """Measured numbers and two bounds of all programs, a panel for each size."""
    figure = new_figure(11, 8)
    names = ("word", "degree", "n0", "width")
    for axes, name in zip(figure.subplots(2, 2).flat, names, strict=True):
        keys = [key for key in found if key.split()[1] == name]
        for key, colour in zip(keys, COLOURS, strict=False):
            studies = found[key]["studies"]
            x = np.array([size_of(one, name) for one in studies])
            median = np.array([one["median"] or np.nan for one in studies], float)
            interval = np.array(
                [[np.nan if v is None else v for v in one["median_interval"]] for one in studies],
                float,
            )
            axes.errorbar(
                x,
                median,
                np.abs(interval.T - median),
                color=colour,
                marker="o",
                capsize=3,
                label=key.split()[0],
            )
            axes.plot(x, [one["bounds"]["certificate"] for one in studies], "--", color=colour)
            axes.plot(x, [_published(one) for one in studies], ":", color=colour)
        axes.plot([], [], "--", color="black", label="certificate, error 0.001")
        axes.plot([], [], ":", color="black", label="published, all inputs")
        axes.set_yscale("log")
        if name in ("n0", "width"):
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter("{x:g}")
        else:
            axes.xaxis.set_major_locator(_integers())
        axes.set_xlabel(SIZES[name])
        axes.grid(axis="y", alpha=0.3)
    figure.axes[0].set_ylabel("networks N")
    figure.axes[2].set_ylabel("networks N")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=6, frameon=False)
    save(figure, path)


def _integers() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True)


def write(found: Panels, page_path: pathlib.Path, picture_path: pathlib.Path) -> None:
    """Writes both."""
    picture(found, picture_path)
    files.write(page_path, page(found).encode("utf-8"))
