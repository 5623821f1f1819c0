"""Training of chains: what is compiled for one serves all, and they learn."""

import numpy as np
import pytest

from experiments.kits import training as loops
from experiments.kits.images import digits
from experiments.kits.initialisation import FLAX, initial_by_numpy, zeros
from experiments.vision.pflayer import PfResNet, with_operations
from experiments.vision.pflayer.training import PART, labels_of, trained


@pytest.mark.slow
def test_chains_learn_and_all_of_them_share_one_program():
    generator = np.random.default_rng(0)
    images = digits(num_train=512, generator=generator)
    network = PfResNet("any", (1,), (8,), images.num_classes, 8, 3, 1, stem_pool=False)
    start = initial_by_numpy(
        network, generator, images.train[:2], rules={**FLAX, "index": zeros}, train=False
    )
    found, compiled = {}, []
    for operation in ("max", "conv", "none"):
        variables, losses = trained(
            network,
            with_operations(start, [operation]),
            images,
            parts=2,
            batch=32,
            rate=0.1,
            seed=0,
        )
        assert losses.shape == (2 * PART,)
        assert losses[-20:].mean() < losses[:20].mean() - 0.3
        found[operation] = labels_of(network, variables, images.test)
        compiled.append(loops._advance._cache_size())
    assert compiled[0] == compiled[-1]
    assert (found["max"] != found["conv"]).any()
    assert (found["conv"] == images.test_labels).mean() > 0.5
