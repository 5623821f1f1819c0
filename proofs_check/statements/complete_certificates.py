"""Trained ensembles that are exact on every graph, and the bound on rounding that this rests on."""

import functools

import jax.numpy as jnp
import numpy as np

from ntkexec import ensemble, pipeline
from ntkexec.check import Check, Measurement, Scale
from ntkexec.complete import complete
from ntkexec.ensemble import Ensemble, evaluation
from ntkexec.theory.certificate import Certificate

SIZES: dict[Scale, tuple[int, int]] = {"quick": (1, 2), "standard": (3, 4), "full": (4, 6)}
ALGORITHMS = ("flooding", "bfs", "dfs", "bellman-ford")
DELTA, DECISIONS = 1e-3, 10**6


@functools.cache
def ensemble_for(name: str, degree: int, word: int) -> tuple[Ensemble, Certificate]:
    """A factored ensemble of the size and width that the certificate asks for."""
    algorithm = pipeline.find_algorithm(name)
    program = algorithm.program(**algorithm.sizes(degree=degree, word=word))
    certificate = pipeline.certify(program, delta=DELTA, num_decisions=DECISIONS)
    config = pipeline.ensemble_config(
        pipeline.at_width(certificate),
        members=None,
        seed=0,
        delta=DELTA,
        num_decisions=DECISIONS,
    )
    return ensemble.train(certificate.problem, config), certificate


def measure_exact(scale: Scale, factor: float = 1.0) -> Measurement:
    """Decisions, over all states, that are wrong or closer than the rounding error.

    Args:
        scale: which programs, and their sizes.
        factor: of all output weights, for counter-cases. Thresholds of factored problems lie
            at 0 or below, so that shrinking alone makes no mistake; turning them round does.
    """
    degree, word = SIZES[scale]
    names = ("bfs",) if scale == "quick" else ALGORITHMS
    table, bad = {}, 0
    for name in names:
        networks, certificate = ensemble_for(name, degree, word)
        weights = tuple(w._replace(output=w.output * np.float32(factor)) for w in networks.weights)
        found = complete(Ensemble(networks.problem, networks.config, weights), certificate)
        bad += found.wrong + found.unsure
        table[name] = {
            "components": len(found.components),
            "match sets": found.num_sets,
            "members": networks.config.members,
            "smallest margin": found.smallest_margin,
            "rounding bound": found.largest_rounding,
            "seconds": found.seconds,
        }
    return Measurement(bad, details={"degree": degree, "word": word} | table)


def measure_rounding(scale: Scale, tighten: float = 1.0) -> Measurement:
    """Largest ratio of a float32 evaluation's error to its bound, over all match sets of BFS."""
    networks, certificate = ensemble_for("bfs", *SIZES["quick" if scale == "quick" else "standard"])
    found = complete(networks, certificate)
    worst = 0.0
    for index, component in enumerate(found.components):
        members, matched = evaluation.networks_of(networks, index), component.matched
        exact = evaluation.evaluate(members, matched)
        error, off = exact.error(), np.abs(_in_float32(members, matched) - exact.mean)
        some = error > 0
        worst = max(worst, float((off[some] * tighten / error[some]).max(initial=0)))
    return Measurement(worst)


def _in_float32(members: evaluation.Networks, matched: np.ndarray) -> np.ndarray:
    """All members as one wide network, as the engine evaluates them."""
    count, num_inputs, width = members.hidden.shape
    used = members.hidden[:, : matched.shape[1]]
    hidden = jnp.asarray(np.concatenate(list(used), axis=1) * np.float32(num_inputs**-0.5))
    output = jnp.asarray(np.concatenate(list(members.output)) * np.float32(width**-0.5 / count))
    m = jnp.maximum(jnp.asarray(matched.sum(axis=1), jnp.float32), 1)
    x = jnp.asarray(matched, jnp.float32) / jnp.sqrt(m)[:, None]
    return np.asarray(jnp.maximum(x @ hidden, 0) @ output, float)


CHECKS = (
    Check(
        name="complete-certificates",
        claim="ensembles of the certificate's size decide every bit of every state right, in float32",
        formula=(
            r"\forall S:\; |\bar f(\hat x_S) - \theta| > "
            r"\gamma_p \Sigma_1 + (1 + \gamma_p) \gamma_q \Sigma_0"
        ),
        source="all match sets listed; rounding: Higham 2002, section 3.1",
        how="decisions that are wrong or unsure, trained ensembles (quick: D = 1; full: D = 4)",
        bound=0,
        bound_from="the claim is exact for the ensembles that were trained",
        measure=measure_exact,
        broken=functools.partial(measure_exact, factor=-1.0),
    ),
    Check(
        name="rounding-bound",
        claim="a float32 evaluation is off by less than the bound that certificates use",
        source="Higham, Accuracy and Stability of Numerical Algorithms, section 3.1",
        how="largest ratio of error to bound over all match sets of BFS",
        bound=1,
        bound_from="the claim",
        measure=measure_rounding,
        broken=functools.partial(measure_rounding, tighten=1e5),
    ),
)
