"""A mixture of experts that begins as the dense network: for every gate, kind of network and depth."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.vision.dynamic_dino.mixture import MoEFFN, routed, weighted
from experiments.vision.dynamic_dino.routing import (
    EXACT,
    GATES,
    balance_loss,
    co_activation,
    partners,
    route,
    unpaired,
)
from experiments.vision.dynamic_dino.splitting import (
    FeedForward,
    from_dense,
    refuse_mixing,
    split_ffn,
)
from experiments.vision.dynamic_dino.upcycling import experts_of, symmetry, upcycle, widened
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

INPUTS, HIDDEN, OUTPUTS = 6, 8, 5
ACTIVATIONS = {"relu": jax.nn.relu, "gelu": jax.nn.gelu, "silu": jax.nn.silu}


def drawn(rng, *, gated=False, bias=True, front=()):
    """A dense network of any kind; NumPy's float64."""
    shapes = {"up": (INPUTS, HIDDEN), "down": (HIDDEN, OUTPUTS)}
    shapes |= {"gate": (INPUTS, HIDDEN)} if gated else {}
    if bias:
        shapes |= {f"{name}_bias": shape[1:] for name, shape in shapes.items()}
    return FeedForward(
        **{name: rng.normal(size=(*front, *shape)) for name, shape in shapes.items()}
    )


KINDS = [(gated, bias) for gated in (False, True) for bias in (False, True)]


@pytest.mark.parametrize(("gated", "bias"), KINDS)
def test_slices_in_any_order_sum_to_the_network(gated, bias):
    rng = np.random.default_rng(0)
    ffn, x = drawn(rng, gated=gated, bias=bias), rng.normal(size=(3, INPUTS))
    with float64():
        wanted = ffn(x, jnp.tanh)
        for slices in (1, 2, 4, 8):
            parts = split_ffn(ffn, slices, order=rng.permutation(HIDDEN))
            each = [jax.tree.map(lambda leaf: leaf[j], parts) for j in range(slices)]  # noqa: B023
            total = sum(part(x, jnp.tanh) for part in each)
            np.testing.assert_allclose(total, wanted, rtol=0, atol=1e-12)
    if bias:
        whole = split_ffn(ffn, 4, share_bias=False)
        assert np.shape(whole.down_bias) == (4, OUTPUTS)
        np.testing.assert_allclose(whole.down_bias.sum(0), 4 * ffn.down_bias, rtol=1e-6)


@pytest.mark.parametrize(
    "gate", [*GATES, lambda logits, chosen: logits.max(-1, keepdims=True) ** 2]
)
@pytest.mark.parametrize(
    ("gated", "bias"), [(False, True), pytest.param(True, False, marks=pytest.mark.slow)]
)
def test_any_network_is_kept_by_any_gate_and_only_by_the_exact_ones_unanchored(gate, gated, bias):
    rng = np.random.default_rng(1)
    ffn, x = drawn(rng, gated=gated, bias=bias), rng.normal(size=(2, 7, INPUTS))
    sizes = {"copies": 3, "slices": 2}
    with float64():
        variables = upcycle(ffn, rng, gate=gate, activation=jax.nn.silu, **sizes)
        wanted = np.asarray(ffn(x, jax.nn.silu))
        exact = isinstance(gate, str) and gate in EXACT
        assert ("start" in variables) != exact
        layer = MoEFFN(
            HIDDEN, features=OUTPUTS, gate=gate, gated=gated, use_bias=bias, activation=jax.nn.silu,
            **sizes,
        )  # fmt: skip
        others = [
            dataclasses.replace(layer, sparse=True),
            dataclasses.replace(layer, anchored=False),
        ]
        given = (variables, variables, {"params": variables["params"]})
        kept, sparse, plain = (
            np.asarray(one.apply(own, x)) for one, own in zip([layer, *others], given, strict=True)
        )
        other = dataclasses.replace(layer, gate="unit" if not exact else "all", anchored=None)
        with pytest.raises(ExperimentError, match="upcycled for another gate"):
            other.apply(variables, x)
    np.testing.assert_allclose(kept, wanted, rtol=0, atol=1e-12)
    np.testing.assert_allclose(sparse, wanted, rtol=0, atol=1e-12)
    lost = np.abs(plain - wanted).max() / np.abs(wanted).max()
    assert (lost < 1e-12) if exact else (lost > 0.05)


@pytest.mark.slow
def test_layers_that_lie_stacked_are_upcycled_at_once():
    rng = np.random.default_rng(2)
    ffn, x = drawn(rng, front=(3,)), rng.normal(size=(4, INPUTS))
    with float64():
        variables = upcycle(ffn, rng, copies=2, slices=4)["params"]
        assert {name: leaf.shape[:2] for name, leaf in variables.items()} == dict.fromkeys(
            ("up", "down", "up_bias", "down_bias"), (3, 8)
        ) | {"router": (3, INPUTS)}
        for layer in range(3):
            own = jax.tree.map(lambda leaf: leaf[layer], (ffn, variables))  # noqa: B023
            found = MoEFFN(HIDDEN, 2, 4, OUTPUTS).apply({"params": own[1]}, x)
            np.testing.assert_allclose(found, own[0](x, jax.nn.relu), rtol=0, atol=1e-12)


def test_a_pair_of_dense_modules_and_a_widened_network_are_the_network():
    rng = np.random.default_rng(3)
    ffn, x = drawn(rng, gated=True), rng.normal(size=(4, INPUTS))
    params = {
        name: {"kernel": getattr(ffn, name), "bias": getattr(ffn, f"{name}_bias")}
        for name in ("up", "down", "gate")
    }
    read = from_dense(params, up="up", down="down", gate="gate")
    with float64():
        wide = widened(read, rng, copies=3)
        assert wide.hidden == 3 * HIDDEN
        np.testing.assert_allclose(wide(x, jnp.tanh), ffn(x, jnp.tanh), rtol=0, atol=1e-12)
        experts = split_ffn(wide, 6)  # the same network as experts that are all on
        found = weighted(experts, x, np.ones((4, 6)), jnp.tanh)
        np.testing.assert_allclose(found, ffn(x, jnp.tanh), rtol=0, atol=1e-12)
    with pytest.raises(ExperimentError, match="no kernel of 'w2'"):
        from_dense(params, up="up", down="w2")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"slices": 3}, "1, 2, 4, 8 would fit"),
        ({"copies": 0}, "0 copies"),
        ({"router": "noisy"}, "tied or untied"),
        ({"gate": "softmax"}, "unit, scaled, chosen, all, sigmoid"),
        ({"activation": jax.nn.softmax}, "mixes hidden units"),
        ({"copies": 2.0}, "copies is a whole number, not 2.0"),
        ({"slices": True}, "slices is a whole number, not True"),
        ({"order": np.zeros(HIDDEN, int)}, "no permutation"),
    ],
)
def test_what_cannot_be_upcycled_is_refused(change, said):
    rng = np.random.default_rng(0)
    with pytest.raises(ExperimentError, match=said):
        upcycle(drawn(rng), rng, **({"copies": 2, "slices": 2} | change))
    with pytest.raises(ExperimentError, match="would fit"):
        upcycle(dataclasses.replace(drawn(rng), up_bias=np.ones(3)), rng, copies=2, slices=2)


def test_what_is_no_network_or_another_one_is_refused_in_words():
    rng = np.random.default_rng(0)
    sizes = {"copies": 2, "slices": 2}
    for ask in (
        lambda plain: upcycle(plain, rng, **sizes),
        lambda plain: split_ffn(plain, 2),
        lambda plain: widened(plain, rng, copies=2),
    ):
        with pytest.raises(ExperimentError, match="not a dict; from_dense"):
            ask({"up": np.ones((2, 4)), "down": np.ones((4, 2))})
    ffn = drawn(rng)
    with pytest.raises(ExperimentError, match=r"\(3, 5\) for weights of shape \(6, 8\)"):
        ffn(np.ones((3, 5)), jnp.tanh)
    variables, x = upcycle(ffn, rng, **sizes), np.ones((3, INPUTS))
    layer = MoEFFN(HIDDEN, features=OUTPUTS, **sizes)
    for change, tokens, said in (
        ({}, x[:, :5], "tokens of width 5"),
        ({"hidden": 12}, x, "12 hidden units"),
        ({"copies": 4}, x, "4 copies"),
        ({"features": None}, x, "'down'"),
        ({"use_bias": False}, x, "'down_bias'.*None would fit"),
        ({"gated": True}, x, "'gate' has the shape None"),
    ):
        with pytest.raises(ExperimentError, match=said):
            dataclasses.replace(layer, **change).apply(variables, tokens)


def test_functions_that_mix_units_are_refused_whatever_they_do_to_what_rises():
    def pairs(x):
        return np.sort(x.reshape(len(x), -1, 2), -1).reshape(x.shape)

    def halves(x):
        low, high = np.split(x, 2, -1)
        return np.concatenate([np.minimum(low, high), np.maximum(low, high)], -1)

    def gated(x):
        value, gate = np.split(x, 2, -1)
        return value * gate

    mixing = (
        pairs, halves, gated, lambda x: np.sort(x, -1), lambda x: np.maximum.accumulate(x, -1),
        lambda x: x - x.mean(-1, keepdims=True), lambda x: x * (x == x.max(-1, keepdims=True)),
        lambda x: x - x.mean(0, keepdims=True),
    )  # fmt: skip
    for function in mixing:
        with pytest.raises(ExperimentError, match="mixes hidden units"):
            refuse_mixing(lambda x: function(np.asarray(x)))  # noqa: B023
    for function in (*ACTIVATIONS.values(), np.tanh, np.abs):
        refuse_mixing(function)


@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16])
def test_ties_are_chosen_together_whatever_the_batch(dtype):
    rng = np.random.default_rng(4)
    router = np.repeat(rng.normal(size=(INPUTS, 5)), 3, -1).astype(np.float32)
    x = jnp.asarray(rng.normal(size=(500, INPUTS)), dtype)
    whole = routed(router, x, 3).chosen
    single = jax.vmap(lambda row: routed(router, row[None], 3).chosen[0])(x)
    for chosen in (whole, single):
        copies = np.asarray(chosen) // 3
        assert (copies == copies[:, :1]).all()
        assert (np.sort(chosen, -1) % 3 == np.arange(3)[None]).all()


def test_at_ties_unit_gates_teach_the_router_nothing_and_scaled_ones_nothing_of_copies():
    logits = jnp.array([0.3, 0.3, 1.2, 1.2])

    def gates(logits):
        cases = (("unit", 2), ("scaled", 2), ("all", 2), ("scaled", 1))
        return [route(logits, active, gate=gate).gates for gate, active in cases]

    unit, scaled, over_all, alone = map(np.asarray, jax.jit(jax.jacobian(gates))(logits))
    assert not unit.any()
    assert scaled[:, 2:].any()
    # If both slices of a copy get more, neither gate changes: their logits part, they do not rise.
    np.testing.assert_allclose(scaled.sum(1), 0, atol=1e-7)
    assert not scaled[:, :2].any()
    assert (over_all[:, 2:].sum(1) > 0.01).all()
    assert not alone.any()  # with one expert a token, never


@pytest.mark.slow
def test_balance_has_its_closed_forms_and_padding_does_not_count():
    with float64():
        spread = route(np.zeros((4, 4)), 1)._replace(chosen=jnp.arange(4)[:, None])
        assert float(balance_loss(spread)) == pytest.approx(1, abs=1e-12)
        for slices in (1, 2):
            logits = np.full((6, 4 * slices), -1e3)
            logits[:, :slices] = 0
            lost = balance_loss(route(logits, slices))
            assert float(lost) == pytest.approx(4, abs=1e-12)
        rng = np.random.default_rng(0)
        logits, real = rng.normal(size=(3, 5, 6)), rng.random((3, 5)) < 0.6
        kept = balance_loss(route(logits[real], 2))
        padded = balance_loss(route(logits, 2), real=real)
        np.testing.assert_allclose(padded, kept, rtol=1e-12)
        assert float(balance_loss(route(logits, 2), real=np.zeros_like(real))) == 0


def test_partners_are_counted():
    chosen = np.array([[[0, 1], [1, 0]], [[0, 2], [3, 2]]])
    together = co_activation(chosen, 5)
    np.testing.assert_array_equal(together, together.T)
    assert together[0].tolist() == [0, 2, 1, 0, 0]
    found = partners(together)
    assert found[1] == found[3] == 1
    assert found[2] == pytest.approx(2)
    assert np.isnan(found[4])
    again = unpaired(chosen, np.random.default_rng(0))
    for slot in (0, 1):
        np.testing.assert_array_equal(
            np.sort(again[:, slot]), np.sort(chosen.reshape(-1, 2)[:, slot])
        )
    with pytest.raises(ExperimentError, match="3 was chosen"):
        co_activation(chosen, 3)


def test_the_meter_tells_one_network_many_times_from_several():
    rng = np.random.default_rng(5)
    experts = experts_of(upcycle(drawn(rng, front=(2,)), rng, copies=3, slices=2)["params"])
    at_start = symmetry(experts, 3, start=experts)
    assert not at_start.distance.any()
    assert np.isnan(at_start.share).all()
    alike = jax.tree.map(lambda leaf: leaf + 1, experts)
    np.testing.assert_allclose(symmetry(alike, 3, start=experts).share, 0, atol=1e-9)
    apart = jax.tree.map(lambda leaf: leaf + rng.normal(size=leaf.shape), experts)
    assert (abs(symmetry(apart, 3, start=experts).share - 1) < 0.3).all()
    with pytest.raises(ExperimentError, match="two at least"):
        symmetry(experts, 4)


@pytest.mark.slow
def test_the_layer_draws_itself_and_sows_what_it_chose():
    x = np.ones((2, 3, INPUTS), np.float32)
    layer = MoEFFN(HIDDEN, copies=3, slices=2, anchored=True)
    shapes = jax.eval_shape(layer.init, jax.random.key(0), x)
    assert shapes["params"]["up"].shape == (6, INPUTS, HIDDEN // 2)
    assert shapes["start"]["router"].shape == (INPUTS, 6)
    variables = upcycle(
        drawn(np.random.default_rng(0)), np.random.default_rng(0), copies=3, slices=2
    )
    _, told = MoEFFN(HIDDEN, 3, 2, OUTPUTS).apply(variables, x, mutable=["intermediates"])
    assert told["intermediates"]["routing"][0].chosen.shape == (2, 3, 2)
    with pytest.raises(ExperimentError, match="equal slices"):
        jax.eval_shape(MoEFFN(HIDDEN, slices=3).init, jax.random.key(0), x)
