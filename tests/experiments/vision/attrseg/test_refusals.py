"""What a segmenter, its prompts and its training refuse, and that all arms see the same batches."""

import jax
import numpy as np
import pytest

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
    fit_segmenter,
    fit_word_space,
    training,
)
from experiments.vision.attrseg.segmenter import RULES
from ntkexec.errors import ExperimentError

GENERATOR = np.random.default_rng(0)
ATTRIBUTES, PIXELS = GENERATOR.normal(size=(2, 3, 8)), GENERATOR.normal(size=(9, 8))
PRESENT = np.array([[True, True, True], [True, True, False]])


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
