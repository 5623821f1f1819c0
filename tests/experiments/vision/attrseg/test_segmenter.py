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
    PixelEncoder,
    Prompts,
    additive_parts,
    attribute_maps,
    claims,
    enlarged,
    fit_segmenter,
    fit_word_space,
    labelled,
    mean_iou,
    overlaps,
    segmentation_loss,
    study,
    training,
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


def test_stages_and_heads_that_do_not_fit_are_refused():
    for stages in ((), (4,), (1, 1), (4, 4, 1), (1, 4)):
        with pytest.raises(ExperimentError, match="fewer clusters each time and end in 1"):
            AttributeSegmenter(stages)
    with pytest.raises(ExperimentError, match="3 heads do not share 8 channels"):
        jax.eval_shape(Fusion(3).init, jax.random.key(0), ATTRIBUTES, PIXELS[None])
    with pytest.raises(ExperimentError, match="1 cluster or more, got 0"):
        jax.eval_shape(Clustering(0).init, jax.random.key(0), ATTRIBUTES[0])


def test_what_cannot_be_trained_on_is_refused_before_anything_is_compiled():
    images = np.zeros((3, 8, 8, 3), np.float32)
    regions, matches, phrases = (
        np.zeros((3, 1, 4)),
        np.zeros((3, 1, 2), bool),
        np.zeros((2, 1), int),
    )
    given = {"num_words": 1, "encoded": images, "generator": GENERATOR}
    for parts, batch in (((images, regions[:2], matches), 2), ((images, regions, matches), 4)):
        with pytest.raises(ExperimentError, match=f"batches of {batch} cannot be drawn from 3"):
            fit_word_space(*parts, phrases, steps=1, batch=batch, **given)
    for parts, words, said in (
        ((images, np.zeros((3, 1, 9)), matches), phrases, "pictures of 4 patches and 2 phrases"),
        ((images, regions, matches[..., :1]), phrases, r"got \(3, 1, 4\) and \(3, 1, 1\)"),
        ((images, regions, matches), phrases + 1, "word 1 is in no table of 1 words"),
    ):
        with pytest.raises(ExperimentError, match=said):
            fit_word_space(*parts, words, steps=1, batch=2, **given)
    with pytest.raises(ExperimentError, match=r"\(number, height, width, 3\), got \(8, 8, 3\)"):
        jax.eval_shape(PixelEncoder().init, jax.random.key(0), images[0])
    with pytest.raises(ExperimentError, match=r"multiples of 4, got \(8, 6\)"):
        jax.eval_shape(PixelEncoder().init, jax.random.key(0), images[:, :, :6])
    prompts = Prompts(np.zeros((3, 1, 2, 8)), np.ones((3, 1, 2), bool))
    with pytest.raises(ExperimentError, match="1 batches of 2 pictures with two classes"):
        fit_segmenter(
            MeanSegmenter(),
            np.zeros((3, 4, 8)),
            np.zeros((3, 1, 2, 2)),
            prompts,
            tested=(np.zeros((1, 4, 8)), np.zeros((1, 1), int), prompts),
            size=(8, 8),
            generator=GENERATOR,
            steps=1,
            batch=2,
        )


def fit_parts(*, rows=((0, 1),), pictures=3):
    """Of a training that is not begun: four pictures of two classes, and tests on others."""
    prompts = Prompts(GENERATOR.normal(size=(4, 2, 3, 8)), np.ones((4, 2, 3), bool))
    asked = Prompts(prompts.attributes[None, :2], prompts.present[None, :2])
    return (
        (np.zeros((4, 4, 8)), np.zeros((4, 2, 2, 2)), prompts),
        {"tested": (np.zeros((pictures, 4, 8)), np.array(rows), asked), "size": (8, 8), "steps": 2},
    )


def test_all_arms_see_the_same_batches_whatever_weights_they_draw(monkeypatch):
    keys = []

    def fitted(*given):
        keys.append(jax.random.key_data(given[7]).tolist())
        return given[4], np.zeros(2), np.zeros((1, 2, 2, 8, 8))

    monkeypatch.setattr(training, "_fitted", fitted)
    parts, given = fit_parts()
    models = (AttributeSegmenter((1,), heads=2), MeanSegmenter(depth=1))
    for seed in (0, 1):
        for model in models:
            generator = np.random.default_rng([seed, 1])
            fit_segmenter(model, *parts, **given, generator=generator, batch=2)
    assert keys[0] == keys[1] != keys[2] == keys[3]


def test_a_training_that_is_lost_and_tests_of_no_picture_are_refused(monkeypatch):
    for wrong, said in (
        (fit_parts(rows=((0, 3),)), "numbers below 3 .* got 0 to 3"),
        (fit_parts(rows=((-1, 0),)), "got -1 to 0"),
        (fit_parts(rows=((0, 1, 2),)), r"of the shape \(1, 3\)"),
    ):
        with pytest.raises(ExperimentError, match=said):
            fit_segmenter(MeanSegmenter(), *wrong[0], **wrong[1], generator=GENERATOR, batch=2)
    (pixels, masks, prompts), given = fit_parts()
    with pytest.raises(ExperimentError, match="pictures and classes are not as many"):
        fit_segmenter(
            MeanSegmenter(), pixels, masks[:3], prompts, **given, generator=GENERATOR, batch=2
        )
    monkeypatch.setattr(training, "_fitted", lambda *a: (a[4], np.array([1, np.nan]), np.zeros(1)))
    with pytest.raises(ExperimentError, match="the loss is nan from step 1 on"):
        fit_segmenter(
            MeanSegmenter(), pixels, masks, prompts, **given, generator=GENERATOR, batch=2
        )


@pytest.mark.parametrize(
    "attributes, present, said",
    [
        (
            ATTRIBUTES,
            PRESENT & [[True], [False]],
            r"class at \(1,\) of the prompts has no attribute",
        ),
        (
            np.full((2, 3, 8), np.nan),
            PRESENT,
            r"attribute at \(0, 0\) of the prompts is not finite",
        ),
        (ATTRIBUTES, PRESENT[:, :2], r"shapes \(2, 3, 8\) and \(2, 2\) of bool"),
        (ATTRIBUTES, PRESENT.astype(int), "of int64"),
    ],
)
def test_prompts_have_attributes_for_every_class(attributes, present, said):
    with pytest.raises(ExperimentError, match=said):
        Prompts(attributes, present)


def test_what_is_not_there_may_be_anything_in_prompts():
    assert Prompts(np.where(PRESENT[..., None], ATTRIBUTES, np.nan), PRESENT)


def test_inputs_and_variables_that_do_not_fit_are_refused_in_words():
    model = AttributeSegmenter((1,), heads=2, hidden=8)
    variables = initial_by_numpy(model, GENERATOR, ATTRIBUTES, PIXELS, rules=RULES)

    def shape(model, attributes=ATTRIBUTES, pixels=PIXELS, present=PRESENT, variables=variables):
        return jax.eval_shape(model.apply, variables, attributes, pixels, present).logits.shape

    assert shape(model) == (2, 9)
    many = np.zeros((5, 2, 3, 8))
    present = np.ones((5, 2, 3), bool)
    for lead in ((), (1,), (5,)):
        assert shape(model, many, np.zeros((*lead, 9, 8)), present) == (5, 2, 9)
    wrong = (
        ((ATTRIBUTES[..., :4], PIXELS), "width 4 and pixels of width 8"),
        ((ATTRIBUTES, PIXELS.reshape(3, 3, 8)), r"a list .*pixels.reshape\(-1, 8\)"),
        ((many, np.zeros((2, 9, 8)), present), r"the sets \(5,\) of prompts"),
        ((ATTRIBUTES[0], PIXELS), "attributes are vectors"),
        ((ATTRIBUTES, PIXELS, PRESENT[:, :2]), r"no marks of the shape \(2, 2\)"),
    )
    for given, said in wrong:
        for one in (model, MeanSegmenter()):
            with pytest.raises(ExperimentError, match=said):
                shape(one, *given)
        for explain in (attribute_maps, additive_parts):
            with pytest.raises(ExperimentError, match=said):
                explain(model, variables, *given)
    narrow = (ATTRIBUTES[..., :4], PIXELS[:, :4])
    for one, given in (
        (model, narrow),
        (AttributeSegmenter((1,), heads=2, hidden=9), ()),
        (AttributeSegmenter((2, 1), heads=2, hidden=8), ()),
        (MeanSegmenter(), ()),
    ):
        with pytest.raises(ExperimentError, match=r"not those of .*Segmenter for inputs") as caught:
            shape(one, *given)
        assert "http" not in str(caught.value)
    with pytest.raises(ExperimentError, match="MeanSegmenter has none"):
        additive_parts(MeanSegmenter(), variables, ATTRIBUTES, PIXELS)
    for pixels, said in ((PIXELS, "a fusion takes"), (PIXELS[None, :, :4], "no common space")):
        with pytest.raises(ExperimentError, match=said):
            jax.eval_shape(Fusion(2).init, jax.random.key(0), ATTRIBUTES, pixels)
    with pytest.raises(ExperimentError, match=r"no marks of the shape \(2,\)"):
        jax.eval_shape(Clustering(1, 2).init, jax.random.key(0), ATTRIBUTES[0], PRESENT[0, :2])


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
