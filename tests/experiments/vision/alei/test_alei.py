"""Views by other routes, parts of the detector against closed forms, and forgeries of known kinds."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PIL import Image
from scipy import ndimage

from experiments.harness.study import Record
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.alei import (
    Adapter,
    Detector,
    LoRAExperts,
    VisionTransformer,
    assembled,
    bayar_constrained,
    detect,
    detection_loss,
    fit_parts,
    forger,
    keep_bayar,
    merged_kernels,
    neighbouring_pixels,
    noise_residual,
    selection_loss,
    views_of,
)
from experiments.vision.alei.claims import CLAIMS, RESOLUTION
from experiments.vision.alei.detector import reordered, selection_entropy, single
from experiments.vision.alei.forgeries import FORGERIES, quantised, rounded
from experiments.vision.alei.layers import RULES
from experiments.vision.alei.study_config import QUICK, STANDARD
from experiments.vision.alei.study_pictures import UNSEEN, accuracies, cross_picked
from experiments.vision.alei.training import trained_names
from experiments.vision.alei.views import SRM, VIEWS
from ntkexec.check import Outcome
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

PICTURES = np.random.default_rng(0).integers(256, size=(3, 16, 8, 3)) / 255


def test_npr_is_what_halving_and_doubling_by_nearest_neighbours_takes_away():
    taken = PICTURES - PICTURES[:, ::2, ::2].repeat(2, 1).repeat(2, 2)
    np.testing.assert_array_equal(neighbouring_pixels(PICTURES), taken)
    np.testing.assert_allclose(neighbouring_pixels(jnp.asarray(PICTURES)), taken, atol=1e-6)
    doubled = PICTURES.repeat(2, 1).repeat(2, 2)
    assert not neighbouring_pixels(doubled).any()
    assert neighbouring_pixels(doubled[:, 1:-1, 1:-1]).any()
    np.testing.assert_allclose(neighbouring_pixels(PICTURES + 3), taken, atol=1e-12)
    with pytest.raises(ExperimentError, match="15 x 8 pixels: cut them, do not scale"):
        neighbouring_pixels(PICTURES[:, 1:])


def test_residuals_vanish_where_a_filter_predicts_every_pixel():
    assert [kernel.sum() for kernel in SRM] == pytest.approx([0, 0, 0], abs=1e-15)
    rows, columns = np.mgrid[:12, :10]
    ramp = np.repeat((2.0 * rows + 3 * columns)[None, ..., None], 3, -1)
    for kind in ("srm", "median"):
        assert noise_residual(ramp, kind)[:, 2:-2, 2:-2] == pytest.approx(0, abs=1e-12)
    found = noise_residual(PICTURES)
    grey = np.pad(PICTURES.mean(-1), ((0, 0), (2, 2), (2, 2)), "reflect")
    for channel, kernel in enumerate(SRM):
        want = (grey[1, 4:9, 3:8] * kernel).sum()
        assert found[1, 4, 3, channel] == pytest.approx(want, abs=1e-12)
    assert views_of(PICTURES, list(VIEWS)).shape == (3, len(VIEWS), 16, 8, 3)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int64, bool])
def test_bytes_and_other_integers_are_refused_before_they_wrap_around(kind):
    whole = (PICTURES * 255).astype(kind)
    forge = forger("nearest", np.random.default_rng(0), PICTURES)
    refused = (
        lambda: neighbouring_pixels(whole),
        lambda: neighbouring_pixels(jnp.asarray((PICTURES * 255).astype(np.uint8))),
        lambda: noise_residual(whole),
        lambda: noise_residual(whole, "median"),
        *(lambda name=name: views_of(whole, [name]) for name in VIEWS),
        lambda: forge(whole),
        lambda: forger("autoencoder", np.random.default_rng(0), whole),
        lambda: quantised(whole),
        lambda: rounded(whole),
    )
    for call in refused:
        with pytest.raises(ExperimentError, match=r"got u?(int\d+|bool): divide bytes by 255"):
            call()
    single = neighbouring_pixels(PICTURES.astype(np.float32))
    assert single.dtype == np.float32


def test_pictures_of_another_shape_or_range_are_named():
    for call in (
        lambda: noise_residual(PICTURES[0]),
        lambda: views_of(PICTURES[0], ["median"]),
        lambda: views_of(PICTURES[..., :1], ["rgb", "srm"]),
        lambda: forger("nearest", np.random.default_rng(0), PICTURES)(PICTURES[0]),
    ):
        with pytest.raises(ExperimentError, match=r"are an array \(n, h, w, 3\), got"):
            call()
    with pytest.raises(ExperimentError, match=r"\(\.\.\., h, w, c\), got \(16, 8\)"):
        neighbouring_pixels(PICTURES[0, ..., 0])
    for names, said in (("rgb", "'rgb'"), ([], r"\[\]")):
        with pytest.raises(ExperimentError, match=f"a list of rgb, npr, srm, median, got {said}"):
            views_of(PICTURES, names)
    forge = forger("nearest", np.random.default_rng(0), None)
    for off, said in ((PICTURES * 255, r"\d+"), (PICTURES - 1, "-"), (PICTURES * np.nan, "nan")):
        with pytest.raises(ExperimentError, match=f"0 for black to 1 for white, got {said}"):
            forge(off)
    for examples, said in (
        (np.zeros((5, 18, 30, 3)), "multiples of 8, got 18 x 30 x 3"),
        (PICTURES * 255, "0 for black to 1 for white, got"),
        (PICTURES[:0], r"got none: \(0, 16, 8, 3\)"),
    ):
        with pytest.raises(ExperimentError, match=said):
            forger("autoencoder", np.random.default_rng(0), examples)
    for quality in (0, 101):
        with pytest.raises(ExperimentError, match=f"from 1 to 100, got {quality}"):
            quantised(PICTURES, quality)


def test_bayars_constraint_holds_after_a_step_of_any_optimiser():
    kernel = np.random.default_rng(1).uniform(0.1, 1, size=(5, 3, 2, 4))
    with float64():
        start = bayar_constrained(kernel)
        np.testing.assert_allclose(bayar_constrained(start), start, atol=1e-15)
        update = optax.chain(optax.sgd(0.1), keep_bayar())
        state = update.init(start)
        moved = optax.apply_updates(start, update.update(jnp.cos(start), state, start)[0])
        for each in (start, moved):
            np.testing.assert_allclose(each[2, 1], -1, atol=1e-14)
            np.testing.assert_allclose(each.sum((0, 1)), 0, atol=1e-13)
        assert float(jnp.abs(moved - start).max()) > 1e-3
    with pytest.raises(ExperimentError, match="needs the parameters"):
        keep_bayar().update(kernel, optax.EmptyState())
    with pytest.raises(ExperimentError, match="4 x 5 has no middle"):
        bayar_constrained(np.ones((4, 5, 1, 1)))


def test_kernels_that_cannot_be_scaled_are_refused_wherever_values_are_known():
    fine = np.ones((3, 3, 2, 4), np.float32)
    cancelled = fine.copy()
    cancelled[:, :, 1, 2] = [[0.1, -0.1, 0.3], [-0.3, 7, 0.7], [-0.7, 0.2, -0.2]]
    for kernel, place in (
        (np.zeros_like(fine), "0 to 0"),
        (jnp.asarray(cancelled), "1 to 2"),
        (fine * np.nan, "0 to 0"),
    ):
        for call in (bayar_constrained, keep_bayar().init):
            with pytest.raises(ExperimentError, match=f"filter from channel {place} sum to"):
                call(kernel)
    with pytest.raises(ExperimentError, match=r"an array \(k, k, i, o\), got \(4,\)"):
        keep_bayar().init({"kernel": fine, "bias": np.zeros(4)})
    with pytest.raises(ExperimentError, match="nothing beside its middle"):
        bayar_constrained(np.ones((1, 1, 2, 2)))
    # Where values are not known, the result is what division gives.
    assert jax.eval_shape(bayar_constrained, np.zeros_like(fine)).shape == fine.shape


def test_merged_experts_are_both_paths_and_of_their_rank():
    generator = np.random.default_rng(2)
    kernel, features = generator.normal(size=(8, 24)), generator.normal(size=(2, 3, 5, 8))
    with float64():
        layer = LoRAExperts(3, 24, rank=2, alpha=5.0)
        given = initial_by_numpy(layer, generator, features, rules=RULES)
        assert not np.any(layer.apply(given, features))
        drawn = jax.tree.map(lambda x: x + generator.normal(size=x.shape), given)
        merged = np.asarray(merged_kernels(kernel, drawn["params"], rank=2, alpha=5.0))
        both = features @ kernel + layer.apply(drawn, features)
        np.testing.assert_allclose(both, np.einsum("nvtd,vdo->nvto", features, merged), atol=1e-12)
    assert [np.linalg.matrix_rank(each - kernel) for each in merged] == [2, 2, 2]
    with pytest.raises(ExperimentError, match="3 experts do not fit 2 views"):
        layer.apply(given, features[:, :2])


def test_terms_of_selection_have_their_least_values_where_they_should():
    sure, equal = jnp.eye(4), jnp.full((4, 4), 0.25)
    assert float(selection_loss(sure)) == pytest.approx(0, abs=1e-6)
    assert float(selection_loss(equal)) == pytest.approx(np.log(4), rel=1e-6)
    assert float(selection_loss(equal, "spread")) == pytest.approx(-np.log(4), rel=1e-6)
    # Each picture may have a view of its own, as long as a batch has all of them.
    assert float(selection_loss(sure, "balanced")) == pytest.approx(0, abs=1e-6)
    assert float(selection_loss(sure[:1], "balanced")) == pytest.approx(np.log(4), rel=1e-6)
    assert selection_entropy(sure).shape == (4,)
    with pytest.raises(
        ExperimentError, match="no term 'even'; there are written, spread, balanced"
    ):
        selection_loss(equal, "even")


@pytest.mark.slow
def test_first_gradients_reach_gates_and_router_and_not_what_lies_behind_the_gates():
    model = Detector(VisionTransformer(width=8, blocks=1, heads=2), 2, rank=2)
    generator = np.random.default_rng(3)
    seen = generator.normal(size=(4, 2, 8, 8, 3)).astype(np.float32)
    drawn = initial_by_numpy(model, generator, seen, rules=RULES)["params"]

    @jax.jit
    def sloped(params):
        def loss(params):
            found = model.apply({"params": params}, seen)
            return detection_loss(found, jnp.array([0.0, 1, 0, 1])), found

        return jax.grad(loss, has_aux=True)(params)

    gradient, found = sloped(drawn)
    np.testing.assert_allclose(found.selection.sum(1), 1, rtol=1e-6)
    low, high = found.by_view.min(1), found.by_view.max(1)
    assert np.all((low - 1e-6 <= found.probability) & (found.probability <= high + 1e-6))

    def largest(part):
        return max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(part))

    cross, adapter = gradient["cross_0"], gradient["adapter"]
    moved = (cross["beta"], adapter["gamma"], gradient["router"], gradient["experts_0"]["up"])
    assert all(largest(part) > 0 for part in moved)
    still = (cross["attention"], adapter["asked_0"], adapter["stem"], gradient["experts_0"]["down"])
    assert all(largest(part) == 0 for part in still)

    # Put together from its views' own detectors it is itself again.
    again = assembled(drawn, [single(drawn, view) for view in range(2)])
    assert jax.tree.all(jax.tree.map(lambda a, b: np.array_equal(a, b), again, drawn))
    with pytest.raises(ExperimentError, match=r"\[1, 0\] is no order of 2 views"):
        reordered(drawn, [1, 0])
    for parts, said in (
        (["nothing"], "no parameters are called nothing; there are"),
        (["router", "adaptor"], "no parameters are called adaptor; there are"),
        (["router", ""], "no parameters are called ''; there are"),
        ("router", "a list of names, got 'router'; there are"),
        ([], r"a list of names, got \[\]; there are"),
    ):
        with pytest.raises(ExperimentError, match=said):
            fit_parts(model, drawn, seen, seen, parts=parts, steps=1, batch=2, rate=0.1, seed=0)
    for singles in (single(drawn, 0), [single(drawn, 0)]):
        with pytest.raises(ExperimentError, match="2 views is put together from a list of as many"):
            assembled(drawn, singles)
    with pytest.raises(ExperimentError, match=r"no pictures to detect in, got \(0, 2, 8, 8, 3\)"):
        detect(model, drawn, seen[:0])
    with pytest.raises(ExperimentError, match="a detector of 2 views got 1"):
        model.apply({"params": drawn}, seen[:, :1])


def test_parts_stand_for_the_one_of_that_name_or_all_that_begin_so():
    params = dict.fromkeys(["backbone", "experts_1", "experts_10", "bias"])
    assert trained_names(["experts_1"], params) == {"experts_1"}
    assert trained_names(("experts", "bias"), params) == {"experts_1", "experts_10", "bias"}


def test_modules_refuse_at_once_what_they_could_not_be_used_with():
    shape = VisionTransformer(width=8, blocks=1, heads=2)
    for make, said in (
        (lambda: Adapter(8, 1, keys="view"), "keys 'view'; there are one, views"),
        (lambda: Detector(shape, 2, keys="view"), "keys 'view'; there are one, views"),
        (lambda: Detector(shape, 1, keys="three"), "keys 'three'; there are one, views"),
        (lambda: Detector(shape, 2).clone(keys="three"), "keys 'three'; there are one, views"),
        (lambda: Detector(shape, 0), "at least one view, got 0"),
        (lambda: Adapter(10, 1), "4 heads do not share 10 channels evenly"),
        (lambda: VisionTransformer(width=8, heads=3), "3 heads do not share 8 channels evenly"),
    ):
        with pytest.raises(ExperimentError, match=said):
            make()


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_keeps_size_and_content_and_is_its_seeds(name):
    smooth = ndimage.gaussian_filter(PICTURES, (0, 1, 1, 0))
    made = [forger(name, np.random.default_rng(seed), smooth)(smooth) for seed in (0, 0, 1)]
    assert made[0].shape == smooth.shape
    np.testing.assert_array_equal(np.round(made[0] * 255), made[0] * 255)
    np.testing.assert_array_equal(made[0], made[1])
    assert np.array_equal(made[0], made[2]) == (
        name not in ("upconvolved", "transposed", "expanded", "renoised")
    )
    np.testing.assert_allclose(made[0].mean((1, 2)), smooth.mean((1, 2)), atol=0.03)
    assert not np.array_equal(made[0], smooth)


def test_forgeries_are_what_their_names_say():
    def made(name):
        return forger(name, np.random.default_rng(0), PICTURES)(PICTURES)

    small = PICTURES.reshape(3, 8, 2, 4, 2, 3).mean((2, 4))
    assert not neighbouring_pixels(made("nearest")).any()
    grey = Image.fromarray(small[0, ..., 0].astype(np.float32), mode=None)
    want = np.asarray(grey.resize((8, 16), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(made("bilinear")[0, ..., 0], want, atol=0.5 / 255 + 1e-6)
    # A block's mean is its first cosine, whose step is 16 of 8 times the mean.
    flat = np.full((1, 8, 8, 3), 100 / 255)
    np.testing.assert_allclose(quantised(flat) * 255, 128 + np.round(-28 * 8 / 16) * 2, atol=1e-9)
    np.testing.assert_allclose(quantised(PICTURES, 100), PICTURES, atol=4 / 255)
    with pytest.raises(ExperimentError, match="multiples of 8, got 12 x 8 x 3"):
        forger("nearest", np.random.default_rng(0), PICTURES)(PICTURES[:, :12])
    with pytest.raises(ExperimentError, match="no forgery 'diffusion'; there are upconvolved"):
        forger("diffusion", np.random.default_rng(0), PICTURES)


def test_picking_a_view_gains_nothing_on_the_pictures_that_picked():
    generator = np.random.default_rng(4)
    chance = {view: generator.random(size=(len(FORGERIES) + 1, 400)) for view in "abcd"}
    picked, fixed = cross_picked(chance)
    assert abs(picked - 0.5) < 0.03
    assert abs(fixed - 0.5) < 0.03
    # Two views, each of which finds half of the forgeries: 1 with a pick for each, 3/4 with one for all.
    found = {}
    for offset, view in enumerate("ab"):
        said = np.zeros((len(FORGERIES) + 1, 10))
        said[2 + offset :: 2] = 1
        found[view] = said
    assert cross_picked(found) == (1.0, pytest.approx(0.75))
    assert set(accuracies(found["a"])) == set(FORGERIES)
    assert len(UNSEEN) == len(FORGERIES) - 1


@pytest.mark.parametrize("claim", [one for one in CLAIMS if one.relation == "at least"])
def test_one_picture_under_every_seed_decides_nothing(claim):
    """A real picture counts beside every forgery, and so for most."""
    read_out = claim.name == "real-backbone"
    config = STANDARD if read_out else QUICK
    number = config.real_pairs if read_out else config.test_pairs
    real, fake = 1 / (2 * number), 1 / (2 * number * len(UNSEEN))
    said = np.zeros((len(FORGERIES) + 1, number))
    said[1:] = 1
    right = accuracies(said)
    for place, worth in ((0, real), (2, fake)):
        wrong = said.copy()
        wrong[place, 0] = 1 - wrong[place, 0]
        off = np.mean([right[kind] - accuracies(wrong)[kind] for kind in UNSEEN])
        assert off == pytest.approx(worth)
        better, worse = {"v": said, "w": said}, {"v": wrong, "w": wrong}
        assert cross_picked(better)[0] - cross_picked(worse)[0] == pytest.approx(worth)
    # With as many seeds as are run, and a fake under two.
    for seeds, one in ((5, real), (5, -real), (2, fake), (2, -fake)):
        unseen = dict.fromkeys(("late", "rgb-lora", "rgb-fourfold"), 0.6) | {"alei": 0.6 + one}
        study = {"picked": 0.6 + one, "fixed": 0.6, "unseen": unseen}
        records = [Record(seed, {"detectors": study, "pretrained": study}) for seed in range(seeds)]
        assert Outcome(claim, claim.measure(records)).verdict == "undecided"
    assert pytest.approx(6 / (2 * QUICK.test_pairs)) == RESOLUTION
