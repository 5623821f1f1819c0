"""Generated scenes tell the truth about themselves: boxes, masks, labels and captions fit the pixels."""

import numpy as np
import pytest

from experiments.kits.detection import attributes, digits, figures, scenes, top_view
from ntkexec.errors import ExperimentError

KINDS = {
    "digits": digits.digit_scenes,
    "attributes": attributes.attribute_scenes,
    "top view": top_view.top_view_scenes,
}


def test_the_first_signs_of_glyphs_are_told_by_their_labels():
    glyphs = digits.digit_glyphs()
    few = glyphs.first(4)
    assert set(few.labels) == {0, 1, 2, 3}
    assert len(few.labels) == (glyphs.labels < 4).sum() == len(few.ink)
    with pytest.raises(ExperimentError, match="first 0 signs"):
        glyphs.first(0)


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module", params=KINDS)
def drawn(request):
    return KINDS[request.param](generator(), 30, masks=True, noise=0.0)


def test_boxes_are_the_extents_of_masks_and_objects_come_before_padding(drawn):
    assert drawn.images.dtype == np.float32
    assert 0 <= drawn.images.min() < drawn.images.max() <= 1
    assert drawn.present[:, 0].all()
    assert (np.diff(drawn.present.astype(int), axis=1) <= 0).all()
    assert drawn.present.sum(1).max() > 1
    for boxes, labels, masks in zip(drawn.boxes, drawn.labels, drawn.masks, strict=True):
        for box, label, mask in zip(boxes, labels, masks, strict=True):
            if label < 0:
                assert not mask.any()
                assert not box.any()
                continue
            across, down = mask.any(0).nonzero()[0], mask.any(1).nonzero()[0]
            assert tuple(box) == (across[0], down[0], across[-1] + 1, down[-1] + 1)
            assert label < len(drawn.names)
        assert masks.sum(0).max() == 1


def test_objects_are_seen_and_nothing_else_is(drawn):
    for image, masks in zip(drawn.images, drawn.masks, strict=True):
        # Without noise the background is linear, so second differences vanish away from objects.
        curved = np.abs(image[:-2] - 2 * image[1:-1] + image[2:]).max(-1)
        # Strokes fade over a pixel of the glyph, enlarged at most four times.
        near = scenes.widened(masks.any(0), 5)[1:-1]
        assert curved[~near].max(initial=0) < 1e-5
        assert curved[near].max() > 0.1


def test_scenes_are_the_generators_alone(drawn):
    kind = next(make for make in KINDS.values() if make(generator(), 1).names == drawn.names)
    again = kind(generator(), 30, masks=True, noise=0.0)
    np.testing.assert_array_equal(again.images, drawn.images)
    some = drawn[5:7]
    np.testing.assert_array_equal(some.boxes, drawn.boxes[5:7])
    assert len(some) == 2
    assert len(some.captions) in (0, 2)
    assert drawn[3].images.shape == (1, 64, 64, 3)


def test_sizes_are_those_asked_for_and_wrong_ones_are_named():
    made = digits.digit_scenes(generator(), 40, objects=(1, 6), pixels=(6, 32))
    assert made.labels.shape == (40, 6)
    assert made.masks is None
    sides = (made.boxes[..., 2:] - made.boxes[..., :2]).max(-1)[made.present]
    assert sides.min() >= 5
    assert sides.max() <= 32
    for kind, wrong, said in [
        ("digits", {"pixels": (5, 9)}, "sides from 6 to the picture's 64"),
        ("attributes", {"pixels": (20, 70)}, r"got \(20, 70\)"),
        ("top view", {"objects": (3, 2)}, r"got \(3, 2\)"),
    ]:
        with pytest.raises(ExperimentError, match=said):
            KINDS[kind](generator(), 1, **wrong)
    with pytest.raises(ExperimentError, match="not 0"):
        digits.digit_scenes(generator(), 0)


def test_boxes_of_digits_never_touch_and_those_of_ships_may():
    made = digits.digit_scenes(generator(), 60, objects=(4, 6), pixels=(8, 20))
    for boxes, present in zip(made.boxes, made.present, strict=True):
        low, high = boxes[present, None, :2], boxes[present, None, 2:]
        apart = (low >= high.swapaxes(0, 1) + 1) | (low.swapaxes(0, 1) >= high + 1)
        assert (apart.any(-1) | np.eye(present.sum(), dtype=bool)).all()


def test_a_glyph_keeps_its_proportions_and_is_drawn_alone():
    ink = np.zeros((8, 8), np.float32)
    ink[1:7, 2:4] = 0.5
    assert digits.enlarged(ink, 24).shape == (24, 8)
    np.testing.assert_array_equal(digits.enlarged(ink, 24), 1)
    two = digits.Glyphs(np.stack([ink, ink.T]), np.array([0, 1], np.int32))
    made = digits.digit_scenes(generator(), 20, glyphs=two, pixels=(12, 12))
    size = (made.boxes[..., 2:] - made.boxes[..., :2])[made.present]
    expected = np.array([[4, 12], [12, 4]])[made.labels[made.present]]
    np.testing.assert_array_equal(size, expected)
    one, other = digits.digit_glyphs().split(1000, generator())
    assert (len(one.labels), len(other.labels)) == (1000, 797)


def test_shrinking_a_glyph_keeps_its_mean_and_enlarging_a_line_is_linear():
    crop = generator().random((6, 9))
    smaller = digits._between(6, 3) @ crop @ digits._between(9, 3).T
    assert smaller.mean() == pytest.approx(crop.mean(), rel=1e-12)
    line = digits._between(4, 8) @ np.arange(4.0)
    np.testing.assert_allclose(line, [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])


def test_figures_cover_their_areas_at_every_angle():
    shares = {
        "disc": np.pi / 4,
        "square": 1,
        "triangle": 0.5,
        "diamond": 0.5,
        "ring": 3 * np.pi / 16,
    }
    shares |= {"plus": 2 * 0.36 - 0.36**2, "hull": 1 - 1 / 8.8}
    assert set(shares) == set(figures.FIGURES)
    for name, share in shares.items():
        for angle in (0.0, 0.4, 2.0):
            made = figures.stamp(name, 20, 30, angle=angle)
            # Its edge, some 100 pixels long, is sampled at a third of a pixel.
            assert made.cover.sum() == pytest.approx(600 * share, rel=0.03), name
    turned = figures.stamp("hull", 10, 30, angle=np.pi / 2)
    assert turned.cover.shape[0] == 30
    assert turned.cover[0].sum() < 1 < 9 < turned.cover[-1].sum()
    with pytest.raises(ExperimentError, match="no figure 'star', but disc"):
        figures.stamp("star", 9, 9)


def test_classes_are_tuples_said_in_words():
    every = attributes.all_classes()
    assert every.shape == (432, 4)
    assert len({attributes.phrase(each) for each in every}) == 432
    assert attributes.phrase((0, 1, 1, 1)) == "striped red square with a dark border"
    assert attributes.phrase((5, 0, 0, 0), ("colour", "shape")) == "orange disc"
    assert attributes.phrase((5, 0, 0, 0), ("colour",)) == "orange figure"
    assert attributes.caption(["orange disc", "red ring"]) == "an orange disc and a red ring"
    held = every[[7, 300]]
    made = attributes.attribute_scenes(generator(), 12, classes=held)
    assert made.names == tuple(attributes.phrase(each) for each in held)
    np.testing.assert_array_equal(made.attributes[made.present], held[made.labels[made.present]])
    first = [made.names[label] for label in made.labels[0][made.present[0]]]
    assert made.captions[0] == attributes.caption(first)
    with pytest.raises(ExperimentError, match="colour number 6 is none of 6"):
        attributes.attribute_scenes(generator(), 1, classes=np.array([[6, 0, 0, 0]]))


def test_the_first_colour_of_a_figure_is_the_one_that_is_said():
    made = attributes.attribute_scenes(generator(), 40, noise=0.0)
    for image, masks, words in zip(made.images, made.masks, made.attributes, strict=True):
        for mask, word in zip(masks, words, strict=True):
            if word[0] < 0:
                continue
            colour = np.array(list(attributes.COLOURS.values())[word[0]])
            same = np.abs(image[mask] - colour).max(-1) < 1e-6
            assert same.mean() > 0.1


def test_masks_grow_within_the_picture_only():
    mask = np.zeros((5, 6), bool)
    mask[0, 5] = True
    grown = scenes.widened(mask, 2)
    expected = np.zeros((5, 6), bool)
    expected[:3, 3:] = True
    np.testing.assert_array_equal(grown, expected)
    np.testing.assert_array_equal(scenes.widened(mask, 0), mask)
    with pytest.raises(ExperimentError, match="no box"):
        scenes.box_of(np.zeros((2, 2), bool))


def test_no_scene_from_above_is_empty_and_turned_objects_fit():
    scenes = top_view.top_view_scenes(
        np.random.default_rng(0), 100, size=36, objects=(1, 1), pixels=(28, 28)
    )
    assert scenes.present.all()
    with pytest.raises(ExperimentError, match="28 pixels take up to 36 where they are turned"):
        top_view.top_view_scenes(np.random.default_rng(0), 1, size=32, pixels=(6, 28))


BARE = {
    "images": np.zeros((3, 8, 8, 3), np.float32),
    "boxes": np.zeros((3, 2, 4), np.float32),
    "labels": np.array([[0, -1]] * 3),
    "names": ("a", "b"),
}


@pytest.mark.parametrize(
    "change, said",
    [
        ({"images": np.zeros((3, 8, 8, 3), np.uint8)}, "got uint8; divide bytes by 255"),
        ({"images": np.zeros((8, 8, 3))}, r"got the shape \(8, 8, 3\)"),
        ({"boxes": np.zeros((2, 2, 4))}, r"boxes of 3 scenes .* \(3, 2, 4\), got \(2, 2, 4\)"),
        ({"masks": np.zeros((3, 2, 8, 9), bool)}, r"masks of 3 scenes .* got \(3, 2, 8, 9\)"),
        ({"labels": np.zeros((3, 2), np.uint8)}, "-1 for none, got uint8"),
        ({"labels": np.array([[0, 2]] * 3)}, "label 2 has no name among 2"),
        ({"labels": np.array([[-1, 0]] * 3)}, "has an object behind one"),
        ({"captions": ("one",)}, "3 scenes have 1 captions"),
    ],
)
def test_scenes_that_do_not_fit_themselves_are_refused(change, said):
    assert len(scenes.Scenes(**BARE)) == 3
    with pytest.raises(ExperimentError, match=said):
        scenes.Scenes(**{**BARE, **change})
