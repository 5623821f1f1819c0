"""The rival that everybody has: logistic regression on states averaged over a text."""

from typing import Any

import numpy as np

from experiments.kits.transformer.encoder import fit_classifier

STRENGTHS = (1.0, 30.0, 1000.0)
"""Of the penalty, from which one is picked."""


def probed(
    states: Any, real: Any, labels: Any, chosen: Any, tested: Any, classes: int
) -> np.ndarray:
    """Scores by logistic regression on the means of layers; a fifth of the texts picks its strength."""
    counts = np.maximum(real.sum(1, keepdims=True), 1)
    means = np.concatenate(
        [(np.asarray(one, np.float32) * real[:, :, None]).sum(1) / counts for one in states], 1
    )
    kept, aside = np.split(chosen, [len(chosen) * 4 // 5])
    picked = fit_classifier(
        means[kept], labels[kept], classes=classes, strengths=STRENGTHS,
        validation=(means[aside], labels[aside]),
    )  # fmt: skip
    final = fit_classifier(
        means[chosen], labels[chosen], classes=classes, strengths=(picked.strength,)
    )
    return final.logits(means[tested])
