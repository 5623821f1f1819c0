"""The mixture: what it keeps of its experts, who hears whom, and what its parts count and lose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.transformer.decoder import Shape, initial, logits, run
from experiments.language.mixture_of_thoughts import leaks, losses
from experiments.language.mixture_of_thoughts.experts import DecoderExpert, as_pytrees
from experiments.language.mixture_of_thoughts.fitting import fit_mixture, fit_router
from experiments.language.mixture_of_thoughts.interaction import InteractionLayer
from experiments.language.mixture_of_thoughts.leaks import causality_report
from experiments.language.mixture_of_thoughts.model import (
    MixtureOfThoughts,
    ends_of,
    initial_mixture,
    num_trainable,
    part_of,
)
from experiments.language.mixture_of_thoughts.router import Route, Router, choose
from ntkexec.errors import ExperimentError

SHAPES = (Shape(2, 8, 2, 1, 12, 9), Shape(2, 12, 2, 2, 16, 9), Shape(2, 8, 4, 2, 12, 9))
MODEL = MixtureOfThoughts(stacks=2, shared=8, heads=2)
TOKENS = np.random.default_rng(1).integers(9, size=(4, 6))
REAL = np.ones((4, 6), bool)
REAL[1, 4:] = False
SCORES = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0], [1.0, 2.0, 0.5], [0.0, 2.0, 1.0]])


@pytest.fixture(autouse=True)
def in_double():
    with jax.enable_x64(True):
        yield


def wide(tree):
    return jax.tree.map(lambda x: np.asarray(x, np.float64), tree)


def case(model=MODEL, *, back=0.3):
    """Random experts, and interaction layers that change something unless `back` is 0."""
    generator = np.random.default_rng(0)
    experts = [
        DecoderExpert(wide(initial(shape, generator, deviation=0.4)), shape) for shape in SHAPES
    ]
    params = wide(initial_mixture(model, generator, experts))

    def moved(path, leaf):
        is_back = path[-2].key.startswith("back_")
        return generator.normal(size=leaf.shape) * back if is_back else leaf

    return experts, jax.tree_util.tree_map_with_path(moved, params)


# One program of each mixture for all tests.
APPLIED = jax.jit(lambda params, *given: MODEL.apply({"params": params}, *given))


def asked(params, experts, route, *, tokens=TOKENS, real=REAL, streams=None):
    given = [tokens] * len(experts) if streams is None else streams
    return np.asarray(APPLIED(params, experts, given, route, [real] * len(experts)))


def test_a_fresh_mixture_is_its_primary_alone():
    experts, params = case(back=0.0)
    found = asked(params, experts, choose(SCORES, 2))
    lone = jax.jit(lambda p: logits(p, SHAPES[1], run(p, SHAPES[1], TOKENS, real=REAL).last))
    expected = np.asarray(lone(experts[1].params))
    rows = SCORES.argmax(1) == 1
    assert rows.any()
    np.testing.assert_allclose(found[rows], expected[rows], rtol=1e-12, atol=1e-12)


@pytest.mark.slow
def test_the_causal_mixture_is_silent_and_that_with_a_mask_of_padding_alone_leaks():
    experts, params = case()
    route = choose(SCORES, 2)
    compiled = leaks._spoken._cache_size()
    for mask, moved in (("causal", ()), ("padding", ("later", "peers_later"))) * 2:
        model = MixtureOfThoughts(stacks=2, shared=8, heads=2, mask=mask)
        report = causality_report(
            model, params, experts, route, TOKENS, vocabulary=9, real=REAL, cuts=(2, 4),
            generator=np.random.default_rng(2),
        )  # fmt: skip
        assert report.leaks(tolerance=1e-12) == moved, str(report)
        assert report.inactive.tried
        assert report.padding.tried
        assert report.ignored() == ()
    assert leaks._spoken._cache_size() == compiled + 2  # equal models share a program


@pytest.mark.slow
def test_order_and_absence_of_the_inactive_change_nothing():
    experts, params = case()
    route = choose(SCORES, 2)
    found = asked(params, experts, route)
    order = [2, 0, 1]
    turned = Route(
        np.argsort(order)[np.asarray(route.primary)],
        *(np.asarray(one)[:, order] for one in route[1:]),
    )
    again = asked(part_of(params, order), [experts[m] for m in order], turned)
    np.testing.assert_allclose(again, found, rtol=0, atol=1e-10)
    # Rows in which expert 0 sleeps, with a mixture that does not have it.
    members, rows = [1, 2], ~np.asarray(route.active)[:, 0]
    primary = np.maximum(np.asarray(route.primary) - 1, 0)
    own = Route(primary, np.ones((4, 2), bool), np.asarray(route.probabilities)[:, members])
    alone = asked(part_of(params, members), [experts[m] for m in members], own)
    assert rows.any()
    np.testing.assert_allclose(alone[rows], found[rows], rtol=0, atol=1e-10)


@pytest.mark.slow
def test_an_interaction_is_the_formula_for_the_primary_and_for_a_peer():
    _, params = case()
    generator = np.random.default_rng(4)
    hidden = [generator.normal(size=(1, 5, shape.width)) for shape in SHAPES]
    route = choose(np.array([[0.3, 1.0, -0.5]]), 2)  # 1 is the primary, 0 its peer, 2 sleeps
    p = params["interaction_0"]
    found = InteractionLayer(8, 2).apply({"params": p}, hidden, route, [np.ones((1, 5), bool)] * 3)

    def norm(x, one):
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * one[
            "scale"
        ] + one["bias"]

    def dense(x, one):
        return x @ one["kernel"] + one.get("bias", 0)

    u = [dense(norm(h[0], p[f"norm_{m}"]), p[f"into_{m}"]) for m, h in enumerate(hidden)]
    every = np.concatenate(u[:2])
    chances = np.exp([0.3, 1.0])
    bias = np.repeat(np.log(chances / chances.sum()), 5)
    mixed = np.zeros((5, 8))
    q, k, v = (dense(x, p[name]) for name, x in (("query", u[1]), ("key", every), ("value", every)))
    for head in (slice(0, 4), slice(4, 8)):
        for t in range(5):
            seen = np.array([s % 5 <= t for s in range(10)])
            weights = np.exp(k[:, head] @ q[t, head] / 2 + bias) * seen
            mixed[t, head] = weights @ v[:, head] / weights.sum()
    update = norm(dense(mixed, p["output"]) + u[1], p["norm"])
    np.testing.assert_allclose(found[1][0], hidden[1][0] + dense(update, p["back_1"]), atol=1e-12)
    inner = np.asarray(jax.nn.gelu(dense(u[0], p["inner_0"])))
    peer = dense(dense(inner, p["outer_0"]), p["back_0"])
    np.testing.assert_allclose(found[0][0], hidden[0][0] + peer, atol=1e-12)
    np.testing.assert_array_equal(found[2], hidden[2])


def test_only_interactions_are_trained_and_they_are_as_many_as_the_closed_form():
    _, params = case()
    widths = [shape.width for shape in SHAPES]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == num_trainable(
        widths, stacks=2, shared=8
    )
    for blocks, stacks, ends in ((8, 4, (0, 2, 4, 6, 8)), (30, 4, (0, 8, 16, 24, 30))):
        assert ends_of(blocks, stacks) == ends
    with pytest.raises(ExperimentError, match="4 blocks cannot be cut into 3 stacks of 2"):
        ends_of(4, 3)


def test_losses_are_their_closed_forms():
    generator = np.random.default_rng(0)
    one, other = generator.normal(size=(2, 3, 5, 4))
    counted = np.ones((3, 5), bool)
    assert losses.balance_loss(np.full((7, 4), 0.25)) == 0
    one_hot = np.eye(4)[[2, 2, 2]]
    np.testing.assert_allclose(losses.balance_loss(one_hot), 4, rtol=1e-12)
    assert losses.entropy(one_hot) == 0
    np.testing.assert_allclose(losses.entropy(np.full((7, 4), 0.25)), np.log(4), rtol=1e-12)
    assert losses.consistency_loss(one, one, counted) == 0
    kl = jax.scipy.special.rel_entr
    first, second = jax.nn.softmax(one[:, :-1]), jax.nn.softmax(other[:, :-1])
    expected = ((kl(first, second) + kl(second, first)).sum(-1) / 2).mean()
    np.testing.assert_allclose(losses.consistency_loss(one, other, counted), expected, rtol=1e-12)


def test_the_router_chooses_by_score_and_can_be_told_the_primary():
    route = choose(SCORES, 2)
    assert route.primary.tolist() == [0, 2, 1, 1]
    assert route.active.tolist() == [
        [True, True, False], [False, True, True], [True, True, False], [False, True, True]
    ]  # fmt: skip
    assert choose(SCORES, 1).active.sum() == 4
    told = choose(SCORES, 2, primary=np.array([2, 2, 2, 2]))
    assert told.primary.tolist() == [2] * 4
    assert told.active.sum(1).tolist() == [2] * 4
    assert told.active[:, 2].all()


@pytest.mark.parametrize("module", [InteractionLayer, MixtureOfThoughts])
def test_a_mask_or_a_width_that_there_is_not_is_refused(module):
    with pytest.raises(
        ExperimentError, match="no mask is called 'Causal': there are causal, padding"
    ):
        module(shared=8, heads=2, mask="Causal")
    with pytest.raises(ExperimentError, match="8 cannot be parted among 3 heads"):
        module(shared=8, heads=3)


def test_a_router_that_cannot_choose_is_refused():
    with pytest.raises(ExperimentError, match="temperature 0"):
        Router(experts=2, temperature=0.0)
    for number in (0, 4):
        with pytest.raises(ExperimentError, match=f"{number} of 3 experts cannot be active"):
            choose(SCORES, number)


def test_what_does_not_fit_is_refused_before_anything_is_trained():
    experts, params = case()
    prompts, counted, router = np.ones((4, 5)), np.ones((4, 6), bool), Router(3, 8)
    first = np.zeros((4, 6), bool)
    first[:, 0] = True  # nothing comes before it
    for given, why in (
        ({"prompts": prompts[:3]}, r"prompts of shape \(3, 5\) .* 4 texts"),
        ({"counted": ~counted}, "nothing to predict"),
        ({"counted": first}, "nothing to predict"),
        ({"counted": counted[:3]}, r"counts bool of \(3, 6\)"),
        ({"counted": counted.astype(int)}, "counts int64"),
        ({"tokens": TOKENS * 1.0}, "tokens float64"),
        ({"router": Router(2, 8)}, "a router of 2 experts does not choose among 3"),
        ({"active": 4}, "4 of 3 experts active"),
        ({"steps": 0}, "0 steps"),
    ):
        whole = {
            "router": router, "tokens": TOKENS, "counted": counted, "prompts": prompts, "active": 2,
            "steps": 1, "batch": 2, "seed": 0,
        }  # fmt: skip
        with pytest.raises(ExperimentError, match=why):
            fit_mixture(MODEL, experts=experts, **(whole | given))
    for costs, why in (
        (np.ones((4, 2)), r"costs of shape \(4, 2\)"),
        (np.ones((3, 3)), r"prompts of shape \(4, 5\) .* 3 texts"),
    ):
        with pytest.raises(ExperimentError, match=why):
            fit_router(router, prompts, costs, seed=0, steps=1)
    route = choose(SCORES[:3], 2)
    with pytest.raises(ExperimentError, match="a route of 3 texts for 4"):
        MODEL.apply({"params": params}, experts, [TOKENS] * 3, route)
    with pytest.raises(ExperimentError, match="tokens and masks of shapes"):
        MODEL.apply({"params": params}, experts, [TOKENS, TOKENS, TOKENS[:, :4]], choose(SCORES, 2))
    with pytest.raises(ExperimentError, match="expert 2, a Shape, has no embed, run, head"):
        initial_mixture(MODEL, np.random.default_rng(0), [*experts[:2], SHAPES[2]])


class Plain:
    """An expert that is no pytree."""

    def __init__(self, expert):
        expert = jax.tree.map(jnp.asarray, expert)  # NumPy's cannot be read by traced tokens
        self.width, self.blocks = expert.width, expert.blocks
        self.embed, self.run, self.head = expert.embed, expert.run, expert.head


def test_an_expert_need_not_be_a_pytree():
    experts, _ = case()
    plain = [experts[0], *(Plain(one) for one in experts[1:])]
    drawn = [initial_mixture(MODEL, np.random.default_rng(0), some) for some in (experts, plain)]
    jax.tree.map(np.testing.assert_array_equal, *drawn)
    apply = lambda: MODEL.apply({"params": drawn[0]}, plain, [TOKENS] * 3, choose(SCORES, 2))  # noqa: E731
    assert jax.eval_shape(apply).shape == (4, 6, 9)
    assert as_pytrees(plain) == as_pytrees(plain)  # one program for the same objects
    assert hash(as_pytrees(plain)[1]) == hash(as_pytrees(plain)[1])


@pytest.mark.slow
def test_a_plain_expert_is_trained_with_and_reported_as_a_pytree_is():
    experts, _ = case()
    route, found = choose(SCORES, 2), []
    for some in (experts, [Plain(one) for one in experts]):
        fitted = fit_mixture(
            MODEL, Router(3, 8), some, TOKENS, REAL, SCORES, active=2, seed=0, steps=3, batch=2
        )
        report = causality_report(
            MODEL, fitted.mixture, some, route, TOKENS, vocabulary=9, cuts=(3,),
            generator=np.random.default_rng(2),
        )  # fmt: skip
        assert report.leaks() == ()
        found.append((fitted.losses, report.scale))
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-4)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-3)
