"""A run in words: for a terminal, for Python's prompt, for a notebook."""

from collections.abc import Hashable, Mapping
from typing import Any, Protocol

import numpy as np

from ntkexec.ensemble import Ensemble, GaussianEnsemble
from ntkexec.errors import clean
from ntkexec.executor import Diagnosis, Execution, Verification
from ntkexec.programs import split_words
from ntkexec.programs.instance import Instance
from ntkexec.runtime.tables import as_html, as_text
from ntkexec.theory.at_width import AtWidth
from ntkexec.theory.certificate import Certificate
from ntkexec.universal.checking import Checked

SHOWN_NODES = 40
SHOWN_IN_NOTEBOOKS = 12


class Run(Protocol):
    """What is told of a run; `ntkexec.result.Result` says what each is."""

    @property
    def instance(self) -> Instance: ...
    @property
    def engine(self) -> str: ...
    @property
    def certificate(self) -> Certificate: ...
    @property
    def delta(self) -> float: ...
    @property
    def ensemble(self) -> Ensemble | GaussianEnsemble | None: ...
    @property
    def finite_width(self) -> AtWidth | None: ...
    @property
    def train_seconds(self) -> float: ...
    @property
    def universal(self) -> Checked | None: ...
    @property
    def execution(self) -> Execution: ...
    @property
    def relies_on(self) -> str | None: ...
    @property
    def covered(self) -> bool | None: ...
    @property
    def void(self) -> bool: ...
    @property
    def diagnosis(self) -> Diagnosis | None: ...
    @property
    def exact(self) -> bool: ...
    @property
    def wrong_nodes(self) -> np.ndarray: ...
    # Any: a field's value is a number, a word, a truth or nothing.
    def by_node(self) -> Mapping[Hashable, Mapping[str, Any]]: ...


def text(run: Run) -> str:
    """Graph, program, certificate, networks, execution, answer, verdict."""
    cells = answer(run, shown=SHOWN_NODES)
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    missing = run.instance.graph.num_nodes - SHOWN_NODES
    if missing > 0:
        lines.append(f"... and {missing} more nodes (all of them with --json)")
    return "\n".join([as_text(rows(run)), "", *lines, "", *equation(run), verdict(run)])


def page(run: Run) -> str:
    """The same as HTML, for a notebook."""
    head, *nodes = answer(run, shown=SHOWN_IN_NOTEBOOKS)
    missing = run.instance.graph.num_nodes - len(nodes)
    more = f"<p>... and {missing} more nodes: <code>result.by_node()</code></p>" if missing else ""
    return as_html(rows(run), title=verdict(run)) + as_html(nodes, head=head) + more


def ensemble_told(networks: Ensemble | GaussianEnsemble) -> str:
    """Kind, draw and sizes of an ensemble."""
    config, problem = networks.config, networks.problem
    drawn = "" if config.draw == "trained" else f"{config.draw}, "
    size = f"{problem.kind}: {len(problem.components)} learning problem(s) x {config.members} network(s)"
    if isinstance(networks, GaussianEnsemble):
        return f"{drawn}{size} of infinite width"
    return f"{drawn}{size} of width {config.width}, {networks.num_parameters:,} weights"


def training(networks: Ensemble | GaussianEnsemble, seconds: float) -> str:
    """What training an ensemble took."""
    if isinstance(networks, GaussianEnsemble):
        return "none: values are drawn when a state is met"
    if networks.predicted_steps is None:
        effort = f"at most {networks.max_steps} iterations of the solver"
    else:
        effort = (
            f"at most {networks.max_steps} gradient steps ({networks.predicted_steps} predicted)"
        )
    peak = "" if networks.peak is None else f", peak {networks.peak:.2f}"
    return f"{seconds:.2f} s, {effort}, largest residual {networks.residual:.1e}{peak}"


def rows(run: Run) -> list[tuple[str, str]]:
    """A run in names and values: graph, program, certificate, networks, execution."""
    instance, execution = run.instance, run.execution
    graph, program = instance.graph, instance.program
    layout, remarks = program.layout, program.remarks
    more = f"{remarks + '; ' if remarks else ''}+ {run.certificate.problem.num_padding}"
    told = [
        (
            "graph",
            f"{clean(graph.label)}: {graph.num_nodes} nodes, {graph.num_edges} edges, degree {graph.degree}, "
            f"{graph.num_colours} colours",
        )
        if instance.num_inputs is None
        else (
            "learned from",
            f"{program.num_templates} examples, for {_count(instance.num_inputs)} inputs",
        ),
        *split_words.split_rows(instance),
        (
            "program",
            f"{program.name}: {program.num_templates} templates ({more} padding), {layout.num_bits} bits "
            f"of state, {layout.num_message_bits} of them messages",
        ),
        *certificate_rows(
            run.certificate,
            run.finite_width,
            delta=run.delta,
            num_decisions=instance.num_decisions,
            run=run,
        ),
    ]
    if run.ensemble is not None:
        told.append(("ensemble", ensemble_told(run.ensemble)))
        if run.universal is not None:
            told += run.universal.rows
        else:
            told.append(("training", training(run.ensemble, run.train_seconds)))
        told += alarm(run.ensemble)
    told.append(
        (
            "execution",
            f"{execution.steps} steps by the {run.engine} engine in {execution.run_seconds * 1e3:.1f} ms "
            f"(compiled in {execution.compile_seconds:.2f} s)",
        )
    )
    if run.relies_on is not None:
        told.append(("  relies on", run.relies_on))
    checked = execution.verification
    if checked is not None:
        told.append(
            (
                "verification",
                f"{checked.wrong_bits} wrong bits, {_margins(checked)}"
                + (", MORE THAN CERTIFIED" if run.covered is False else "")
                + (f", {execution.collisions} COLLIDING MESSAGES" if execution.collisions else ""),
            )
        )
    if run.diagnosis is not None:
        node = clean(str(instance.executed_graph.names[run.diagnosis.node]), limit=80)
        told.append(("first error", f"at node {node}: {run.diagnosis}"))
    return told


def _margins(checked: Verification) -> str:
    """What a verification calculated besides the bits."""
    if checked.smallest_margin is None or checked.largest_matches is None:
        return "compared with the program on packed states; no means were calculated"
    return f"smallest margin {checked.smallest_margin:.4f}, at most {checked.largest_matches.max()} matches"


def certificate_rows(
    certified: Certificate,
    finite: AtWidth | None,
    *,
    delta: float,
    num_decisions: int,
    run: Run | None = None,
) -> list[tuple[str, str]]:
    """A certificate in names and values: the same for a run, a training, and by itself.

    Args:
        certified: the certificate, which speaks of infinite width.
        finite: what becomes of it at a width; None where there is none.
        delta, num_decisions: what the ensemble's size is chosen for.
        run: the run that it was made for, whose numbers of matches a given bound may not have foreseen.
    """
    told = [
        ("certificate", certified.verdict() if run is None else certificate(run)),
        ("  holds for", certified.bound.basis if run is None else _scope(run)),
        ("  thresholds", conventions(certified, delta=delta, num_decisions=num_decisions)),
    ]
    if finite is not None:
        width = finite.verdict() if run is None else _as_given(run, width_told(run))
        told.append(("  this width", width))
    # Of networks whose every decision is proved, odds say nothing more.
    if run is not None and run.ensemble is not None and run.universal is None:
        told.append(("  in the limit", _as_given(run, limit_odds(run))))
    return told


def conventions(certificate: Certificate, *, delta: float, num_decisions: int) -> str:
    """The convention of the thresholds, and what the others would ask for, in one line."""
    told = []
    for name, one in certificate.conventions().items():
        if one.certified:
            size = one.ensemble_size(delta=delta, num_decisions=num_decisions)
            told.append(f"{name} {size:,} (margin {one.smallest_margin:.4f})")
        else:
            told.append(f"{name} not certified")
    return f"by {certificate.convention_in_use}; networks at this padding: " + ", ".join(
        reversed(told)
    )


def certificate(run: Run) -> str:
    """The certificate's sentence, which is about networks."""
    told = run.certificate.verdict()
    if run.engine == "linear":
        return f"none is needed: a linear read-out is exact for any program (networks: {told})"
    return told


def alarm(networks: Ensemble | GaussianEnsemble) -> list[tuple[str, str]]:
    """What was wrong with the training, if anything was, as a row."""
    told = None if isinstance(networks, GaussianEnsemble) else networks.overshoot
    return [] if told is None else [("  ALARM", told)]


def width_told(run: Run) -> str:
    """What the width does to the certificate, and what would vouch for the networks themselves."""
    finite = run.finite_width
    if finite is None:
        return ""
    if finite.covered:
        return finite.verdict()
    name = "PROGRAM" if run.instance.is_own else run.instance.program.name
    return (
        f"{finite.verdict()}; 'ntkexec certify {name} --ensemble DIR' judges stored networks "
        "themselves, decision by decision"
    )


def _scope(run: Run) -> str:
    """Which states the certificate is about, and whether a bound that was given proved right."""
    basis = run.certificate.bound.basis
    if not run.certificate.bound.given:
        return basis
    known = {True: "as it was in this run", False: "which this run exceeded", None: "not checked"}
    return f"{basis}, {known[run.covered]}"


def _as_given(run: Run, told: str) -> str:
    """What is said of a run, which a bound that somebody gave makes conditional, or void."""
    if not run.certificate.bound.given or run.covered:
        return told
    if run.void:
        return "nothing is known: more templates matched than the bound that was given"
    return told if told.startswith("not covered") else f"if the bound given is right: {told}"


def limit_odds(run: Run) -> str:
    """The union bound on a wrong bit for networks of infinite width: no bound for a run of finite
    ones, and said so."""
    if run.ensemble is None:
        return ""
    members = run.ensemble.config.members
    odds = run.certificate.failure_probability(
        num_members=members, num_decisions=run.instance.num_decisions
    )
    return (
        f"{members} network(s) of infinite width would decide a bit wrong in this run with a "
        f"probability of at most {odds:.1e}"
    )


def _count(number: int) -> str:
    """A number, as a power of two where it is long."""
    return f"{number:,}" if number < 1 << 40 else f"2^{number.bit_length() - 1}"


def answer(run: Run, *, shown: int) -> list[list[str]]:
    """A head line and the values of the first nodes, as cells."""
    by_node = run.by_node()
    fields = list(next(iter(by_node.values())))
    nodes = list(by_node.items())[:shown]
    return [
        ["node", *fields],
        *([clean(str(v), limit=80), *(_shown(row[f]) for f in fields)] for v, row in nodes),
    ]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else clean(str(value), limit=80)


def equation(run: Run) -> list[str]:
    """What was computed, such as 13 + 29 = 42, where the answer is one value; and whether it is that."""
    if run.instance.equation is None:
        return []
    field, words = run.instance.equation
    (values,) = run.by_node().values()
    wrong = "" if run.exact else ", which is wrong"
    return [f"{words} = {_shown(values[field])}{wrong}"]


def verdict(run: Run) -> str:
    """Whether the answer is exact, and where it is not; and who says what is right."""
    total, wrong = run.instance.graph.num_nodes, len(run.wrong_nodes)
    judge = "the reference"
    if run.instance.final is not None:
        judge = "the program's own Boolean execution, bit by bit"
    if run.exact:
        every = "the node equals" if total == 1 else f"all {total} nodes equal"
        return f"EXACT: {every} {judge}"
    first = clean(str(run.instance.graph.names[run.wrong_nodes[0]]), limit=80)
    return (
        f"NOT EXACT: {wrong} of {total} nodes differ from {judge}, first node {first}{_blame(run)}"
    )


def _blame(run: Run) -> str:
    """Says so where it is not the networks that are wrong."""
    checked = run.execution.verification
    if checked is None or not checked.exact or run.execution.collisions:
        return ""
    done, planned = run.execution.steps, run.instance.num_steps
    if done != planned:
        return f"; every step was the program's, and the run ended after {done} of {planned} steps"
    if run.instance.final is None:
        return "; every step was the program's: it is the program, its states, or the reference"
    return "; every step was the program's: it is the program, or its states, that differ"
