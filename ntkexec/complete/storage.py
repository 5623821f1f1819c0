"""A complete certificate as a file, which `python -m ntkexec.recheck` verifies on its own.

The file holds the program, the invariants, every match set and the margins. Weights and thresholds
stay where they are; the file names them by the SHA-256 of the manifest, which has theirs.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ntkexec.complete.certificate import CompleteCertificate
from ntkexec.ensemble import Manifest
from ntkexec.ensemble.reading import MAX_TEXT, read_regular
from ntkexec.ensemble.stored import MANIFEST, sha256
from ntkexec.errors import CertificateError
from ntkexec.program.program import Program
from ntkexec.runtime import files

FORMAT = "ntkexec-complete/2"


def to_data(certificate: CompleteCertificate, manifest: Manifest, folder: Path) -> dict[str, Any]:
    """The certificate as plain data.

    Args:
        certificate: what was proven.
        manifest: of the ensemble.
        folder: where its weights are; the digest of its manifest, which has all others, is taken
            over.
    """
    program, config = certificate.problem.program, manifest.config
    lists: dict[tuple[str, ...], int] = {}
    components = []
    for one in certificate.components:
        rows = tuple(_hex(row) for row in one.matched)
        components.append(
            {
                "bits": list(one.component.bits),
                "templates": list(one.component.templates),
                "num_inputs": one.num_inputs,
                "match_sets": lists.setdefault(rows, len(lists)),
                "smallest_margin": finite(one.smallest_margin),
            }
        )
    return {
        "format": FORMAT,
        "claim": certificate.verdict(),
        "exact": certificate.exact,
        "decisions": certificate.num_decisions,
        "ensemble": sha256(read_regular(folder / MANIFEST, MAX_TEXT)),
        "algorithm": manifest.algorithm,
        "parameters": manifest.parameters,
        "kind": manifest.kind,
        "padding": manifest.padding,
        "convention": manifest.convention,
        "members": config.members,
        "width": config.width,
        "weight_std": config.weight_std,
        "draw": config.draw,
        "program": program_data(program),
        "invariants": [
            {"bound": one.bound, "groups": [list(g) for g in one.groups]}
            for one in certificate.invariants
        ],
        "executions": [
            {
                "senders": one.senders.tolist(),
                "receivers": one.receivers.tolist(),
                "initial": [_hex(row) for row in one.initial],
                "num_steps": one.num_steps,
            }
            for one in certificate.executions
        ],
        "match_sets": [list(rows) for rows in lists],
        "components": components,
    }


def program_data(program: Program) -> dict[str, Any]:
    """A program as plain data, what `recheck` reads of it."""
    return {
        "digest": program.digest,
        "layout": program.layout.to_json(),
        "templates": [
            [[(bit, bool(value)) for bit, value in entry.condition], list(entry.outputs)]
            for entry in program.templates
        ],
        "round_length": program.round_length,
    }


def as_written(data: Mapping[str, Any]) -> bytes:
    """The certificate's data as a file holds them."""
    return (json.dumps(data, sort_keys=True, allow_nan=False) + "\n").encode()


def finite(number: float) -> float | None:
    """What JSON can hold: None for what is no finite number."""
    return number if math.isfinite(number) else None


def write(path: Path, data: Mapping[str, Any]) -> None:
    """Writes the certificate, all or nothing.

    Raises:
        CertificateError: the file cannot be written.
    """
    try:
        files.write(path, as_written(data))
    except OSError as error:
        raise CertificateError(f"cannot write {path}: {error.strerror}") from error


def _hex(row: np.ndarray) -> str:
    """Bits as a number in hexadecimal, the first the lowest."""
    return f"{sum(1 << int(i) for i in np.flatnonzero(row)):x}"
