"""Results in words, for a terminal."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

from ntkexec.certificate import Certificate
from ntkexec.ensemble import Ensemble, GaussianEnsemble
from ntkexec.layout import Field, Table
from ntkexec.program_report import ProgramReport
from ntkexec.result import Result
from ntkexec.template import Program

SHOWN_NODES = 40


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values in two columns."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def certificate(found: Certificate, *, delta: float, num_decisions: int) -> str:
    """A certificate, with the ensemble size that it asks for."""
    lines = [str(found)]
    if found.certified:
        size = found.ensemble_size(delta=delta, num_decisions=num_decisions)
        lines.append(
            f"ensemble      {size} network(s) per learning problem, for {num_decisions:,} decisions "
            f"all right with probability {1 - delta:g} (infinite width, union bound)"
        )
    return "\n".join(lines)


def program(
    found: Program,
    counts: ProgramReport,
    summary: str,
    parameters: Mapping[str, int],
    *,
    templates: bool,
) -> str:
    """A program's counts and fields, and its templates if asked for."""
    layout = found.layout
    rows = [
        ("program", f"{found.name}: {summary}"),
        ("sizes", ", ".join(f"{name} {value}" for name, value in parameters.items())),
        *counts.rows(),
        ("kept", ", ".join(_field(field) for field in layout.computation)),
        ("messages", ", ".join(_field(field) for field in layout.messages)),
    ]
    return table(rows) + (f"\n\n{found.listing()}" if templates else "")


def _field(field: Field) -> str:
    if isinstance(field, Table):
        inner = ", ".join(_field(leaf) for leaf in field.fields)
        return f"{field.name}[{field.slots}] ({inner})"
    return f"{field.name} ({field.kind} of {field.num_bits})" if field.num_bits > 1 else field.name


def trained(
    networks: Ensemble | GaussianEnsemble,
    found: Certificate,
    parameters: Mapping[str, int],
    folder: Path,
    seconds: float,
) -> str:
    """What `ntkexec train` stored."""
    sizes = ", ".join(f"{name} {value}" for name, value in parameters.items())
    return table(
        [
            ("program", f"{found.problem.program!r}"),
            ("sizes", sizes),
            ("certificate", found.verdict()),
            ("ensemble", _ensemble(networks)),
            ("training", _training(networks, seconds)),
            ("stored in", str(folder)),
        ]
    )


def _ensemble(networks: Ensemble | GaussianEnsemble) -> str:
    config, problem = networks.config, networks.problem
    drawn = "" if config.draw == "trained" else f"{config.draw}, "
    size = f"{problem.kind}: {len(problem.components)} learning problem(s) x {config.members} network(s)"
    if isinstance(networks, GaussianEnsemble):
        return f"{drawn}{size} of infinite width"
    return f"{drawn}{size} of width {config.width}, {networks.num_parameters:,} weights"


def _training(networks: Ensemble | GaussianEnsemble, seconds: float) -> str:
    if isinstance(networks, GaussianEnsemble):
        return "none: values are drawn when a state is met"
    if networks.predicted_steps is None:
        effort = f"at most {networks.max_steps} iterations of the solver"
    else:
        effort = (
            f"at most {networks.max_steps} gradient steps ({networks.predicted_steps} predicted)"
        )
    return f"{seconds:.2f} s, {effort}, largest residual {networks.residual:.1e}"


def result(found: Result) -> str:
    """A run: graph, program, certificate, networks, execution, answer, verdict."""
    instance, execution = found.instance, found.execution
    graph, program = instance.graph, instance.program
    layout = program.layout
    rows = [
        (
            "graph",
            f"{graph.label}: {graph.num_nodes} nodes, {graph.num_edges} edges, degree {graph.degree}, "
            f"{graph.num_colours} colours",
        )
        if instance.num_inputs is None
        else (
            "learned from",
            f"{program.num_templates} examples, for {_count(instance.num_inputs)} inputs",
        ),
        (
            "program",
            f"{program.name}: {program.num_templates} templates (+ {found.certificate.problem.num_padding} "
            f"padding), {layout.num_bits} bits of state, {layout.num_message_bits} of them messages",
        ),
        ("certificate", found.certificate.verdict()),
        ("  holds for", found.certificate.bound.basis),
    ]
    if found.ensemble is not None:
        bound = found.certificate.failure_probability(
            num_members=found.ensemble.config.members, num_decisions=instance.num_decisions
        )
        rows += [
            ("ensemble", _ensemble(found.ensemble)),
            ("training", _training(found.ensemble, found.train_seconds)),
            ("  error bound", f"{bound:.1e} for the whole run (infinite width, union bound)"),
        ]
    rows.append(
        (
            "execution",
            f"{execution.steps} steps by the {found.engine} engine in {execution.run_seconds * 1e3:.1f} ms "
            f"(compiled in {execution.compile_seconds:.2f} s)",
        )
    )
    if found.relies_on is not None:
        rows.append(("  relies on", found.relies_on))
    checked = execution.verification
    if checked is not None:
        rows.append(
            (
                "verification",
                f"{checked.wrong_bits} wrong bits, smallest margin {checked.smallest_margin:.4f}, at most "
                f"{checked.largest_matches.max()} matches"
                + ("" if found.covered else ", MORE THAN CERTIFIED")
                + (f", {execution.collisions} COLLIDING MESSAGES" if execution.collisions else ""),
            )
        )
    if found.diagnosis is not None:
        node = graph.names[found.diagnosis.node]
        rows.append(("first error", f"at node {node}: {found.diagnosis}"))
    return "\n".join([table(rows), "", _answer(found.by_node()), "", _verdict(found)])


def _count(number: int) -> str:
    """A number, as a power of two where it is long."""
    return f"{number:,}" if number < 1 << 40 else f"2^{number.bit_length() - 1}"


def _answer(by_node: Mapping[Hashable, Mapping[str, object]]) -> str:
    fields = list(next(iter(by_node.values())))
    rows = [["node", *fields]]
    for name, values in list(by_node.items())[:SHOWN_NODES]:
        rows.append([str(name), *(_shown(values[f]) for f in fields)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    if len(by_node) > SHOWN_NODES:
        lines.append(f"... and {len(by_node) - SHOWN_NODES} more nodes (all of them with --json)")
    return "\n".join(lines)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


def _verdict(found: Result) -> str:
    total, wrong = found.instance.graph.num_nodes, len(found.wrong_nodes)
    if found.exact:
        return f"EXACT: all {total} nodes equal the reference"
    first = found.instance.graph.names[found.wrong_nodes[0]]
    return f"NOT EXACT: {wrong} of {total} nodes differ from the reference, first node {first}"
