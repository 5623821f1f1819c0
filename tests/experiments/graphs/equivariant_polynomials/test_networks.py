import jax
import numpy as np
import pytest

from experiments.graphs.equivariant_polynomials.networks import GIN, PPGN, PPGNPlus, pair_channels
from ntkexec.runtime.precision import float64


def made(generator, number=2, size=4):
    upper = np.triu(generator.random((number, size, size)) < 0.5, 1).astype(float)
    return upper + upper.swapaxes(1, 2), np.ones((number, size), bool)


def weights_for(network, generator, *inputs):
    shapes = jax.eval_shape(network.init, jax.random.key(0), *inputs)
    return jax.tree.map(lambda leaf: generator.normal(size=leaf.shape), shapes)


@pytest.mark.parametrize("kind", [pytest.param(PPGN, marks=pytest.mark.slow), PPGNPlus, GIN])
def test_padding_and_numbering_change_nothing(kind):
    generator = np.random.default_rng(0)
    x, mask = made(generator)
    order = generator.permutation(4)
    moved = x[:, order][:, :, order]
    longer, there = np.full((2, 6, 6), 7.0), np.pad(mask, ((0, 0), (0, 2)))
    longer[:, :4, :4] = x
    clean = longer * there[:, None, :] * there[:, :, None]
    with float64():
        network = kind(8, 2, 2)
        if kind is GIN:
            nodes = x.sum(2, keepdims=True)
            inputs = [(x, nodes, mask), (moved, nodes[:, order], mask)]
            inputs.append(
                (clean, np.pad(nodes, ((0, 0), (0, 2), (0, 0)), constant_values=7), there)
            )
        else:
            inputs = [(pair_channels(x, mask), mask), (pair_channels(moved, mask), mask)]
            inputs.append((pair_channels(longer, there), there))
        weights = weights_for(network, generator, *inputs[0])
        outputs = [np.asarray(network.apply(weights, *given)) for given in inputs]
    assert np.ptp(outputs[0], axis=0).max() > 1e-3
    for other in outputs[1:]:
        np.testing.assert_allclose(other, outputs[0], rtol=1e-10)


def test_a_block_is_its_formula():
    generator = np.random.default_rng(1)
    x, mask = made(generator, 1, 3)
    pairs = pair_channels(x, mask)
    with float64():
        for kind in (PPGN, PPGNPlus):
            network = kind(2, 1, 1)
            weights = weights_for(network, generator, pairs, mask)
            found = float(network.apply(weights, pairs, mask)[0, 0])
            layer = [weights["params"][f"Dense_{i}"] for i in range(7)]

            def dense(i, z, layer=layer):
                return z @ layer[i]["kernel"] + layer[i]["bias"]

            given = left = pairs[0]
            if kind is PPGNPlus:
                given = np.concatenate([given, np.eye(3)[..., None]], -1)
                left = np.concatenate([given, given.swapaxes(0, 1)], -1)
            first, second = (
                np.maximum(dense(i + 1, np.maximum(dense(i, z), 0)), 0)
                for i, z in ((0, left), (2, given))
            )
            product = np.stack([first[..., c] @ second[..., c] for c in range(2)], -1)
            block = dense(4, np.concatenate([given, product], -1))
            off = ~np.eye(3, dtype=bool)
            read = np.concatenate([block[~off].mean(0), block[off].mean(0)])
            expected = dense(6, np.maximum(dense(5, read), 0))[0]
            np.testing.assert_allclose(found, expected, rtol=1e-12)
