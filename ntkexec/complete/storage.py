"""A complete certificate as a file, which `python -m ntkexec.recheck` verifies on its own.

The file holds the program, the invariants, every match set, thresholds and margins. The weights
stay where they are; the file names them by their SHA-256.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ntkexec import files
from ntkexec.complete.certificate import CompleteCertificate
from ntkexec.ensemble import Manifest
from ntkexec.ensemble.storage import MANIFEST
from ntkexec.errors import CertificateError

FORMAT = "ntkexec-complete/1"


def to_data(found: CompleteCertificate, manifest: Manifest, folder: Path) -> dict[str, Any]:
    """The certificate as plain data.

    Args:
        found: the certificate.
        manifest: of the ensemble.
        folder: where its weights are; their names and digests are taken over.
    """
    program = found.problem.program
    weights = json.loads((folder / MANIFEST).read_bytes())["files"]
    lists: dict[tuple[str, ...], int] = {}
    components = []
    for one in found.components:
        rows = tuple(_hex(row) for row in one.matched)
        components.append(
            {
                "bits": list(one.component.bits),
                "templates": list(one.component.templates),
                "num_inputs": one.num_inputs,
                "match_sets": lists.setdefault(rows, len(lists)),
                "thresholds": {str(m): value for m, value in one.threshold.items()},
                "wrong": one.wrong,
                "unsure": one.unsure,
                "smallest_margin": one.smallest_margin,
                "largest_rounding": one.largest_rounding,
            }
        )
    return {
        "format": FORMAT,
        "claim": found.verdict(manifest.parameters),
        "exact": found.exact,
        "decisions": found.num_decisions,
        "algorithm": manifest.algorithm,
        "parameters": manifest.parameters,
        "kind": manifest.kind,
        "padding": manifest.padding,
        "members": manifest.config.members,
        "width": manifest.config.width,
        "weight_std": manifest.config.weight_std,
        "program": {
            "digest": program.digest,
            "layout": program.layout.to_json(),
            "templates": [
                [[(bit, bool(value)) for bit, value in entry.condition], list(entry.outputs)]
                for entry in program.templates
            ],
            "round_length": program.round_length,
        },
        "invariants": [
            {"bound": one.bound, "groups": [list(g) for g in one.groups], "reason": one.reason}
            for one in found.invariants
        ],
        "executions": [
            {
                "label": one.label,
                "senders": one.senders.tolist(),
                "receivers": one.receivers.tolist(),
                "initial": [_hex(row) for row in one.initial],
                "num_steps": one.num_steps,
            }
            for one in found.executions
        ],
        "files": weights,
        "match_sets": [list(rows) for rows in lists],
        "components": components,
    }


def write(path: Path, data: Mapping[str, Any]) -> None:
    """Writes the certificate, all or nothing.

    Raises:
        CertificateError: the file cannot be written.
    """
    content = (json.dumps(data, sort_keys=True, allow_nan=False) + "\n").encode()
    try:
        files.write(path, content)
    except OSError as error:
        raise CertificateError(f"cannot write {path}: {error.strerror}") from error


def _hex(row: np.ndarray) -> str:
    """Bits as a number in hexadecimal, the first the lowest."""
    return f"{sum(1 << int(i) for i in np.flatnonzero(row)):x}"
