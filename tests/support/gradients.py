"""Gradients of several workers: what they share, and noise of a size of each one's own."""

import numpy as np

WORKERS = 7


def drawn(seed=0, workers=WORKERS, length=40):
    generator = np.random.default_rng(seed)
    common = generator.normal(size=length)
    return common + generator.normal(size=(workers, length)) * generator.uniform(
        0.2, 3, (workers, 1)
    )
