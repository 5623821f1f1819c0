"""A theorem's folder, as `python -m ntkexec.recheck` reads it."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ntkexec.complete.storage import program_data
from ntkexec.ensemble.stored import MANIFEST, sha256
from ntkexec.errors import ProofError
from ntkexec.program.program import Program
from ntkexec.prove.evidence import Evidence
from ntkexec.recheck.theorem.theorem import Theorem
from ntkexec.recheck.theorem.verification import (
    CERTIFICATE,
    FORMAT,
    PROOFS,
    THEOREM,
    proof_name,
)

PAGE = "index.html"
OWN = {THEOREM, CERTIFICATE, PROOFS, PAGE}


def about_ensemble(certificate: bytes, folder: Path) -> dict[str, str]:
    """The digests of an ensemble, and of the certificate that is stored with the theorem.

    Args:
        certificate: as it is written.
        folder: of the ensemble.
    """
    manifest = (folder / MANIFEST).read_bytes()
    return {
        "certificate": sha256(certificate),
        "manifest": sha256(manifest),
        "thresholds": json.loads(manifest)["thresholds"]["sha256"],
    }


def theorem_data(
    theorem: Theorem,
    program: Program,
    evidence: Evidence,
    *,
    statement: str,
    specification: Any = None,
    ensemble: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The theorem as plain data.

    Args:
        theorem: what is claimed.
        program: of which.
        evidence: for it.
        statement: its name, among those that `ntkexec.recheck` knows.
        specification: what the statement takes as data.
        ensemble: see `about_ensemble`.
    """
    return {
        "format": FORMAT,
        "statement": statement,
        "sizes": dict(theorem.sizes),
        "specification": specification,
        "sentence": theorem.sentence,
        "scope": list(theorem.scope),
        "prose": list(theorem.prose),
        "program": program_data(program),
        "ensemble": ensemble,
        "obligations": [
            {
                "name": proof.obligation,
                "part": proof.part,
                "clauses": proof.clauses,
                "formula": proof.formula,
                "proof": sha256(proof.text.encode()),
            }
            for proof in evidence.proofs
        ],
        "witnesses": {name: dict(witness) for name, witness in evidence.witnesses.items()},
    }


def check_folder(folder: Path) -> None:
    """Raises, before any work is done, if a theorem cannot be written there.

    Raises:
        ProofError: a file, or a folder that holds something else than a theorem.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ProofError(f"cannot write a theorem to {folder}: it is no folder")
    if folder.exists():
        other = sorted({path.name for path in folder.iterdir()} - OWN)
        if other:
            raise ProofError(
                f"{folder} holds {other[0]!r}, which is no part of a theorem; give a folder of its own"
            )


@contextlib.contextmanager
def made_at(folder: Path | None) -> Iterator[Path]:
    """A new folder to be filled, which then takes its place, whole; None for one that is thrown away.

    Raises:
        ProofError: see `check_folder`, or nothing can be written there.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as there:
            yield Path(there)
        return
    check_folder(folder)
    target = folder.absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as there:
            new = Path(there) / "new"
            new.mkdir()
            yield new
            if target.exists():
                shutil.move(target, Path(there) / "old")
            new.rename(target)
    except OSError as error:
        raise ProofError(f"cannot write {folder}: {error.strerror}") from error


def fill(
    folder: Path, data: Mapping[str, Any], evidence: Evidence, certificate: bytes | None
) -> None:
    """Writes what is verified: the theorem, its proofs and the certificate of its ensemble."""
    (folder / PROOFS).mkdir()
    for proof in evidence.proofs:
        path = folder / PROOFS / proof_name(proof.obligation, proof.part)
        path.write_text(proof.text, encoding="ascii")
    if certificate is not None:
        (folder / CERTIFICATE).write_bytes(certificate)
    content = json.dumps(data, sort_keys=True, indent=1, allow_nan=False) + "\n"
    (folder / THEOREM).write_text(content, encoding="utf-8")
