"""Results in words, for a terminal."""

from collections.abc import Mapping
from pathlib import Path

from ntkexec import summary
from ntkexec.ensemble import Ensemble, GaussianEnsemble
from ntkexec.program.fields import Field, Table
from ntkexec.program.program import Program
from ntkexec.programs.sizes import ProgramSizes
from ntkexec.theory.at_width import AtWidth
from ntkexec.theory.certificate import Certificate


def certificate(
    found: Certificate, finite: AtWidth | None, *, delta: float, num_decisions: int
) -> str:
    """A certificate, with the ensemble size that it asks for in the limit and at a width."""
    told = summary.conventions(found, delta=delta, num_decisions=num_decisions)
    lines = [str(found), f"conventions   {told}"]
    if finite is not None:
        lines.append(f"finite width  {finite.verdict()}")
    if found.certified:
        size = found.ensemble_size(delta=delta, num_decisions=num_decisions)
        lines.append(
            f"ensemble      {size} network(s) per learning problem, for {num_decisions:,} decisions "
            f"all right with probability {probability(delta)} (infinite width, union bound)"
        )
        if finite is not None and finite.holds:
            size = finite.ensemble_size(delta=delta, num_decisions=num_decisions)
            lines.append(f"              {size} at width {finite.width}, with what the bias leaves")
    return "\n".join(lines)


def probability(delta: float) -> str:
    """1 - delta, never rounded to a certainty."""
    told = f"{1 - delta:g}"
    return told if float(told) < 1 else f"1 - {delta:g}"


def program(
    found: Program,
    counts: ProgramSizes,
    about: str,
    parameters: Mapping[str, int],
    *,
    templates: bool,
) -> str:
    """A program's counts and fields, and its templates if asked for."""
    layout = found.layout
    rows = [
        ("program", f"{found.name}: {about}"),
        ("sizes", ", ".join(f"{name} {value}" for name, value in parameters.items())),
        *counts.rows(),
        ("kept", ", ".join(_field(field) for field in layout.computation)),
        ("messages", ", ".join(_field(field) for field in layout.messages)),
    ]
    return summary.table(rows) + (f"\n\n{found.listing()}" if templates else "")


def _field(field: Field) -> str:
    if isinstance(field, Table):
        inner = ", ".join(_field(leaf) for leaf in field.fields)
        return f"{field.name}[{field.slots}] ({inner})"
    return f"{field.name} ({field.kind} of {field.num_bits})" if field.num_bits > 1 else field.name


def trained(
    networks: Ensemble | GaussianEnsemble,
    finite: AtWidth,
    conventions: str,
    parameters: Mapping[str, int],
    folder: Path,
    seconds: float,
) -> str:
    """What `ntkexec train` stored."""
    sizes = ", ".join(f"{name} {value}" for name, value in parameters.items())
    return summary.table(
        [
            ("program", f"{finite.certificate.problem.program!r}"),
            ("sizes", sizes),
            ("certificate", finite.certificate.verdict()),
            ("  thresholds", conventions),
            ("  this width", finite.verdict()),
            ("ensemble", summary.ensemble(networks)),
            ("training", summary.training(networks, seconds)),
            *summary.alarm(networks),
            ("stored in", str(folder)),
        ]
    )
