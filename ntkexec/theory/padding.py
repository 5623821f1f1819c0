"""Padding: templates that never match raise n0, and with it C(m, n0) and the margins."""

from typing import Protocol, Self, TypeVar

from ntkexec.errors import CertificateError
from ntkexec.program.problem import LearningProblem

MAX_PADDING = 1 << 20


class PaddableCertificate(Protocol):
    """What the search for a padding asks of a certificate."""

    @property
    def problem(self) -> LearningProblem: ...
    @property
    def certified(self) -> bool: ...
    def with_padding(self, padding: int) -> Self: ...
    def ensemble_size(self, *, delta: float, num_decisions: int) -> int: ...
    def verdict(self) -> str: ...


C = TypeVar("C", bound=PaddableCertificate)


def padding_needed(certificate: PaddableCertificate) -> int:
    """The least padding with which the program is certified, by bisection.

    Raises:
        CertificateError: none up to a million helps.

    Source: padding lemma: C(m, n0) grows without bound in n0 at fixed m.
    """
    high = 0
    while not certificate.with_padding(high).certified:
        high = max(1, 2 * high)
        if high > MAX_PADDING:
            raise CertificateError(
                f"no padding up to {MAX_PADDING} certifies {certificate.problem.program.name}"
            )
    low = high // 2
    while low < high:
        middle = (low + high) // 2
        if certificate.with_padding(middle).certified:
            high = middle
        else:
            low = middle + 1
    return high


def padded(certificate: C, *, delta: float, num_decisions: int) -> C:
    """The certificate with the padding that makes the ensemble cheapest.

    Padding raises the margins, so fewer networks are needed, but each has more inputs and must be
    wider in proportion. The cost that is minimised, over a geometric grid, is therefore networks
    times inputs squared.

    Args:
        certificate: of the program, with any padding.
        delta: see `Certificate.ensemble_size`.
        num_decisions: likewise.

    Raises:
        CertificateError: no padding certifies the program.
    """
    try:
        least = padding_needed(certificate)
    except CertificateError:
        # Its sentence names the bit, and what would certify it.
        raise CertificateError(certificate.verdict()) from None
    base = max(1, int(certificate.problem.num_inputs.max()))
    grid = {least, *(least + round(base * step / 4) for step in (1, 2, 4, 8, 16, 32, 64))}
    if certificate.certified:
        grid.add(certificate.problem.padding)

    def cost(candidate: C) -> int:
        size = candidate.ensemble_size(delta=delta, num_decisions=num_decisions)
        return size * int((candidate.problem.num_inputs**2).sum())

    return min((certificate.with_padding(p) for p in sorted(grid)), key=cost)
