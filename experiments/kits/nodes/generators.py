"""Drawn graphs with labels whose difficulty is known: how alike neighbours are, how far evidence lies.

Each comes with one split: `train` nodes of each class, `validation` others, the rest to test on.
"""

import numpy as np
from jaxtyping import Float32, Int64
from scipy import sparse

from experiments.data.nodes import NodeData
from experiments.kits.nodes.splits import per_class
from ntkexec.errors import ExperimentError


def contextual_sbm(
    generator: np.random.Generator,
    *,
    nodes: int = 300,
    classes: int = 4,
    features: int = 16,
    degree: float = 6.0,
    homophily: float = 0.8,
    signal: float = 0.4,
    train: int = 10,
    validation: int = 100,
) -> NodeData:
    """Classes of equal size; edges that keep to them, and features that lean to their class.

    Args:
        generator: draws all of it.
        nodes, classes, features: sizes.
        degree: in the mean; all graphs of these sizes have equally many edges, and so one shape.
        homophily: share of edges within a class; 1 / classes says nothing.
        signal: length of a class's mean, beside noise of expected squared length 1.
        train, validation: of the split.

    Source: Deshpande, Montanari, Mossel and Sen, arXiv:1807.09596.
    """
    labels = generator.permutation(np.arange(nodes) % classes)
    edges = _blocks(generator, labels, degree, homophily)
    x = _leaning(generator, labels, classes, features, signal)
    return _finished("contextual SBM", generator, x, labels, edges, train, validation)


def two_scale_sbm(
    generator: np.random.Generator,
    *,
    nodes: int = 600,
    classes: int = 4,
    features: int = 16,
    block: int = 6,
    distance: int = 5,
    signal: float = 1.0,
    train: int = 20,
    validation: int = 100,
) -> NodeData:
    """Half of the nodes have their evidence one hop away and a contrary one beyond, half only far away.

    The near half lies in blocks of one class each, all nodes of a block joined, blocks on a ring in
    random order: one hop averages noise away, more hops bring other classes. The far half lies in
    paths of one class each, from a block of that class whose nodes alone lean to it: a path's nodes
    have noise for features, and those that count as far are `distance` to 2 `distance` - 1 hops
    away from the nearest node that leans. What is nearer carries no label, nor does that block.

    Args:
        generator: draws all of it.
        nodes: at least; blocks and paths are whole, and as many of each as fit.
        classes, features, signal, train, validation: as for `contextual_sbm`.
        block: nodes of a block.
        distance: of the nearest evidence for the far half.
    """
    length = 2 * distance - 1  # nodes of a path; `distance` of them are far
    num_blocks = -(-nodes // (2 * block))
    num_paths = -(-nodes // (2 * distance))
    near = generator.permutation(np.arange(num_blocks) % classes)
    far = generator.permutation(np.arange(num_paths) % classes)
    size = block + length
    labels = np.concatenate([np.repeat(near, block), np.repeat(far, size)])
    starts = np.arange(num_blocks) * block
    far_starts = num_blocks * block + np.arange(num_paths) * size
    within = np.array(np.triu_indices(block, 1)).T
    ring = np.stack([starts + block - 1, np.roll(starts, -1)], 1) if num_blocks > 1 else within[:0]
    path = np.stack([np.arange(block - 1, size - 1), np.arange(block, size)], 1)
    edges = np.concatenate(
        [
            (np.concatenate([starts, far_starts])[:, None, None] + within).reshape(-1, 2),
            ring,
            (far_starts[:, None, None] + path).reshape(-1, 2),
        ]
    )
    place = np.concatenate(
        [np.zeros(num_blocks * block), np.tile(_places(block, length), num_paths)]
    )
    x = _leaning(generator, labels, classes, features, np.where(place > 0, 0.0, signal))
    asked = (place == 0) & (np.arange(len(labels)) < num_blocks * block) | (place >= distance)
    labels = np.where(asked, labels, -1)
    return _finished("two-scale SBM", generator, x, labels, edges, train, validation)


def topic_sbm(
    generator: np.random.Generator,
    *,
    nodes: int = 600,
    classes: int = 5,
    features: int = 200,
    degree: float = 3.0,
    homophily: float = 0.8,
    words: int = 8,
    topic: float = 0.4,
    train: int = 10,
    validation: int = 100,
) -> NodeData:
    """A sparse citation graph whose nodes are bags of words, drawn from their class's topic.

    Args:
        generator: draws all of it.
        nodes, classes, train, validation: as for `contextual_sbm`.
        features: words that there are; topics are Dirichlet(0.15) over them, the background
            Dirichlet(1).
        degree: in the mean, the same for all graphs; one end of an edge is uniform.
        homophily: chance that the other end is of the same class.
        words: distinct ones in a node, by weights of topic and background.
        topic: weight of the topic.
    """
    labels = generator.permutation(np.arange(nodes) % classes)
    number = round(nodes * degree / 2)
    ends = generator.integers(nodes, size=2 * number + 100)  # some are drawn twice
    alike = generator.random(len(ends)) < homophily
    targets = np.where(
        alike,
        labels[ends],
        (labels[ends] + generator.integers(1, max(2, classes), len(ends))) % classes,
    )
    members = [np.flatnonzero(labels == label) for label in range(classes)]
    others = np.array([generator.choice(members[label]) for label in targets], np.int64)
    topics = generator.dirichlet(np.full(features, 0.15), classes)
    chances = topic * topics + (1 - topic) * generator.dirichlet(np.ones(features))
    # The `words` smallest exponentials with rates p are draws by p without replacement.
    times = generator.exponential(size=(nodes, features)) / np.maximum(chances[labels], 1e-12)
    drawn = np.argpartition(times, words - 1, axis=1)[:, :words]
    x = sparse.csr_matrix(
        (np.ones(drawn.size, np.float32), drawn.ravel(), np.arange(nodes + 1) * words),
        shape=(nodes, features),
    )
    x.sort_indices()
    pairs = np.sort(np.stack([ends, others], 1), axis=1)
    _, first = np.unique(pairs, axis=0, return_index=True)
    edges = pairs[np.sort(first[pairs[first, 0] < pairs[first, 1]])[:number]]
    return _finished("topic SBM", generator, x, labels, edges, train, validation)


def null_graph(
    generator: np.random.Generator,
    *,
    nodes: int = 300,
    classes: int = 4,
    features: int = 16,
    degree: float = 6.0,
    train: int = 10,
    validation: int = 100,
) -> NodeData:
    """Edges, features and labels that know nothing of each other: what is found here is a leak."""
    return contextual_sbm(
        generator,
        nodes=nodes,
        classes=classes,
        features=features,
        degree=degree,
        homophily=1 / classes,
        signal=0.0,
        train=train,
        validation=validation,
    )


def digits_knn(
    generator: np.random.Generator,
    *,
    neighbours: int = 5,
    nodes: int | None = None,
    train: int = 10,
    validation: int = 300,
) -> NodeData:
    """scikit-learn's 1,797 handwritten digits, each joined to its nearest ones by pixels.

    Args:
        generator: draws which digits, and the split.
        neighbours: of each; an edge needs only one side to count the other.
        nodes: how many of the digits; None for all.
        train, validation: as for `contextual_sbm`.
    """
    from scipy.spatial import cKDTree
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    chosen = generator.permutation(len(pixels))[:nodes]
    x = (pixels[chosen] / 16).astype(np.float32)
    _, nearest = cKDTree(x).query(x, neighbours + 1)
    edges = np.stack([np.repeat(np.arange(len(x)), neighbours + 1), nearest.ravel()], 1)
    labels = classes[chosen].astype(np.int64)
    return _finished("digits", generator, x, labels, edges, train, validation)


def homophily_of(data: NodeData) -> float:
    """The share of edges, between nodes of known class, whose ends are alike."""
    ends = data.labels[data.edges]
    known = (ends >= 0).all(1)
    return float((ends[known, 0] == ends[known, 1]).mean()) if known.any() else float("nan")


def _places(block: int, length: int) -> np.ndarray:
    """Hops to the nearest node that leans: 0 in the block, then 1, 2, ... along the path."""
    return np.concatenate([np.zeros(block), np.arange(1, length + 1)])


def _blocks(
    generator: np.random.Generator,
    labels: np.ndarray,
    degree: float,
    homophily: float,
) -> np.ndarray:
    """So many pairs within classes and so many across, each set drawn without replacement."""
    pairs = np.stack(np.triu_indices(len(labels), 1), 1)
    alike = labels[pairs[:, 0]] == labels[pairs[:, 1]]
    total = round(len(labels) * degree / 2)
    within = round(total * homophily)
    for kind, number in ((alike, within), (~alike, total - within)):
        if number > kind.sum():
            raise ExperimentError(
                f"no graph of {len(labels)} nodes in such classes has degree {degree:g} and homophily "
                f"{homophily:g}: of {kind.sum()} pairs {number} would be edges"
            )
    chosen = (
        generator.choice(np.flatnonzero(alike), within, replace=False),
        generator.choice(np.flatnonzero(~alike), total - within, replace=False),
    )
    return pairs[np.concatenate(chosen)]


def _leaning(
    generator: np.random.Generator,
    labels: np.ndarray,
    classes: int,
    features: int,
    signal: float | np.ndarray,
) -> Float32[np.ndarray, "n F"]:
    means = generator.normal(size=(classes, features))
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    noise = generator.normal(size=(len(labels), features)) / np.sqrt(features)
    found = np.broadcast_to(signal, len(labels))[:, None] * means[labels] + noise
    return found.astype(np.float32)


def _finished(
    name: str,
    generator: np.random.Generator,
    features: np.ndarray | sparse.csr_matrix,
    labels: Int64[np.ndarray, " n"],
    edges: np.ndarray,
    train: int,
    validation: int,
) -> NodeData:
    ordered = np.sort(edges.astype(np.int64).reshape(-1, 2), axis=1)
    unique = np.unique(ordered[ordered[:, 0] < ordered[:, 1]], axis=0)
    labels = labels.astype(np.int64)
    split = per_class(labels, generator, train=train, validation=validation)
    return NodeData(name, features, labels, unique, (split,))
