"""What is measured: the generator and the layer by their formulas, and what a gain is owed to."""

import dataclasses
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
from scipy.stats import multivariate_normal

from experiments.graphs.lagnn.attribution import RULES, attribute
from experiments.graphs.lagnn.generator import ConditionalVAE, fit_generator, sample_neighbours
from experiments.graphs.lagnn.network import AugmentedNetwork, NeighbourSampler, agreement_score
from experiments.harness.configuration import check_types, require
from experiments.harness.study import NotMeasured, Studies, Trial
from experiments.kits.graph.baselines import GCN, GraphConvolution
from experiments.kits.graph.convert import from_edges, from_networkx
from experiments.kits.graph.operators import dense, normalised
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.nodes.fitting import graph_of
from experiments.kits.nodes.generators import topic_sbm
from ntkexec.runtime.precision import float64


@dataclasses.dataclass(frozen=True)
class LagnnConfig:
    """Sizes of all studies.

    Args:
        nodes: of the drawn graphs of bags of words.
        hidden: of their generators; that of a citation graph has the public code's 256.
        epochs: of generators.
        graphs: drawn for each seed, which has their means.
        steps: of networks on drawn graphs.
        draws: of X' beside the stored one.
        pairs: on which a generator is asked for a known conditional mean.
        cora_steps: of networks without generator on Cora.
        augmented_steps: of the one with a generator there, the paper's 2,000; 0 leaves it out.
    """

    nodes: int = 600
    hidden: int = 64
    epochs: int = 10
    graphs: int = 2
    steps: int = 120
    draws: int = 50
    pairs: int = 4000
    cora_steps: int = 200
    augmented_steps: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        require(self, nodes=self.nodes >= 200, hidden=self.hidden > 0, epochs=self.epochs > 0)
        require(
            self,
            graphs=self.graphs > 0,
            steps=self.steps > 0,
            draws=self.draws > 1,
            pairs=self.pairs >= 64,
        )
        require(self, cora_steps=self.cora_steps > 0, augmented_steps=self.augmented_steps >= 0)


def exact(config: LagnnConfig, trial: Trial) -> dict[str, float]:
    """Deviations from what must hold exactly, each beside the one with a premise taken out."""
    generator = trial.generator
    joined = nx.connected_watts_strogatz_graph(30, 4, 0.3, seed=trial.seed)
    x = generator.random((30, 6))
    graph = normalised(from_networkx(joined, x)._replace(edges=None))
    with float64():
        bound, bound_alone = _bounds(generator)
        score, score_of_paper = _scores(generator)
        zeroed, not_zeroed = _zeroed(generator, graph)
        elsewhere, elsewhere_mean = _elsewhere(generator, graph)
    return {
        "bound": bound, "bound_alone": bound_alone,
        "score": score, "score_of_paper": score_of_paper,
        "zeroed": zeroed, "not_zeroed": not_zeroed,
        "elsewhere": elsewhere, "elsewhere_mean": elsewhere_mean,
    }  # fmt: skip


def _doubles(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)


def linear_gaussian(
    generator: np.random.Generator, shift: float, features: int = 5, latent: int = 2
) -> tuple[ConditionalVAE, Any, Any]:
    """A generator whose weights make x = W z + V c + s e, and q the posterior of that, then shifted.

    Returns:
        It; its variables; a function from x and c to log p(x | c) and KL(q || posterior).
    """
    scale = 0.5
    v = generator.normal(size=(features, features))
    # Orthogonal columns make the posterior's covariance diagonal, as q's is.
    w = np.linalg.qr(generator.normal(size=(features, latent)))[0] * (0.5, 1.5)
    variance = 1 / (1 + (w**2).sum(0) / scale**2)
    gain = w * variance / scale**2
    both, units = np.kron(np.eye(features), (1, -1)), np.kron(np.eye(latent), (1, -1))
    less = np.zeros((features, 2 * latent))
    off, wider = shift * generator.normal(size=latent), shift
    nothing = np.zeros(2 * (features + latent))
    layers = {
        "encoder_features": (np.c_[both, less], nothing),
        "encoder_condition": (np.c_[-v.T @ both, less], None),
        "encoder_mean": (np.r_[both.T @ gain, less[:latent].T], off),
        "encoder_log_variance": (np.zeros((len(nothing), latent)), np.log(variance) + wider),
        "decoder_condition": (np.c_[v.T @ both, less], nothing),
        "decoder_latent": (np.c_[np.zeros((latent, 2 * features)), units], None),
        "decoder_features": (np.r_[both.T, units.T @ w.T], np.zeros(features)),
    }
    params = {
        name: {"kernel": kernel} | ({} if bias is None else {"bias": bias})
        for name, (kernel, bias) in layers.items()
    }
    network = ConditionalVAE(features, len(nothing), latent, scale)
    noise = w @ w.T + scale**2 * np.eye(features)

    def truth(x: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, float]:
        log_p = multivariate_normal(np.zeros(features), noise).logpdf(x - c @ v.T)
        gap = np.sum(np.exp(wider) + off**2 / variance - 1 - wider) / 2
        return log_p, float(gap)

    return network, {"params": params}, truth


def _bounds(generator: np.random.Generator) -> tuple[float, float]:
    """|bound + KL(q || posterior) - log p|, for the posterior and for others; the same without KL."""
    counted, alone = [], []
    for shift in (0.0, 0.7):
        network, variables, truth = linear_gaussian(generator, shift)
        x, c = generator.normal(size=(2, 20, 5))
        # Averages over these points are exact means of quadratics in z.
        points = np.sqrt(2) * np.concatenate([np.eye(2), -np.eye(2)])
        bounds = [network.apply(variables, x, c, np.tile(point, (20, 1))) for point in points]
        log_p, gap = truth(x, c)
        off = np.mean(np.asarray(bounds), 0) - log_p
        counted.append(np.abs(off + gap).max())
        alone.append(np.abs(off).max())
    return float(max(counted)), float(max(alone))


def _scores(generator: np.random.Generator) -> tuple[float, float]:
    """The largest score of the code and of the paper over 200 sets of passes, or 0."""
    logits = generator.normal(size=(200, 8, 12, 4)) * generator.exponential(2, (200, 1, 1, 1))
    labels = generator.integers(4, size=12)
    found = jax.vmap(lambda one: agreement_score(one, labels, jnp.ones(12, bool)))(logits)
    code, paper = (max(0.0, float(np.max(score))) for score in found)
    return code, paper


def _small(generator: np.random.Generator, x: np.ndarray) -> tuple[ConditionalVAE, Any]:
    """An untrained generator in double precision."""
    vae = ConditionalVAE(x.shape[1], 8, 3)
    return vae, _doubles(initial_by_numpy(vae, generator, x, x, np.zeros((1, 3))))


def _zeroed(generator: np.random.Generator, graph: Any) -> tuple[float, float]:
    """A network whose last layer does not read X' against a GCN of half its width; one that does."""
    x = graph.nodes
    two = graph._replace(nodes=(x, NeighbourSampler.of(*_small(generator, x), x)))
    network = AugmentedNetwork(GraphConvolution(4), GraphConvolution(3))
    variables = initial_by_numpy(network, generator, two, rules=RULES)
    params = variables["params"] = _doubles(variables["params"])
    last = params["last"]["linear"]["kernel"]
    plain = {
        "first": params["first"]["branch_0"],
        "last": {**params["last"], "linear": {"kernel": last[:4]}},
    }
    expected = np.asarray(GCN(3, 4).apply({"params": plain}, graph))
    not_zeroed = np.abs(np.asarray(network.apply(variables, two)) - expected).max()
    last[4:] = 0
    zeroed = np.abs(np.asarray(network.apply(variables, two)) - expected).max()
    return float(zeroed), float(not_zeroed)


def _elsewhere(generator: np.random.Generator, graph: Any) -> tuple[float, float]:
    """By how much others' X' move, relative to a node's own, with its features; neighbours' means."""
    x, key = graph.nodes, jax.random.key(int(generator.integers(2**31)))
    vae, variables = _small(generator, x)
    mean, found = dense(graph), []
    node, other = int(generator.integers(30)), x.copy()
    other[node] += 1
    for made in (lambda y: sample_neighbours(vae, variables, y, key), lambda y: mean @ y):
        moved = np.abs(np.asarray(made(other)) - np.asarray(made(x))).max(1)
        found.append(float(np.delete(moved, node).max() / moved[node]))
    return found[0], found[1]


def conditions(config: LagnnConfig, trial: Trial) -> dict[str, float]:
    """R² of decoded means against the known E(x_u | x_v) = W x_v, trained with and without pairs."""
    generator, d = trial.generator, 8
    w = generator.normal(size=(d, d)) / np.sqrt(d)
    c = generator.normal(size=(config.pairs, d))
    truth = c @ w.T
    x = truth + 0.3 * generator.normal(size=truth.shape)
    # A graph of pairs alone: from each neighbour one edge, to the node that it belongs to.
    edges = np.arange(2 * config.pairs).reshape(2, -1)[::-1].T
    graph = from_edges(edges, np.concatenate([c, x]).astype(np.float32), directed=True)
    network, found = ConditionalVAE(d, config.hidden, 10, 0.3), {}
    for name in ("paired", "shuffled"):
        variables = fit_generator(
            network, graph, generator=generator, epochs=config.epochs, shuffled=name == "shuffled"
        )
        keys = jax.random.split(trial.key, 64)
        draws = [sample_neighbours(network, variables, c, key) for key in keys]
        left = np.mean(np.asarray(draws), 0) - truth
        found[name] = float(1 - (left**2).sum() / ((truth - truth.mean(0)) ** 2).sum())
    return found


class DrawnResult(TypedDict):
    """Means over graphs: test accuracies by arm, gains by degree, and under fresh X', with deviation."""

    accuracy: dict[str, float]
    gain_low: float
    gain_high: float
    fresh: float
    fresh_deviation: float


def drawn(config: LagnnConfig, trial: Trial) -> DrawnResult:
    """All arms of the attribution on graphs of bags of words."""
    generator, rows = trial.generator, []
    for graph in range(config.graphs):
        trial.report("graphs", graph, config.graphs)
        data = topic_sbm(generator, nodes=config.nodes)
        vae = ConditionalVAE(data.features.shape[1], config.hidden)
        found = attribute(
            graph_of(data), data.labels, data.splits[0], generator=generator, vae=vae,
            epochs=config.epochs, steps=config.steps,
        )  # fmt: skip
        fresh = found.fresh("augmented", config.draws)
        low, high = found.gains_by_degree("augmented", "consistency")
        rows.append(
            DrawnResult(
                accuracy=found.accuracies, gain_low=low, gain_high=high,
                fresh=float(fresh.mean()), fresh_deviation=float(fresh.std(ddof=1)),
            )
        )  # fmt: skip
    means: DrawnResult = jax.tree.map(lambda *each: float(np.mean(each)), *rows)
    return means


def cora(config: LagnnConfig, trial: Trial) -> dict[str, float]:
    """Test accuracies in percent on Cora's standard split without a generator, means of two runs."""
    # As in the GCN paper, whose figure it is.
    given = {"steps": config.cora_steps, "weight_decay": {"first": 5e-4}}
    return _cora(trial, 2, plain={**given, "passes": 1}, consistency=given)


def cora_augmented(config: LagnnConfig, trial: Trial) -> dict[str, float]:
    """The same with a generator, at the public code's settings."""
    if not config.augmented_steps:
        raise NotMeasured("takes ten minutes for each seed: --scale standard")
    given = {"steps": config.augmented_steps}
    return _cora(trial, 1, augmented=given, consistency=given)


def _cora(trial: Trial, runs: int, **arms: dict[str, Any]) -> dict[str, float]:
    data, generator = trial.load("cora"), trial.generator
    graph, split, found = graph_of(data), data.splits[0], dict.fromkeys(arms, 0.0)
    for arm, given in arms.items():
        for run in range(runs):
            trial.report(arm, run, runs)
            made = attribute(graph, data.labels, split, generator=generator, arms=(arm,), **given)
            found[arm] += 100 * made.accuracies[arm] / runs
    return found


STUDIES = Studies(
    configs={"quick": LagnnConfig(), "standard": LagnnConfig(steps=200, augmented_steps=2000)},
    tiny=LagnnConfig(
        nodes=200, hidden=4, epochs=1, graphs=1, steps=2, draws=2, pairs=128, cora_steps=2
    ),
    functions={
        "exact": exact,
        "conditions": conditions,
        "drawn": drawn,
        "cora": cora,
        "cora_augmented": cora_augmented,
    },
    num_seeds=5,
    slow=("conditions", "drawn", "cora", "cora_augmented"),
)
