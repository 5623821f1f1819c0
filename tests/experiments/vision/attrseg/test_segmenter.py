"""Stages by hand, what attributes left out change, sums that give the logits, and what is refused."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from experiments.harness import runner
from experiments.harness.study import Record
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.attrseg import (
    AttributeSegmenter,
    Clustering,
    Fusion,
    MeanSegmenter,
    additive_parts,
    attribute_maps,
    claims,
    enlarged,
    labelled,
    mean_iou,
    overlaps,
    segmentation_loss,
    study,
)
from experiments.vision.attrseg.layers import Attention
from experiments.vision.attrseg.segmenter import RULES
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

GENERATOR = np.random.default_rng(0)
ATTRIBUTES, PIXELS = GENERATOR.normal(size=(2, 3, 8)), GENERATOR.normal(size=(9, 8))
PRESENT = np.array([[True, True, True], [True, True, False]])


def drawn(module, *inputs, seed=1):
    """Variables in double precision, none of them at a special value."""
    generator = np.random.default_rng(seed)
    given = initial_by_numpy(module, generator, *inputs, rules=RULES)
    return jax.tree.map(lambda leaf: leaf + generator.uniform(-0.3, 0.3, leaf.shape), given)


def dense(params, x):
    return x @ params["kernel"] + params.get("bias", 0)


def attention_by_loops(params, queries, keys, heads):
    """Query by query and head by head."""
    q, k, v = (
        dense(params[name], x) for name, x in (("query", queries), ("key", keys), ("value", keys))
    )
    found, size = np.zeros_like(q), q.shape[-1] // heads
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for place in range(len(q)):
            weights = np.exp(k[:, part] @ q[place, part] / size**0.5)
            found[place, part] = weights / weights.sum() @ v[:, part]
    return dense(params["project"], found)


def normed(params, x):
    centred = x - x.mean(-1, keepdims=True)
    return (
        params["scale"] * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
        + params["bias"]
    )


def perceptron(params, x):
    inner = dense(params["widen"], normed(params["norm"], x))
    # Flax's gelu is the one by tanh.
    inner = 0.5 * inner * (1 + np.tanh((2 / np.pi) ** 0.5 * (inner + 0.044715 * inner**3)))
    return dense(params["narrow"], inner)


def test_a_fusion_is_three_attentions_and_two_perceptrons():
    layer = Fusion(heads=2, hidden=5)
    one, pixels = ATTRIBUTES[:1], PIXELS[None]
    with float64():
        variables = drawn(layer, one, pixels)
        found = jax.jit(layer.apply)(variables, one, pixels)
    p = variables["params"]
    a, v = one[0], PIXELS
    known = normed(p["norm_attributes"], a)
    a = a + attention_by_loops(p["among"], known, known, 2)
    seen = normed(p["norm_pixels"], v)
    a = a + attention_by_loops(p["look"], normed(p["norm_look"], a), seen, 2)
    v = v + attention_by_loops(p["tell"], seen, normed(p["norm_told"], a), 2)
    for got, want, name in zip(found, (a, v), ("attributes", "pixels"), strict=True):
        want = want + perceptron(p[f"perceptron_{name}"], want)
        np.testing.assert_allclose(got[0], want, rtol=1e-10, atol=1e-11)


@pytest.mark.slow
def test_of_one_attribute_attention_is_a_fixed_linear_map_whoever_asks():
    layer = Attention(2)
    with float64():
        variables = drawn(layer, PIXELS, ATTRIBUTES[0, :1])
        found = layer.apply(variables, PIXELS, ATTRIBUTES[0, :1])
    p = variables["params"]
    want = dense(p["project"], dense(p["value"], ATTRIBUTES[0, :1]))
    np.testing.assert_allclose(found, np.tile(want, (len(PIXELS), 1)), atol=1e-13)


def test_clusters_are_means_by_shares_and_hard_ones_partition():
    given = GENERATOR.normal(size=(6, 8))
    with float64():
        for hard in (False, True):
            layer = Clustering(4, 2, hard=hard)
            variables = drawn(layer, given)

            def total(variables, layer=layer):
                found = layer.apply(variables, given)
                return found.tokens.sum(), found

            step = jax.jit(jax.value_and_grad(total, has_aux=True))
            (_, found), slope = jax.tree.map(np.asarray, step(variables))
            np.testing.assert_allclose(found.shares.sum(0), 1, atol=1e-14)
            for share, mean in zip(found.shares, found.means, strict=True):
                want = np.average(given, 0, weights=share) if share.sum() > 0 else np.zeros(8)
                np.testing.assert_allclose(mean, want, atol=1e-13)
            want = found.asked + found.means @ variables["params"]["out"]["kernel"]
            np.testing.assert_allclose(found.tokens, want, atol=1e-13)
            assert set(np.unique(found.shares)) <= {0.0, 1.0} or not hard
            # The straight-through gradient reaches what decides the shares.
            assert np.abs(slope["params"]["key"]["kernel"]).max() > 1e-6


@pytest.mark.slow
def test_means_do_not_grow_with_repetition_and_sums_do():
    twice = np.tile(ATTRIBUTES[0], (2, 1))
    with float64():
        for normalised in (True, False):
            layer = Clustering(2, 2, normalised=normalised)
            variables = drawn(layer, ATTRIBUTES[0])
            once, found = (layer.apply(variables, x).means for x in (ATTRIBUTES[0], twice))
            np.testing.assert_allclose(found, once if normalised else 2 * once, atol=1e-13)


def untrained(model):
    given = initial_by_numpy(model, GENERATOR, ATTRIBUTES, PIXELS, PRESENT, rules=RULES)
    given = jax.tree.map(lambda leaf: leaf.astype(np.float64), given)
    for name in given["params"]:
        if name.startswith("clustering"):
            given["params"][name]["queries"] *= 0
    return given


def test_it_begins_as_the_mean_and_what_is_not_present_may_even_be_nan():
    """One program: a single stage before training, then drawn, with nonsense where nothing is."""
    model = AttributeSegmenter((1,), heads=2)
    spoilt = np.where(PRESENT[..., None], ATTRIBUTES, np.nan)
    with float64():
        apply = jax.jit(lambda v, a: model.apply(v, a, PIXELS, PRESENT).logits)
        begun = np.asarray(apply(untrained(model), ATTRIBUTES))
        variables = drawn(model, ATTRIBUTES, PIXELS)
        one, other = (np.asarray(apply(variables, x)) for x in (ATTRIBUTES, spoilt))
    means = [row[there].mean(0) for row, there in zip(ATTRIBUTES, PRESENT, strict=True)]
    unit = PIXELS / np.linalg.norm(PIXELS, axis=1, keepdims=True)
    want = np.stack([unit @ (mean / np.linalg.norm(mean)) for mean in means]) / 0.07
    np.testing.assert_allclose(begun, want, atol=1e-9)
    np.testing.assert_array_equal(one, other)
    assert np.abs(one - begun).max() > 0.1


@pytest.mark.slow
def test_the_mean_begins_alike_and_fewer_slots_say_the_same():
    model = AttributeSegmenter(heads=2)
    with float64():
        variables = drawn(model, ATTRIBUTES, PIXELS)
        found = model.apply(variables, ATTRIBUTES, PIXELS, PRESENT).logits
        fewer = model.apply(variables, ATTRIBUTES[1:, :2], PIXELS).logits
        np.testing.assert_allclose(found[1], fewer[0], rtol=1e-12, atol=1e-12)
        mean, one = MeanSegmenter(), AttributeSegmenter((1,), heads=2)
        logits = [
            each.apply(untrained(each), ATTRIBUTES, PIXELS, PRESENT).logits for each in (mean, one)
        ]
        np.testing.assert_allclose(*logits, atol=1e-9)


@pytest.mark.slow
def test_maps_are_differences_and_parts_sum_to_the_logits():
    with float64():
        for model in (AttributeSegmenter(heads=2), AttributeSegmenter((1,), heads=2)):
            variables = drawn(model, ATTRIBUTES, PIXELS)
            logits = np.asarray(model.apply(variables, ATTRIBUTES, PIXELS, PRESENT).logits)
            found = attribute_maps(model, variables, ATTRIBUTES, PIXELS, PRESENT)
            np.testing.assert_allclose(found.logits, logits, atol=1e-12)
            # To leave out what is not there changes nothing.
            assert not np.asarray(found.changes)[1, 2].any()
            left = model.apply(variables, ATTRIBUTES[:, 1:], PIXELS, PRESENT[:, 1:]).logits
            np.testing.assert_allclose(found.changes[:, 0], logits - left, atol=1e-11)
            parts = np.asarray(additive_parts(model, variables, ATTRIBUTES, PIXELS, PRESENT))
            members = 3 if model.stages == (1,) else 4
            assert parts.shape == (2, 1 + members, 9)
            np.testing.assert_allclose(parts.sum(1), logits, atol=1e-11)
            assert members == 4 or not parts[1, 3].any()
        with pytest.raises(ExperimentError, match="without one, none is left"):
            attribute_maps(model, variables, ATTRIBUTES, PIXELS, PRESENT & [True, False, False])


def test_overlaps_are_counted_by_hand():
    found, truth = np.array([0, 0, 1, -1, 2]), np.array([0, 1, 1, 1, -1])
    total = overlaps(found, truth, 4)
    assert total.tolist() == [[1, 2], [1, 3], [0, 1], [0, 0]]
    assert mean_iou(total) == pytest.approx((1 / 2 + 1 / 3 + 0) / 3)
    ignored = np.array([False, False, False, True, True])
    assert overlaps(found, truth, 4, ignored=ignored).tolist() == [[1, 2], [1, 2], [0, 0], [0, 0]]
    logits = np.array([[2.0, -1, 0.5], [1.0, -2, 0.7]])
    assert labelled(logits).tolist() == [0, -1, 1]
    assert labelled(logits, numbers=np.array([7, 3])).tolist() == [7, -1, 3]
    # Background is no class, but what is found in it counts against the class.
    more = [np.append(found, [-1] * 9), np.append(truth, [-1] * 9)]
    assert overlaps(*more, 4).tolist() == total.tolist()
    assert overlaps(np.array([-1, -1, 0]), np.array([-1, -1, 0]), 1).tolist() == [[1, 1]]
    assert mean_iou(overlaps(np.array([0, 0, 0]), np.array([-1, -1, 0]), 1)) == 1 / 3
    for wrong, numbers, said in (
        ([[np.nan, 1.0], [5.0, 5.0]], None, "class 0 of 2 are no numbers; has it any attribute"),
        ([[1.0, 1.0], [5.0, np.nan]], None, "class 1 of 2"),
        ([[1.0]], np.array([3, 4]), "1 classes cannot have 2 numbers"),
        (np.zeros((0, 3)), None, "0 classes cannot"),
    ):
        with pytest.raises(ExperimentError, match=said):
            labelled(np.array(wrong), numbers=numbers)
    with pytest.raises(ExperimentError, match="above the last of 2 classes"):
        overlaps(found, truth, 2)
    with pytest.raises(ExperimentError, match="do not overlap"):
        overlaps(found[1:], truth, 4)
    with pytest.raises(ExperimentError, match="nothing to compare"):
        mean_iou(np.zeros((3, 2), int))


def test_a_mask_in_halves_has_a_loss_by_hand_and_logits_are_enlarged():
    masks = np.array([[1.0, 1.0], [0.0, 0.0]])
    assert float(jax.jit(segmentation_loss)(np.zeros((2, 2)), masks)) == pytest.approx(
        np.log(2) + 1 - 3 / 5
    )
    assert enlarged(np.ones((3, 6)), (2, 3), (8, 9)).shape == (3, 8, 9)
    with pytest.raises(ExperimentError, match="has no 6 places"):
        enlarged(np.ones((3, 6)), (2, 2), (8, 9))


def test_names_that_tell_a_class_fail_their_claim_and_names_that_tell_nothing_hold():
    (claim,) = (each for each in claims.CLAIMS if each.name == "names")

    def judged(own):
        found = {"held_out": own, "another": 0.1}
        records = [Record(seed, {"segmenters": {"miou": {"name": found}}}) for seed in range(3)]
        return runner.judge(claim, records).verdict

    assert [judged(own) for own in (0.1, 0.3)] == ["holds", "fails"]


@pytest.mark.parametrize("by_name", [False, True])
def test_the_chance_of_an_arm_is_what_it_finds_by_the_prompts_of_a_neighbour(by_name):
    arms = object.__new__(study._Arms)
    arms.vectors = np.broadcast_to(np.arange(6.0)[:, None, None], (6, 15, 8))
    arms.tests = [SimpleNamespace(classes=np.array([row])) for row in ([3, 1, 5, 2], [0, 4, 2, 1])]
    arms.wrong, arms.field = np.array([[0, 0, 0, 0]]), np.array([[0, 1, 2, 3]])
    arms.world = SimpleNamespace(
        vocabulary=SimpleNamespace(words=("a", "b", *"ghijkl")), tuples=np.zeros((6, 4))
    )
    arms.space = SimpleNamespace(words=np.arange(-2.0, 6.0)[:, None] + np.zeros(8))
    found = arms._test_prompts(by_name)
    told = dict(zip(study.SETS, found.attributes[:, 0, :, 0, 0], strict=True))
    assert told["held_out"].tolist() == [3, 1, 5, 2]
    assert told["another"].tolist() == [1, 5, 2, 3]
    assert told["seen"].tolist() == [0, 4, 2, 1]
    assert (found.present.sum(-1) == 1).all() == by_name
