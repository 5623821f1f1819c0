"""`ntkexec train --universal`: an ensemble that comes with the package, made again and compared."""

import json
from pathlib import Path

import typer

from ntkexec import universal
from ntkexec.cli import progress
from ntkexec.errors import NtkexecError
from ntkexec.runtime import files
from ntkexec.runtime.tables import as_text

TAKEN = ("algorithm", "out", "json", "universal")
"""What of `ntkexec train` goes with --universal; everything else would change the networks."""


def refuse_others(context: typer.Context) -> None:
    """Raises NtkexecError if anything besides `TAKEN` was given, at whatever value."""
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        if parameter.name not in TAKEN and source is not None and source.name == "COMMANDLINE":
            told = parameter.opts[0] if parameter.opts[0].startswith("-") else "GRAPH"
            raise NtkexecError(f"--universal has its sizes and networks; it goes without {told}")


def train_again(name: str, out: Path, *, as_json: bool) -> None:
    """Trains a universal ensemble, certifies it, and prints how far it is from the one that is shipped.

    Args:
        name: of the program.
        out: gets a folder with the ensemble and the certificate beside it.
        as_json: print an object instead of text.
    """
    files.check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    with progress.bar() as show:
        proof = universal.make(name, out, report=progress.of_training(show))
    distance = universal.difference(proof.ensemble, name)
    folder, certificate = out / name, universal.proof_of(name, out)
    if as_json:
        print(
            json.dumps(
                {
                    "algorithm": name,
                    "parameters": universal.SIZES[name],
                    "claim": proof.verdict(),
                    "decisions": proof.num_decisions,
                    "smallest_margin": proof.smallest_margin,
                    "largest_difference": distance,
                    "folder": str(folder),
                    "certificate": str(certificate),
                }
            )
        )
        return
    compared = (
        "the weights are those that come with ntkexec, bit for bit"
        if distance == 0
        else f"weights differ by up to {distance:.1e} from those that come with ntkexec"
    )
    print(
        as_text(
            [
                ("program", repr(proof.problem.program)),
                ("certificate", proof.verdict()),
                (
                    "  margin",
                    f"at least {proof.smallest_margin:.4f}, in {proof.num_decisions:,} decisions",
                ),
                ("compared", compared),
                (
                    "stored in",
                    f"{folder}; verify: python -m ntkexec.recheck {certificate} {folder}",
                ),
            ]
        )
    )
