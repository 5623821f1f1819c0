"""What needs no training: losses in closed form, blocks against the whole graph, and what losses cost."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.graphs.graphfm import losses as of
from experiments.graphs.graphfm.encoder import RULES, Encoder, View, problem_of, whole
from experiments.graphs.graphfm.sampling import Degrees, sampled_view
from experiments.graphs.graphfm.study_config import GraphfmConfig
from experiments.harness.study import Result, Trial
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.nodes.fitting import graph_of
from experiments.kits.nodes.generators import contextual_sbm
from ntkexec.runtime.precision import float64


def closed_forms(config: GraphfmConfig, trial: Trial) -> Result:
    """Relative deviations of losses from what they are in closed form; and with a premise taken out."""
    generator, n, d = trial.generator, 60, 7
    z, other = generator.normal(size=(2, n, d))
    white = np.linalg.qr(z - z.mean(0)[None, :])[0] * np.sqrt(n)
    scales = generator.uniform(0.1, 10, (2, n, 1))
    masked: Any = (generator.random(n) < 0.5).astype(float)
    alike = np.tile(generator.normal(size=(1, d)), (n, 1))
    path = generator.normal(size=(40, d))

    def contrasted(rows: Any) -> float:
        told = [of.contrast_loss(rows, rows, temperature=t) for t in (0.1, 0.4, 1.0)]
        return max(abs(float(each) / np.log(2 * n - 1) - 1) for each in told)

    def averaged(momenta: np.ndarray) -> float:
        """A target after all steps, against the sum for one momentum, that of the first step."""
        target = z[0]
        for online, momentum in zip(path, momenta, strict=True):
            target = of.moving_average(target, online, momentum)
        m, powers = momenta[0], momenta[0] ** np.arange(len(path))[::-1]
        wanted = m ** len(path) * z[0] + (1 - m) * (powers[:, None] * path).sum(0)
        return float(abs(target - wanted).max() / abs(wanted).max())

    def unmasked(mask: np.ndarray) -> float:
        """The gradient that reaches reconstructions of nodes that are not masked."""
        found = jax.grad(of.scaled_cosine_error)(jnp.asarray(z), other, mask)
        return float(abs(np.asarray(found)[masked == 0]).max())

    def scaled(gamma: float, offset: float) -> float:
        """The error of rescaled rows against 1 - cos of the rows."""
        told = of.scaled_cosine_error(
            scales[0] * z + offset, scales[1] * other, masked, gamma=gamma
        )
        cosine = (z * other).sum(1) / np.linalg.norm(z, axis=1) / np.linalg.norm(other, axis=1)
        return abs(float(told) / ((1 - cosine)[masked > 0] ** gamma).mean() - 1)

    with float64():
        steps = np.arange(len(path), dtype=float)
        schedule = np.asarray(of.momentum_at(steps, np.float64(len(path)), 0.5))
        kept = {
            "bootstrap": float(of.bootstrap_loss(z, scales[0] * z)),
            "barlow": float(of.barlow_loss(white, white)),
            "cca": abs(float(of.cca_loss(white, white, weight=1.0)) / d + 1),
            "contrast": contrasted(alike),
            "scaled_cosine": max(scaled(1.0, 0.0), scaled(2.0, 0.0)),
            "unmasked": unmasked(masked),
            "moving_average": averaged(np.full(len(path), 0.9)),
        }
        broken = {
            "bootstrap": float(of.bootstrap_loss(z, scales[0] * z + other)),
            "barlow": float(of.barlow_loss(z, z)),
            "cca": abs(float(of.cca_loss(white, white, weight=1.0, ddof=1)) / d + 1),
            "contrast": contrasted(z),
            "scaled_cosine": scaled(1.0, 1.0),
            "unmasked": unmasked(np.ones(n)),
            "moving_average": averaged(schedule),
        }
    return {"kept": kept, "broken": broken}


def blocks(config: GraphfmConfig, trial: Trial) -> Result:
    """Relative deviations of embeddings by sampled neighbourhoods from those of the whole graph."""
    data = contextual_sbm(trial.generator, nodes=200)
    graph, generator = graph_of(data), trial.generator
    most = int(np.bincount(data.edges.ravel()).max())
    wanted, encoder = generator.permutation(200)[:20], Encoder(8)
    with float64():
        view = whole(jax.tree.map(_wide, problem_of(graph)))
        variables = initial_by_numpy(encoder, generator, view, rules=RULES)

        def embedded(view: View) -> np.ndarray:
            wide = jax.tree.map(_wide, (variables, view))
            return np.asarray(encoder.apply(*wide)[1])

        full = embedded(view)[wanted]

        def deviation(fan_outs: tuple[int, int], degrees: Degrees) -> float:
            drawn = sampled_view(graph, wanted, fan_outs, generator, degrees=degrees)
            return float(abs(embedded(drawn.view) - full).max() / abs(full).max())

        return {
            "full": deviation((most, most), "graph"),
            "sample_degrees": deviation((most, most), "sample"),
            "sampled": deviation((5, 3), "graph"),
        }


def cost(config: GraphfmConfig, trial: Trial) -> Result:
    """Operations of one value and gradient of each loss of embeddings, by XLA's count."""
    sizes, width = (512, 1024, 2048), 64
    found: dict[str, Any] = {"nodes": list(sizes)}
    functions: dict[str, Callable[..., Any]] = {
        "bgrl": of.bootstrap_loss, "gbt": of.barlow_loss, "cca-ssg": of.cca_loss, "gca": of.contrast_loss,
    }  # fmt: skip
    for name, function in functions.items():
        counts = []
        for n in sizes:
            rows = jax.ShapeDtypeStruct((n, width), np.float32)
            lowered = jax.jit(jax.value_and_grad(function)).lower(rows, rows)
            counts.append(float((lowered.cost_analysis() or {})["flops"]))
        found[name] = counts
    return found


def _wide(leaf: Any) -> Any:
    array = np.asarray(leaf)
    return array.astype(np.float64) if array.dtype == np.float32 else array
