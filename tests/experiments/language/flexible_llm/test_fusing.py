"""Selection and its losses: one source, the simplex, order, ends and gradients; what the trainer adds up."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.transformer.decoder import Shape, initial
from experiments.language.flexible_llm import SourceSelector, fuse, fusion_loss, top_k, usage_loss
from experiments.language.flexible_llm.distributions import spread
from experiments.language.flexible_llm.fusing import drawn_selector, influence, terms, weights_by
from experiments.language.flexible_llm.selection import mixed, selected
from ntkexec.errors import ExperimentError

DRAW = np.random.default_rng(0)
SHAPE = Shape(blocks=1, width=8, heads=2, key_heads=1, hidden=8, vocabulary=7)
PARAMS = initial(SHAPE, DRAW, deviation=0.5)
TEXTS = DRAW.integers(7, size=(6, 5))
COUNTED = DRAW.random((6, 5)) < 0.7
SOURCES = DRAW.dirichlet(np.ones(7), size=(3, 6, 4))
LOSS = DRAW.random((3, 6))


@pytest.fixture(autouse=True)
def in_double():
    with jax.enable_x64(True):
        yield


def rows(*sides):
    return np.random.default_rng(sides).normal(size=sides)


def log_softmax(raw):
    return raw - np.log(np.exp(raw).sum(-1, keepdims=True))


def variables_of(sources):
    """Of a selector, drawn anew."""
    shapes = jax.eval_shape(functools.partial(drawn_selector, sources=sources), jax.random.key(0))
    return jax.tree.map(lambda one: np.random.default_rng(7).normal(size=one.shape), shapes)


def test_weights_lie_on_the_simplex_and_at_most_six_are_selected():
    gates = np.exp(log_softmax(np.concatenate([5 * rows(500, 9), np.zeros((1, 9))])))
    found = np.asarray(jax.jit(selected)(gates))
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-12)
    taken = (found > 1e-12).sum(1)
    assert found.min() > -1e-12
    assert taken.min() == 1
    assert taken.max() <= 6
    assert taken[-1] == 1  # nine even gates are all below the threshold
    six = np.asarray(selected(jnp.full((1, 6), 1 / 6)))
    np.testing.assert_allclose(six, 1 / 6, atol=1e-12)


def test_the_gradient_goes_straight_through_the_selection():
    raw, slope = rows(4, 8), rows(4, 8)
    through = jax.jit(jax.grad(lambda one: (selected(jax.nn.softmax(one)) * slope).sum()))(raw)
    gates = np.exp(raw) / np.exp(raw).sum(1, keepdims=True)
    plain = gates * (slope - (gates * slope).sum(1, keepdims=True))
    np.testing.assert_allclose(through, plain, atol=1e-12)


def test_sources_in_another_order_have_their_weights_in_that_order_and_the_same_loss():
    variables = variables_of(3)
    order, module = np.array([2, 0, 1]), SourceSelector(3)
    moved = jax.tree.map(lambda one: one, variables)
    moved["params"]["first"]["kernel"] = variables["params"]["first"]["kernel"][order]
    for name in ("kernel", "bias"):
        moved["params"]["third"][name] = variables["params"]["third"][name][..., order]
    scores, told = np.exp(-LOSS.T), log_softmax(rows(6, 4, 7))
    weigh = jax.jit(module.apply)
    one, other = weigh(variables, scores), weigh(moved, scores[:, order])
    np.testing.assert_allclose(other, one[:, order], atol=1e-12)
    counted = COUNTED[:, 1:]
    losses = [
        fusion_loss(mixed(weights, sources), told, counted) + usage_loss(weights)
        for weights, sources in ((one, SOURCES), (other, SOURCES[order]))
    ]
    np.testing.assert_allclose(*losses, atol=1e-12)


@pytest.mark.parametrize("number", [1, 5])
def test_usage_is_0_where_it_is_even_and_n_where_one_source_alone_is_used(number):
    assert abs(float(usage_loss(np.full((2, number), 1 / number)))) < 1e-12
    alone = float(usage_loss(np.eye(number)[[0, 0]]))
    np.testing.assert_allclose(alone, number if number > 1 else 0, atol=1e-8)


def test_ce_and_kl_have_one_gradient_in_the_model_and_two_in_the_weights():
    counted, raw, weights = COUNTED[:, 1:], rows(6, 4, 7), np.exp(log_softmax(rows(6, 3)))

    @functools.partial(jax.jit, static_argnums=2)
    @functools.partial(jax.grad, argnums=(0, 1))
    def slopes(weights, raw, kind):
        return fusion_loss(mixed(weights, SOURCES), jax.nn.log_softmax(raw), counted, kind=kind)

    of = {kind: slopes(weights, raw, kind) for kind in ("ce", "kl")}
    np.testing.assert_allclose(of["ce"][1], of["kl"][1], atol=1e-12)
    assert float(abs(of["ce"][0] - of["kl"][0]).max()) > 1e-3
    # The joint selector's slope is a source's cross-entropy: what the target agrees with is favoured.
    told = log_softmax(raw)
    each = [fusion_loss(one, told, counted) for one in SOURCES]
    np.testing.assert_allclose(of["ce"][0].sum(0), each, atol=1e-12)


def test_what_the_trainer_adds_up_is_the_fusion_loss_of_the_mixed_rows():
    stored, told = top_k(SOURCES, 3), log_softmax(rows(6, 4, 7))
    weights = weights_by(LOSS, "softmax", np.array([True, True, False])).astype(float)
    plain, each = jax.jit(terms)(told, TEXTS, COUNTED, stored)
    counted, whole = COUNTED[:, 1:], spread(stored, 7)
    mixture = np.einsum("bn,nbtv->btv", weights, whole)
    np.testing.assert_allclose((weights * each).sum(), fusion_loss(mixture, told, counted))
    # One source: distillation in two terms, whatever the selector; the text itself is the first term.
    alone = np.asarray(SourceSelector(1).apply(variables_of(1), np.exp(-LOSS[:1].T)))
    assert alone.tolist() == [[1.0]] * 6
    np.testing.assert_allclose((alone * each[:, :1]).sum(), fusion_loss(whole[0], told, counted))
    np.testing.assert_allclose(plain, fusion_loss(np.eye(7)[TEXTS[:, 1:]], told, counted))


@pytest.mark.slow
def test_losses_are_finite_where_the_model_excludes_what_nothing_expects_or_counts():
    told = log_softmax(rows(2, 3, 4))
    told[..., 3] = -np.inf
    counted = np.array([[True, True, False], [True, False, True]])
    target = np.concatenate([DRAW.dirichlet(np.ones(3), size=(2, 3)), np.zeros((2, 3, 1))], -1)
    target[~counted] = [0, 0, 0, 1]
    for kind, less in (
        ("ce", 0),
        ("kl", (target[counted] * np.log(target[counted] + 1e-300)).sum()),
    ):
        expected = -(target[counted][:, :3] * told[counted][:, :3]).sum() + less
        found = fusion_loss(target, told, counted, kind=kind)
        np.testing.assert_allclose(found, expected / counted.sum())
    # The slope in the distribution is still that of the cost.
    slope = jax.grad(lambda one: fusion_loss(one, told, counted))(target)
    np.testing.assert_allclose(slope[..., :3][counted], -told[counted][:, :3] / counted.sum())
    tokens = np.where(np.pad(counted, ((0, 0), (1, 0))), 1, 3)
    plain, each = terms(told, tokens, np.pad(counted, ((0, 0), (1, 0))), top_k(target[None], 3))
    np.testing.assert_allclose(plain, -told[counted][:, 1].mean())
    np.testing.assert_allclose(each.sum(), fusion_loss(target, told, counted))


def test_fixed_weights_are_even_those_of_the_least_loss_or_by_it():
    present = np.array([True, False, True])
    np.testing.assert_allclose(weights_by(LOSS, "uniform", present), [[0.5, 0, 0.5]] * 6)
    least = weights_by(LOSS, "least", present)
    assert (least.argmax(1) == np.where(LOSS[0] < LOSS[2], 0, 2)).all()
    assert (least.max(1) == 1).all()
    both = np.exp(-LOSS[[0, 2]])
    np.testing.assert_allclose(
        weights_by(LOSS, "softmax", present)[:, [0, 2]], (both / both.sum(0)).T, rtol=1e-6
    )


def test_influence_is_the_derivative_through_a_step_of_the_target():
    centre, start, weights, rate = rows(4, 3, 5), rows(5), rows(4, 3), 0.3

    def each(one):
        return jnp.square(one[None, None] - centre).sum(-1) ** 1.5

    def loss(one):
        return jnp.sin(one).sum()

    def descended(weights, one):
        return (weights * each(one)).sum()

    @jax.jit
    def both(weights, start):
        def after(weights):
            return loss(start - rate * jax.grad(descended, 1)(weights, start))

        slopes = jax.grad(descended, 1)(weights, start)
        return jax.grad(after)(weights), influence(each, loss, start, slopes, rate)

    slope, found = both(weights, start)
    np.testing.assert_allclose(slope, -rate * found, rtol=1e-9)


@pytest.mark.slow
def test_a_selector_changes_only_where_it_is_trained():
    with jax.enable_x64(False):
        given = (PARAMS, SHAPE, TEXTS, COUNTED, top_k(SOURCES.astype(np.float32), 3), LOSS)
        found = {
            how: fuse(*given, how=how, held=(TEXTS, COUNTED), seed=0, steps=50, batch=4)
            for how in ("joint", "frozen", "released", "bilevel")
        }
        first = drawn_selector(jax.random.fold_in(jax.random.key(0), 0), 3)

    def moved(how):
        apart = jax.tree.map(lambda a, b: float(abs(a - b).max()), found[how].selector, first)
        return max(jax.tree.leaves(apart))

    assert moved("frozen") == 0
    assert min(moved("joint"), moved("bilevel")) > 1e-3
    # Made anew at every step, its parameters after 50 steps are a draw that no gradient has touched.
    with jax.enable_x64(False):
        last = drawn_selector(jax.random.fold_in(jax.random.key(0), 50), 3)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found["released"].selector, last
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"how": "best"}, "not 'best'"),
        ({"how": "bilevel"}, "held-out"),
        ({"share": 1.5}, "share 1.5"),
        ({"steps": 0}, "0 steps"),
        ({"present": np.zeros(3, bool)}, "may be used"),
        ({"loss": LOSS[:, :5]}, "do not fit"),
        ({"loss": np.append(LOSS[:, 1:], [[np.inf]] * 3, 1)}, "not finite"),
        ({"texts": TEXTS + 7}, "tokens"),
    ],
)
def test_what_cannot_be_fused_is_refused(changed, words):
    given = {
        "texts": TEXTS, "counted": COUNTED, "stored": top_k(SOURCES, 3), "loss": LOSS, "seed": 0, "steps": 1
    }  # fmt: skip
    with pytest.raises(ExperimentError, match=words):
        fuse(PARAMS, SHAPE, **{**given, **changed})
