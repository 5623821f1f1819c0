"""Drawn typed graphs in which one path of relations carries the labels, and it is known which."""

import numpy as np
from jaxtyping import Float32, Int64

from experiments.data.typed import Relation, TypedGraph
from experiments.kits.nodes.splits import per_class
from experiments.kits.typed.operators import Metapath
from ntkexec.errors import ExperimentError

CARRIERS = ("a", "s")


def planted_metapath(
    generator: np.random.Generator,
    *,
    carrier: str = "a",
    classes: int = 4,
    features: int = 16,
    targets: int = 300,
    middles: int = 150,
    ends: int = 40,
    near: float = 0.85,
    far: float = 0.9,
    signal: float = 1.5,
    train: int = 20,
    validation: int = 80,
) -> TypedGraph:
    """Targets p whose class shows in the features of v alone, two links away, by one way of two.

    Each p links to three a and to three s, each a and each s to two v. Links by way of the carrier keep
    to classes, those by way of the other type are drawn blindly; so both ways lead to v, and one says
    something. Features of p, a and s are noise. All graphs of these sizes have equally many links.

    Args:
        generator: draws all of it.
        carrier: `a` or `s`.
        classes, features: numbers of them.
        targets, middles, ends: nodes p, nodes a and as many s, nodes v.
        near, far: chance that a link of p, and one of the carrier, leads to a node of the same class.
        signal: standard deviation of the classes' means over v's features, whose noise has 0.2.
        train, validation: of the split: of each class to train on, of all others to pick by.

    Raises:
        ExperimentError: there is no such carrier, or a class has too few nodes.
    """
    if carrier not in CARRIERS:
        raise ExperimentError(f"the label is carried by a or by s, not by {carrier!r}")
    sizes = {"p": targets, "a": middles, "s": middles, "v": ends}
    of = {kind: generator.permutation(np.arange(size) % classes) for kind, size in sizes.items()}
    relations: dict[Relation, np.ndarray] = {}
    for middle in CARRIERS:
        speaks = middle == carrier
        for source, target, number, share in (("p", middle, 3, near), (middle, "v", 2, far)):
            found = class_links(
                generator, of[source], of[target], number, share if speaks else None
            )
            relations[source, source + target, target] = found
    x = {kind: _noise(generator, (size, features), 0.5) for kind, size in sizes.items()}
    means = generator.normal(0, signal, (classes, features))
    x["v"] = (means[of["v"]] + generator.normal(0, 0.2, (ends, features))).astype(np.float32)
    labels = of["p"].astype(np.int64)
    split = per_class(labels, generator, train=train, validation=validation)
    return TypedGraph("planted path", sizes, relations, x, "p", labels, (split,))


def planted_path(carrier: str) -> Metapath:
    """The path of `planted_metapath` that carries the labels, from p outwards."""
    return (carrier, f"rev_p{carrier}", "p"), ("v", f"rev_{carrier}v", carrier)


def class_links(
    generator: np.random.Generator,
    sources: Int64[np.ndarray, " n"],
    targets: Int64[np.ndarray, " m"],
    number: int,
    share: float | None,
) -> Int64[np.ndarray, "links 2"]:
    """So many different targets for every source, each of its class by a given chance.

    Args:
        generator: draws them.
        sources, targets: classes of the nodes of the two types.
        number: of links of each source.
        share: chance that a link stays within the class; None draws targets blindly.

    Returns:
        Pairs, sorted, each once; (n number, 2).

    Raises:
        ExperimentError: a class, or the rest, has fewer than `number` targets.
    """
    alike = {label: np.flatnonzero(targets == label) for label in np.unique(sources)}
    others = {label: np.flatnonzero(targets != label) for label in alike}
    few = min(min(len(alike[label]), len(others[label])) for label in alike)
    if (share is not None and few < number) or len(targets) < number:
        raise ExperimentError(
            f"{number} different targets for every source need as many within each class and outside "
            f"it, and there are {few}"
        )
    found = []
    for source, label in enumerate(sources.tolist()):
        if share is None:
            chosen = generator.choice(len(targets), number, replace=False)
        else:
            within = generator.binomial(number, share)
            chosen = np.concatenate(
                [
                    generator.choice(alike[label], within, replace=False),
                    generator.choice(others[label], number - within, replace=False),
                ]
            )
        found.append(np.stack([np.full(number, source), np.sort(chosen)], 1))
    return np.concatenate(found).astype(np.int64)


def _noise(
    generator: np.random.Generator, shape: tuple[int, int], deviation: float
) -> Float32[np.ndarray, "n f"]:
    return generator.normal(0, deviation, shape).astype(np.float32)
