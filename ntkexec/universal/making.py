"""The universal ensembles as they were made: trained from a seed, and proved decision by decision.

No probability is involved: where every decision is checked, one network a bit is enough, if it is
wide enough for all of them to be right.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ntkexec import complete, ensemble
from ntkexec.certifying import DECISIONS, Certifying, certify
from ntkexec.complete import CompleteCertificate
from ntkexec.ensemble import Ensemble, Progress, thresholds
from ntkexec.ensemble.sizing import at_width, ensemble_config
from ntkexec.errors import CertificateError, EnsembleError, did_you_mean, shown
from ntkexec.programs import find_algorithm
from ntkexec.universal.shipped import FOLDER, proof_of, stored

# Degree 3 and 10 slots serve every split graph. The others say how large a graph may be: distances
# and times up to 1,023, and trees of the depth that 2^31 leaves need.
SIZES: dict[str, dict[str, int]] = {
    "bfs-split": {"degree": 3, "slots": 10, "word": 10, "depth_bits": 5},
    "flooding-split": {
        "degree": 3,
        "slots": 10,
        "message_bits": 4,
        "arrival_bits": 10,
        "depth_bits": 6,
    },
    "bellman-ford": {"degree": 3, "slots": 10, "word": 12},
}
"""By program, the sizes that its universal ensemble is trained for."""

MEMBERS, WIDTH, SEED = 1, 512, 0


def make(
    name: str, folder: Path, *, report: Callable[[Progress], None] = lambda _: None
) -> CompleteCertificate:
    """Trains a program's universal ensemble into a folder, and writes its complete certificate beside it.

    Args:
        name: of the program, one of `SIZES`.
        folder: gets the ensemble's folder and the certificate, both called as the program.
        report: called with the progress of training.

    Raises:
        EnsembleError: another program, or training fails.
        CertificateError: a decision is not proved right.
    """
    if name not in SIZES:
        raise EnsembleError(
            f"{shown(name)} has no universal ensemble; there are those of {', '.join(SIZES)}"
            f"{did_you_mean(name, SIZES)}"
        )
    program = find_algorithm(name).program(**SIZES[name])
    certificate = certify(program, Certifying())
    config = ensemble_config(
        at_width(certificate, WIDTH),
        members=MEMBERS,
        seed=SEED,
        delta=Certifying.delta,
        num_decisions=DECISIONS,
    )
    networks = ensemble.train(
        certificate.problem,
        config,
        directory=folder / name,
        sizes=SIZES[name],
        thresholds=thresholds.running(certificate),
        convention=certificate.convention,
        report=report,
    )
    found = complete.complete(networks)
    if not found.exact:
        raise CertificateError(f"the universal ensemble of {name} is not exact: {found.verdict()}")
    manifest = ensemble.read_manifest(folder / name)
    complete.write(proof_of(name, folder), complete.to_data(found, manifest, folder / name))
    return found


def difference(networks: Ensemble, name: str, folder: Path = FOLDER) -> float:
    """How far weights are from those that come with the package: the largest difference of any two.

    0 where they are equal bit for bit. Training adds in float32, in an order that depends on the
    processor and on XLA; so elsewhere the last bits may differ.

    Args:
        networks: trained as `make` trains them.
        name: of the program.
        folder: where those that come with the package are.

    Raises:
        EnsembleError: they are of other shapes.
    """
    shipped = stored(name, folder).load(networks.problem.program)
    largest = 0.0
    for mine, theirs in zip(networks.weights, shipped.weights, strict=True):
        for layer in ("hidden", "output"):
            one, other = getattr(mine, layer), getattr(theirs, layer)
            if one.shape != other.shape:
                raise EnsembleError(
                    f"weights of shape {one.shape}, where those that come with {name} have {other.shape}"
                )
            if not np.array_equal(one, other):
                largest = max(largest, float(np.abs(one - other).max()))
    return largest
