"""The networks that a certificate asks for: how wide, how many, and drawn."""

import dataclasses
import math
import os
from collections.abc import Callable
from pathlib import Path

from ntkexec.ensemble import limits
from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.gaussian import GaussianEnsemble
from ntkexec.ensemble.storage import draw
from ntkexec.ensemble.trained import Ensemble
from ntkexec.ensemble.training import Progress
from ntkexec.errors import EnsembleError
from ntkexec.theory.at_width import AtWidth
from ntkexec.theory.certificate import Certificate
from ntkexec.vocabulary import Descent

MIN_WIDTH = 1024
# A network's kernel is close to its limit if it is much wider than its training set is large.
WIDTH_PER_TEMPLATE = 16


@dataclasses.dataclass(frozen=True)
class Ensembling:
    """Which networks are wanted, of those that a certificate speaks of.

    Args:
        members: networks for every learning problem; by default what the certificate's delta needs.
        width: hidden units of a network; by default `default_width`.
        seed: of the initial weights.
        descent: how they are trained; see `EnsembleConfig`.
        trained: folder of a trained ensemble, which is then used and decides the sizes and kind.
        universal: whether an ensemble that comes with the package is used where one serves the
            program and the graph, and nothing else is asked of the networks; see `ntkexec.universal`.
        remembered: folder in which it is remembered that the certificate of such an ensemble was
            checked; None for nowhere, so that every process checks it again.
    """

    members: int | None = None
    width: int | None = None
    seed: int = 0
    descent: Descent = "auto"
    trained: str | os.PathLike[str] | None = None
    universal: bool = True
    remembered: Path | None = None


def default_width(certificate: Certificate, descent: Descent = "auto") -> int:
    """The width that training uses if none is asked for.

    It grows with the problem's size, and is at least what keeps the bias of a finite width small
    against every margin, where that is known; see `ntkexec.theory.at_width`.
    """
    problem = certificate.problem
    largest = max(max(s.num_inputs, s.num_outputs) for s in problem.stacks)
    width = MIN_WIDTH * math.ceil(WIDTH_PER_TEMPLATE * largest / MIN_WIDTH)
    needed = AtWidth(certificate, width, descent).width_needed()
    if needed.covered and needed.value > width:
        width = MIN_WIDTH * math.ceil(needed.value / MIN_WIDTH)
    return width


def at_width(
    certificate: Certificate, width: int | None = None, descent: Descent = "auto"
) -> AtWidth:
    """What a certificate says of networks of a width, by default `default_width`.

    Raises:
        EnsembleError: a width below 1.
    """
    if width is not None and width < 1:
        raise EnsembleError(f"width must be at least 1, got {width}")
    if width is None:
        width = default_width(certificate, descent)
    return AtWidth(certificate, width, descent)


def at_width_of(
    certificate: Certificate, networks: Ensemble | GaussianEnsemble | None
) -> AtWidth | None:
    """What a certificate says of these networks; None if they are of infinite width, or none."""
    if networks is None or isinstance(networks, GaussianEnsemble):
        return None
    config = networks.config
    return AtWidth(certificate, config.width, config.descent, config.tolerance)


def ensemble_config(
    finite: AtWidth, *, members: int | None, seed: int, delta: float, num_decisions: int
) -> EnsembleConfig:
    """How to draw networks of that width: as many as are asked for, or what delta needs.

    Raises:
        CertificateError: the bias of that width eats a margin.
    """
    certificate = finite.certificate
    if members is None:
        members = finite.ensemble_size(delta=delta, num_decisions=num_decisions)
    else:
        finite.require()
    config = EnsembleConfig(
        members=members,
        width=finite.width,
        weight_std=certificate.weight_std,
        seed=seed,
        draw=certificate.draw,
        descent=finite.descent,  # type: ignore[arg-type]
    )
    limits.check_ensemble(certificate.problem, config)
    return config


def networks_for(
    certificate: Certificate,
    wanted: Ensembling,
    *,
    delta: float,
    num_decisions: int,
    report: Callable[[Progress], None] = lambda _: None,
) -> Ensemble | GaussianEnsemble:
    """Draws the networks that a certificate asks for.

    Args:
        certificate: of the learning problem.
        wanted: how many, how wide, and from which seed.
        delta: probability of any wrong bit to allow for.
        num_decisions: how many bits are decided.
        report: called with the progress of training.

    Raises:
        CertificateError: the bias of that width eats a margin.
        EnsembleError: they do not fit into memory, or training fails.
    """
    config = ensemble_config(
        at_width(certificate, wanted.width, wanted.descent),
        members=wanted.members,
        seed=wanted.seed,
        delta=delta,
        num_decisions=num_decisions,
    )
    return draw(certificate.problem, config, report=report)
