"""When the Heaviside of the kernel's mean is the union of the matched templates."""

import numpy as np
from jaxtyping import Bool

from ntkexec.engines.kernel import KernelEngine, kernel_engine
from ntkexec.errors import CertificateError
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.rounding import FLOAT32, relative_error

# Of a * excess + background, compared with a threshold: three operations.
ROUNDING = relative_error(3, FLOAT32)


def kernel_is_union(engine: KernelEngine, certificate: Certificate) -> str:
    """What the equality of `kernel` and the program rests on, in words.

    Every pair of a number of matches m and of matched writers a that can occur is put through the
    engine's own tables. A decision that rounding could turn round counts as wrong.

    Raises:
        CertificateError: some pair within the certificate's bound is decided wrong; names it.
    """
    right = _right_decisions(engine, certificate)
    if right.all():
        return "every state, whatever matches: all decisions were tabulated"
    problem = certificate.problem
    m = np.arange(problem.max_matches + 1)
    bound = np.append(certificate.bound.max_matches, 0)[problem.component_of_bit]
    wrong = ~right & (m <= bound[:, None])[:, :, None]
    if wrong.any():
        bit, matches, active = (int(i) for i in np.argwhere(wrong)[0])
        raise CertificateError(
            f"the kernel does not decide {problem.program.layout.bit_names[bit]} as the program does "
            f"at {matches} matches, {active} of them writers, whether or not that occurs; packed "
            f"execution needs all decisions up to the bound right: {certificate.verdict()}"
        )
    return (
        f"the certificate's bound of {certificate.max_matches} matches: {certificate.bound.basis}"
    )


def _right_decisions(engine: KernelEngine, certificate: Certificate) -> Bool[np.ndarray, "k m a"]:
    """By bit, m and a, whether the decision is a > 0; True where the three cannot meet."""
    problem = certificate.problem
    writers = problem.program.num_writers
    sizes = np.append([len(c.templates) for c in problem.components], 0)[problem.component_of_bit]
    m = np.arange(problem.max_matches + 1)[None, :, None]
    a = np.arange(int(writers.max()) + 1)[None, None, :]
    w, size = writers[:, None, None], sizes[:, None, None]
    occurs = (a <= w) & (a <= m) & (m - a <= size - w) & (m <= size)
    background, excess, thresholds = (
        np.asarray(table, np.float64)[:, :, None]
        for table in (engine.background, engine.excess, engine.thresholds)
    )
    means = a * excess + background
    slack = ROUNDING * (np.abs(a * excess) + np.abs(background) + np.abs(thresholds))
    right = np.where(a > 0, means - thresholds > slack, thresholds - means > slack)
    return right | ~occurs


def certified_kernel(certificate: Certificate) -> tuple[KernelEngine, str]:
    """The kernel engine, and what its equality with the program rests on."""
    engine = kernel_engine(certificate)
    return engine, kernel_is_union(engine, certificate)
