"""A drawn typed graph in which features that are added cancel, and only relations tell them apart."""

import numpy as np

from experiments.data.typed import TypedGraph
from experiments.kits.nodes.splits import per_class
from experiments.kits.typed.generators import class_links


def opposite_signs(
    generator: np.random.Generator,
    *,
    targets: int = 600,
    others: int = 300,
    classes: int = 4,
    features: int = 32,
    noise: float = 0.5,
    train: int = 40,
    validation: int = 160,
) -> TypedGraph:
    """Papers p link to a, and a to x and y, whose features say the class with opposite signs.

    Class c has a random unit vector mu_c: nodes of x have mu_c and noise, those of y have -mu_c and
    noise, p and a noise alone. What a hears from x and from y adds up to nothing, so that p, two links
    away, needs to have heard both apart.

    Args:
        generator: draws all of it.
        targets, others: nodes p; nodes a, x, and y each.
        classes, features: numbers of them.
        noise: standard deviation in each column.
        train, validation: of the split: of each class to train on, of all others to pick by.
    """
    sizes = {"p": targets, "a": others, "x": others, "y": others}
    of = {kind: generator.permutation(np.arange(size) % classes) for kind, size in sizes.items()}
    relations = {
        ("p", "pa", "a"): class_links(generator, of["p"], of["a"], 3, 0.8),
        ("a", "ax", "x"): class_links(generator, of["a"], of["x"], 6, 0.9),
        ("a", "ay", "y"): class_links(generator, of["a"], of["y"], 6, 0.9),
    }
    means = generator.normal(size=(classes, features))
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    signs = {"p": 0.0, "a": 0.0, "x": 1.0, "y": -1.0}
    x = {
        kind: (sign * means[of[kind]] + noise * generator.normal(size=(sizes[kind], features)))
        for kind, sign in signs.items()
    }
    labels = of["p"].astype(np.int64)
    return TypedGraph(
        "opposite signs",
        sizes,
        relations,
        {kind: rows.astype(np.float32) for kind, rows in x.items()},
        "p",
        labels,
        (per_class(labels, generator, train=train, validation=validation),),
    )
