"""`ntkexec prove`: a theorem about a program on all graphs, or about an ensemble that executes it."""

import contextlib
import json as encoder
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ntkexec.cli import options, own

if TYPE_CHECKING:
    from ntkexec.prove.making import Made

EXAMPLE = "ntkexec prove bfs --degree 2 --word 3 --out theorem"


def command(
    algorithm: Annotated[
        str,
        typer.Argument(
            metavar="PROGRAM",
            help="bfs, dfs, flooding, bellman-ford, a LOCAL algorithm, ...; or your own: module:name.",
        ),
    ],
    degree: options.Degree = None,
    word: options.Word = None,
    slots: options.Slots = None,
    arrival_bits: options.ArrivalBits = None,
    depth_bits: options.DepthBits = None,
    ensemble: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a trained ensemble, which the theorem is then about; it brings its sizes."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the theorem, its proofs and its page; see recheck."),
    ] = None,
    dimacs: Annotated[
        Path | None,
        typer.Option(help="Folder for formulas in DIMACS and proofs in DRAT and LRAT, for others."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that look for proofs.")] = 1,
    json: options.Json = False,
) -> None:
    """Prove what a program computes on every graph of its sizes; with --ensemble, what networks do.

    Verify it: python -m ntkexec.recheck FOLDER [ENSEMBLE]. Needs ntkexec[prove].

    Exit status: 0 if proved, 1 if something does not follow or is decided wrong, 2 for bad input.
    """
    from ntkexec.cli import progress
    from ntkexec.errors import NtkexecError, SatisfiableError
    from ntkexec.prove import folder, making, subject
    from ntkexec.runtime import files

    if out is not None:
        folder.check_folder(out)
        files.check_folder(out)
        if ensemble is not None and {ensemble.resolve()} & {out.resolve(), *out.resolve().parents}:
            raise NtkexecError(f"{ensemble} is for weights; write the theorem beside it")
    if dimacs is not None:
        files.check_folder(dimacs)
    sizes = {
        "degree": degree,
        "word": word,
        "slots": slots,
        "arrival_bits": arrival_bits,
        "depth_bits": depth_bits,
    }
    certificate = None
    with progress.bar() as show:
        mine = own.of_the_user(algorithm) if ":" in algorithm else contextlib.nullcontext()
        with mine:
            asked = (
                subject.asked_for(algorithm, **sizes)
                if ensemble is None
                else subject.learned(ensemble, algorithm, **sizes)
            )
        if ensemble is not None:
            certificate, found = subject.certificate_of(
                ensemble, asked, progress.counted(show, "certifying")
            )
            if not found.exact:
                typer.echo(found.verdict())
                raise typer.Exit(1)
        try:
            made = making.make(
                asked,
                out,
                ensemble=ensemble,
                certificate=certificate,
                jobs=jobs,
                report=progress.counted(show, "proving"),
            )
        except SatisfiableError as error:
            typer.echo(f"NOT PROVED: {error}")
            raise typer.Exit(1) from error
        if dimacs is not None:
            show("writing formulas and proofs", 0, None)
            subject.write_for_others(asked, dimacs)
    typer.echo(encoder.dumps(made.to_data()) if json else _text(made, out, ensemble))


def _text(made: "Made", out: Path | None, ensemble: Path | None) -> str:
    from ntkexec.recheck.theorem import words

    found = words.lines(made.verified)
    found.append(
        f"proved in {made.proving:.1f} s, verified in {made.checking:.1f} s; proofs of"
        f" {made.bytes / 1e3:,.0f} kB"
    )
    if out is not None:
        folders = " ".join(str(one) for one in (out, ensemble) if one is not None)
        found.append(f"stored in {out}; verify: python -m ntkexec.recheck {folders}")
    return "\n".join(found)
