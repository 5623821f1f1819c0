"""Factors, their ties and counts, the rival, banks, and what a source is worth, beside plain NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.language.scalearn import (
    AdapterFusion,
    KeptStates,
    ScaLearn,
    SourceBank,
    influence,
    newton_start,
)
from experiments.language.scalearn.bank import adapted
from experiments.language.scalearn.scaling import (
    VARIANTS,
    attended,
    num_learned,
    scaled,
    tied,
    unit,
)
from experiments.language.scalearn.study_sentences import Task, score
from experiments.language.scalearn.study_strings import TASKS, balanced, drawn
from experiments.language.scalearn.transfer import Examples, Head, Rates, learn, told_by_source
from experiments.language.scalearn.worth import quadratic
from ntkexec.errors import ExperimentError

SIZES = (2, 3, 8)


def bank_of(seed=0, deviation=0.5):
    generator = np.random.default_rng(seed)
    sizes = {"blocks": 2, "width": 8, "rank": 2}
    made = SourceBank.initial(["x", "y", "z"], generator, **sizes, deviation=deviation)
    biases = {
        part: generator.normal(size=made.arrays[part].shape).astype(np.float32)
        for part in ("down_bias", "up_bias")
    }
    return SourceBank(made.names, {**made.arrays, **biases})


def by_hand(hidden, arrays, source):
    """What one source's adapter makes of one state."""
    root = hidden / np.sqrt((hidden**2).mean() + 1e-6)
    inner = np.maximum(root @ arrays["down"][source] + arrays["down_bias"][source], 0)
    return inner @ arrays["up"][source] + arrays["up_bias"][source]


def test_scaled_and_attended_states_are_the_papers_formulas():
    generator, bank = np.random.default_rng(1), bank_of()
    own = {part: np.asarray(one[1], np.float64) for part, one in bank.arrays.items()}
    hidden = generator.normal(size=(4, 5, 8))
    factors = generator.normal(size=(3, 8))
    learned = {k: 20.0 * v[0] for k, v in AdapterFusion().initial(generator, 1, 8).items()}
    learned["key_bias"] = generator.normal(size=8)
    learned["query_bias"] = generator.normal(size=8)
    with jax.enable_x64(True):
        given = jnp.asarray(hidden)
        found, mixed = scaled(given, (own, factors)), attended(given, (own, learned))
        np.testing.assert_allclose(
            adapted(own, unit(given))[2, 0, 0], by_hand(hidden[0, 0], own, 2), rtol=1e-12
        )
    for place in ((0, 0), (3, 4)):
        state = hidden[place]
        made = np.stack([by_hand(state, own, source) for source in range(3)])
        np.testing.assert_allclose(found[place], state + (factors * made).sum(0), rtol=1e-11)
        root = state / np.sqrt((state**2).mean() + 1e-6)
        query = root @ learned["query"] + learned["query_bias"]
        scores = (made @ learned["key"] + learned["key_bias"]) @ query
        weights = np.exp(scores - scores.max())
        wanted = state + weights / weights.sum() @ (made @ learned["value"])
        np.testing.assert_allclose(mixed[place], wanted, rtol=1e-10)


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_learn_as_many_numbers_as_the_closed_forms_say_and_tie_the_rest(variant):
    generator = np.random.default_rng(2)
    scaling = ScaLearn(variant)
    learned = scaling.initial(generator, *SIZES)
    assert learned.size == num_learned(variant, blocks=2, sources=3, width=8)
    np.testing.assert_allclose(learned, 2 / 3, atol=0.01)
    whole = np.asarray(scaling.factors(learned, 2, 8))
    np.testing.assert_array_equal(whole, np.broadcast_to(learned, SIZES))
    # What is not used has no say, whatever it is.
    free = generator.normal(size=SIZES).astype(np.float32)
    shared, uniform = VARIANTS[variant]
    used = free[: 1 if shared else 2, :, : 1 if uniform else 8]
    np.testing.assert_array_equal(tied(free, scaling.ties), np.broadcast_to(used, SIZES))
    soft = ScaLearn(variant, "softmax").factors(learned, 2, 8)
    mean = ScaLearn(variant, "mean").factors(learned, 2, 8)
    for one in (soft, mean):
        np.testing.assert_allclose(np.asarray(one).sum(1), 1, rtol=1e-6)
    # Dropout may leave no source; then nothing is added, and nothing is infinite.
    none = jax.grad(lambda w: tied(w, ScaLearn(variant, "mean").ties).sum())(np.zeros(SIZES))
    assert np.isfinite(none).all()
    assert num_learned("AdapterFusion", blocks=12, sources=8, width=768) == 21_252_096
    assert num_learned("ScaLearn", blocks=12, sources=8, width=768) == 73_728


def test_gauss_newton_and_influence_are_exact_where_scores_are_linear():
    # Kept states: no adapter reaches another, so scores are linear in the factors.
    generator, bank = np.random.default_rng(3), bank_of()
    head = Head(generator.normal(size=(8, 2)), generator.normal(size=2), np.ones(2, bool))
    states = generator.normal(size=(40, 2, 8))
    teacher = np.array([1.5, -0.5, 0.25])
    with jax.enable_x64(True):
        told = functools.partial(told_by_source, KeptStates(), None, bank.arrays, head, states)
        wanted, slopes = (np.asarray(one) for one in told(jnp.asarray(teacher)))
        options = {"loss": "squared", "ridge": 1e-14}
        found = newton_start(told, np.full(3, 2 / 3), wanted, **options)
        np.testing.assert_allclose(found, teacher, atol=1e-9)
        noisy = wanted + generator.normal(size=wanted.shape)
        best = newton_start(told, teacher, noisy, **options)
        worth = influence(told, best, noisy, **options)
        assert np.abs(quadratic(told, best, noisy, loss="squared").slope).max() < 1e-12
    flat, off = slopes.reshape(-1, 3), (noisy - wanted).ravel()  # by NumPy's least squares

    def loss(kept):
        left = off + flat @ teacher
        return np.linalg.lstsq(flat[:, kept], left)[0]

    for source in range(3):
        others = [one for one in range(3) if one != source]
        left = off + flat @ teacher
        rest = left - flat[:, others] @ loss(others)
        whole = left - flat @ best
        rise = (rest @ rest - whole @ whole) / 2 / 40
        assert worth.retrained[source] == pytest.approx(rise, rel=1e-9)
        removed = whole + flat[:, source] * best[source]
        rise = (removed @ removed - whole @ whole) / 2 / 40
        assert worth.removed[source] == pytest.approx(rise, rel=1e-9)


def test_the_model_of_cross_entropy_has_its_value_and_its_slope():
    generator = np.random.default_rng(4)
    given = generator.normal(size=(20, 3, 4))
    labels = np.eye(3)[generator.integers(0, 3, 20)]
    at = generator.normal(size=4)

    def loss(factors):
        scores = given @ factors
        return float(np.mean(np.log(np.exp(scores).sum(1)) - (labels * scores).sum(1)))

    told = lambda factors: (given @ np.asarray(factors, np.float64), given)  # noqa: E731 # no other name
    with jax.enable_x64(True):
        model = quadratic(told, at, labels, loss="cross-entropy")
    assert model.value == pytest.approx(loss(at), rel=1e-12)
    for one in np.eye(4):
        slope = (loss(at + 1e-5 * one) - loss(at - 1e-5 * one)) / 2e-5
        assert model.slope @ one == pytest.approx(slope, abs=1e-8)
        bend = (loss(at + 1e-3 * one) - 2 * loss(at) + loss(at - 1e-3 * one)) / 1e-6
        assert one @ model.curvature @ one == pytest.approx(bend, abs=1e-5)


def test_banks_are_joined_cut_stored_and_read_and_misfits_are_named(tmp_path):
    bank = bank_of()
    whole = SourceBank.joined([bank.only(["z"]), bank.only(["x", "y"])])
    assert whole.names == ("z", "x", "y")
    assert whole.sizes == SIZES
    np.testing.assert_array_equal(whole.arrays["up"][:, 1], bank.arrays["up"][:, 0])
    whole.save(tmp_path / "bank.safetensors")
    again = SourceBank.load(tmp_path / "bank.safetensors")
    assert again.names == whole.names
    for part, one in whole.arrays.items():
        np.testing.assert_array_equal(again.arrays[part], one)
    with pytest.raises(ExperimentError, match="'q' is none of x, y, z"):
        bank.only(["q"])
    with pytest.raises(ExperimentError, match=r"up has shape \(2, 3, 8, 3\)"):
        SourceBank.from_arrays(np.zeros((3, 2, 8, 2)), np.zeros((3, 2, 8, 3)), ["x", "y", "z"])
    with pytest.raises(ExperimentError, match="as many different names"):
        SourceBank(("x", "x", "y"), bank.arrays)
    with pytest.raises(ExperimentError, match="no 'ScaLearn2'"):
        ScaLearn("ScaLearn2")
    with pytest.raises(ExperimentError, match="no factors of shape"):
        ScaLearn("ScaLearn++").factors(np.zeros((2, 3, 8)), 2, 8)


def test_learning_leaves_what_has_no_rate_as_it_was_and_fills_up_without_a_trace():
    generator, bank = np.random.default_rng(5), bank_of()
    states = generator.normal(size=(30, 2, 8)).astype(np.float32)
    labels = (states[:, 0, 0] > 0).astype(int)
    head = Head.initial(generator, 8, 2, room=3)
    train, held = (Examples.of(states[a:b], labels[a:b], 3) for a, b in ((0, 20), (20, 30)))
    scaling = ScaLearn("ScaLearnUniform++")
    start = scaling.initial(generator, *SIZES)
    kept = {"scaling": scaling, "seed": 0, "steps": 20, "looks": 2, "batch": 8}
    given = (KeptStates(), None, bank.arrays, start, head, train, held, states[:25])
    found = learn(*given, rates=Rates(mixing=0.0, head=0.05), room=40, **kept)
    np.testing.assert_array_equal(found.mixing, np.broadcast_to(start, SIZES))
    assert found.bank is bank.arrays
    assert found.scores.shape == (25, 3)
    assert (found.scores[:, 2] < -1e8).all()  # a class that the task has not
    moved = learn(*given, rates=Rates(mixing=0.05, head=0.0), room=40, **kept)
    np.testing.assert_array_equal(moved.head.weights, head.weights)
    assert np.abs(moved.mixing[0, :, 0] - start[0, :, 0]).min() > 0.01
    np.testing.assert_array_equal(moved.mixing[1], np.broadcast_to(start[0], (3, 8)))  # not used
    with pytest.raises(ExperimentError, match="equal parts"):
        learn(*given, rates=Rates(), **{**kept, "steps": 5})
    with pytest.raises(ExperimentError, match="more than there is room for"):
        learn(*given, rates=Rates(), room=24, **kept)


def test_tasks_on_strings_are_what_they_are_called_and_balanced():
    strings = np.array([[0, 1, 2, 3, 3, 3], [1, 0, 0, 1, 4, 1], [2, 1, 2, 0, 3, 3]])
    marks = {name: task(strings).tolist() for name, task in TASKS.items()}
    assert marks["ab"] == [True, True, False]
    assert marks["bc"] == [True, False, True]
    assert marks["abc"] == [True, False, False]
    assert marks["more a than b"] == [False, False, False]
    assert marks["a run of three"] == [True, False, False]
    assert marks["first is last"] == [False, True, False]
    generator = np.random.default_rng(6)
    for name, task in TASKS.items():
        made, labels = balanced(generator, name, 101, 12)
        np.testing.assert_array_equal(task(made), labels == 1)
        assert abs(int(labels.sum()) - 50) <= 1
    assert drawn(generator, 10, 12).max() < 5


@pytest.mark.slow
def test_cola_is_scored_by_matthews_and_others_by_accuracy():
    labels = np.array([1, 1, 1, 0, 0, 1])
    scores = np.eye(2)[[1, 1, 0, 0, 1, 1]]
    empty = Examples(np.zeros((0, 1, 1)), np.zeros((0, 2)))
    cola, rte = (Task(name, empty, empty, scores, labels, 2) for name in ("cola", "rte"))
    hits, false_hits, misses, rest = 3, 1, 1, 1
    wanted = (hits * rest - false_hits * misses) / np.sqrt(4 * 4 * 2 * 2)
    assert score(cola, scores) == pytest.approx(100 * wanted)
    assert score(rte, scores) == pytest.approx(100 * 4 / 6)
