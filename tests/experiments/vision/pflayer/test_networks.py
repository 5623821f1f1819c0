"""Networks: parts of published counts by formula, shapes, and what does not fit together."""

import jax
import jax.numpy as jnp
import pytest

from experiments.kits.convnets.walker import walk
from experiments.vision.pflayer import EffBottleneck, EffLayer, MaxBottleneck, PfResNet, PfViT
from experiments.vision.pflayer.resnets import Bottleneck
from experiments.vision.pflayer.transformers import PIT_S, PIT_S_MAX
from ntkexec.errors import ExperimentError


def picture(size=32, channels=3):
    return jax.ShapeDtypeStruct((1, size, size, channels), jnp.float32)


def test_what_a_pool_saves_is_the_trained_window_and_its_normalisation():
    given = picture(8, 64)
    whole, pooled = (walk(block(16), given) for block in (Bottleneck, MaxBottleneck))
    assert whole.parameters - pooled.parameters == 9 * 16**2 + 2 * 16
    assert whole.multiplications - pooled.multiplications == 9 * 16**2 * 64
    assert pooled.parameters == 2 * 16 * 64 + 2 * (16 + 64)
    assert [layer.kernel[1:3] for layer in pooled.of("pool")] == [(3, 3)]


def test_the_hybrid_trains_a_window_where_it_strides_and_nowhere_else():
    given = picture(8, 64)
    assert walk(EffBottleneck(16), given) == walk(MaxBottleneck(16), given)
    strided = walk(EffBottleneck(16, strides=2), given)
    windows = [layer.kernel for layer in strided.of("pool", "convolution")]
    assert (1, 2, 2, 1) in windows
    assert (3, 3, 16, 16) in windows
    multiplied = strided.of("convolution", "product")
    assert {layer.outputs[0][1:3] for layer in multiplied} == {(8, 8), (4, 4)}


def test_between_stages_of_a_pooled_transformer_stands_a_trained_depthwise_convolution():
    for network, pools in ((PIT_S, 0), (PIT_S_MAX, 2)):
        found = walk(network.clone(depths=(1, 2, 3)), picture(64))
        between = [layer for layer in found.layers if layer.path.startswith("transition")]
        assert [layer.parameters for layer in between] == [10 * 288, 10 * 576]
        assert [layer.groups for layer in between] == [144, 288]
        assert len(found.of("pool")) == pools


def test_tokens_may_lie_on_any_grid_but_a_class_token_cannot_be_pooled():
    assert walk(EffLayer(), jax.ShapeDtypeStruct((1, 3, 5, 8), jnp.float32)).parameters == (
        6 * 8**2 + 4 * 8
    )
    small = {"widths": (8,), "depths": (2,), "heads": (2,), "patch": 4, "strides": 4}
    wide = jax.ShapeDtypeStruct((2, 8, 12, 3), jnp.float32)
    assert jax.eval_shape(
        lambda x: PfViT(num_classes=5, **small).init_with_output(jax.random.key(0), x)[0], wide
    ).shape == (2, 5)
    with pytest.raises(ExperimentError, match="7 tokens are not a grid of 2 x 3"):
        walk(PfViT(class_token=True, **small), wide)


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ExperimentError, match="2 operations for 16 blocks"):
        walk(PfResNet(("max", "none")), picture())
    with pytest.raises(ExperimentError, match="1 depths and 4 widths"):
        walk(PfResNet(depths=(3,)), picture())
    with pytest.raises(ExperimentError, match="'depthwise'"):
        walk(PfViT("depthwise"), picture(224))
    with pytest.raises(ExperimentError, match="heads"):
        walk(PfViT(heads=(6, 6)), picture(224))
