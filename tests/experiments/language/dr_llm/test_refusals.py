"""What is given is looked at: numbers that no router, path or question has are named, and what would fit."""

import jax
import numpy as np
import pytest

from experiments.kits.transformer import decoder, tasks
from experiments.kits.transformer.decoder import Shape
from experiments.language.dr_llm import (
    Walker,
    answers_of_all,
    class_weights,
    fit_routers,
    focal_loss,
    in_lockstep,
    initial_routers,
    pack,
    released_search,
    right_along,
    route,
    tree_search,
    turned,
    uniform_edits,
)
from experiments.language.dr_llm import router as unchecked
from experiments.language.dr_llm.paths import blocks_of
from ntkexec.errors import ExperimentError

SHAPE = Shape(3, 8, 2, 1, 12, 28)
TOKENS = np.array([[3, 1, 4, 1, 5], [5, 8, 9, 7, 9]])
PARAMS = decoder.initial(SHAPE, np.random.default_rng(0))
ROUTERS = initial_routers(SHAPE, None, hidden=4)


@pytest.mark.parametrize("knob", [2.0, -3.0, np.nan, np.array([0.0, -1.5])])
def test_a_knob_beyond_its_marks_is_refused(knob):
    with pytest.raises(ExperimentError, match=r"turns from -1 to 1, and (2.0|-3.0|nan|-1.5) is"):
        turned(np.zeros((2, 3)), knob)
    if np.ndim(knob) == 0:
        with pytest.raises(ExperimentError, match="turns from -1 to 1"):
            route(PARAMS, SHAPE, ROUTERS, TOKENS, [5, 5], knob=knob)
        inside = jax.eval_shape(jax.jit(turned), np.zeros((2, 3)), 0.1)
        assert inside.shape == (2, 3)
    with pytest.raises(ExperimentError, match=r"\(2, 4\) are not three"):
        turned(np.zeros((2, 4)), 0.0)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"given": np.full((2, 3), -7)}, "a block runs -7 times"),
        ({"given": np.full((2, 3), 0.5)}, "a block runs 0.5 times"),
        ({"given": np.ones((2, 4))}, r"\(2, 4\) are given, \(2, 3\) are needed"),
        (
            {"routers": initial_routers(Shape(2, 8, 2, 1, 12, 28), None)},
            r"Dense_0/kernel has shape \(2, 8, 128\), and 3 blocks of width 8 need \(3, 8, 128\)",
        ),
        ({"routers": {}}, "routers' Dense_0/kernel has shape"),
        ({"windows": 0}, "1 window or more, not 0"),
        ({"lengths": [4.5, 5]}, r"prompts of \[4.5, 5.0\] tokens"),
        ({"tokens": TOKENS + 23}, "from 0 to 27, and 28 is not"),
    ],
)
def test_routing_names_what_does_not_fit(changed, told):
    given = {"routers": ROUTERS, "tokens": TOKENS, "lengths": [5, 5], **changed}
    with pytest.raises(ExperimentError, match=told):
        route(PARAMS, SHAPE, **given)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"labels": np.array([[3, 1, 1], [1, 1, 1]])}, "says 0, 1 or 2, and no label 3"),
        ({"labels": np.array([[1, 1, 1], [1, -1, 1]])}, "no label -1"),
        ({"labels": np.array([[1, 1, 1.5], [1, 1, 1]])}, "no label 1.5"),
        ({"labels": np.ones((2, 2))}, r"labels of shape \(2, 2\) are given, \(2, 3\) are needed"),
        ({"lengths": np.array([4, 4, 4])}, r"lengths of shape \(3,\) are given, those of 2"),
        ({"lengths": np.array([4, 0])}, "1 token or more, not 0"),
        ({"windows": np.zeros((2, 4, 8, 8))}, r"Dense_0/kernel has shape \(3, 8, 4\), and 4 blocks"),
        ({"windows": np.zeros((2, 3, 8))}, r"axes \(N, L, W, D\), none empty, not shape \(2, 3, 8\)"),
        ({"windows": np.full((2, 3, 8, 8), np.nan)}, "windows hold what is no number"),
        ({"rate": -1.0}, "rate is a number from 0 to below inf, not -1.0"),
        ({"rate": np.nan}, "rate is a number from 0 to below inf, not nan"),
        ({"steps": 1}, "steps is a whole number from 2 to below inf, not 1"),
        ({"batch": 0}, "batch is a whole number from 1 to below inf, not 0"),
        ({"gamma": -1.0}, "gamma is a number from 0"),
        ({"beta": 1.0}, "beta is a number from 0 to below 1, not 1.0"),
    ],
)  # fmt: skip
def test_teaching_names_what_does_not_fit(changed, told):
    given = {
        "windows": np.zeros((2, 3, 8, 8)), "lengths": np.array([4, 4]), "labels": np.ones((2, 3), int),
        "seed": 0, "steps": 10, **changed,
    }  # fmt: skip
    with pytest.raises(ExperimentError, match=told):
        fit_routers(ROUTERS, **given)


def test_weights_and_losses_are_of_three_classes_that_there_are():
    counts = (4399, 120956, 1457)
    np.testing.assert_array_equal(class_weights(counts), unchecked.class_weights(counts))
    np.testing.assert_array_equal(class_weights(counts, 0.0), 1)
    for bad, told in (
        ((0, 100, 5), "0 examples"),
        ((-10, 100, 5), "-10 ex"),
        ((1, np.nan, 5), "nan"),
    ):
        with pytest.raises(ExperimentError, match=f"a class of {told}.* at least 1"):
            class_weights(bad)
    with pytest.raises(ExperimentError, match=r"three counts are needed, not shape \(2,\)"):
        class_weights((1, 2))
    for beta in (1.0, -0.1, np.nan):
        with pytest.raises(ExperimentError, match="beta is a number from 0 to below 1"):
            class_weights(counts, beta)
    scores, labels, weights = np.zeros((2, 3)), np.array([0, 2]), np.ones(3)
    assert float(focal_loss(scores, labels, weights, 0.0)) == pytest.approx(np.log(3))
    assert np.isfinite(jax.jit(jax.grad(focal_loss))(scores, labels, weights)).all()
    for changed, told in (
        ((scores, np.array([0, 3]), weights), "no label 3"),
        ((scores, labels[:1], weights), r"shapes \(2, 3\), \(1,\) and \(3,\)"),
        ((scores, labels, weights, -1.0), "gamma is a number from 0, and -1.0"),
        ((scores, labels, -weights), "weight is a number from 0, and -1.0"),
    ):
        with pytest.raises(ExperimentError, match=told):
            focal_loss(*changed)
    with pytest.raises(ExperimentError, match="hidden is a whole number from 1"):
        initial_routers(SHAPE, None, hidden=0)


def test_paths_beyond_a_decoder_are_named():
    examples = tasks.comparison(np.random.default_rng(0), 2, symbols=3, length=7)
    for counts, told in (
        (np.full((2, 3), -1), "runs -1 times"),
        (np.full((2, 3), 1.5), "runs 1.5 times"),
        (np.full((2, 3), np.nan), "runs nan times"),
        (np.ones((1, 3)), r"\(1, 3\) are given, \(2, 3\) are needed"),
    ):
        with pytest.raises(ExperimentError, match=told):
            right_along(PARAMS, SHAPE, examples, counts)
    for wrong in ({"most": -1}, {"block": 0}):
        with pytest.raises(ExperimentError, match="at least 1, 1 and 0 are needed"):
            answers_of_all(PARAMS, SHAPE, examples, **wrong)
    with pytest.raises(ExperimentError, match="runs -1 times"):
        blocks_of((1, -1))


def test_questions_that_are_none_are_named():
    for given, told in (
        (
            ([[1, 2]], [[[3]], [[4]]], 4),
            "1 prompts need as many lists of choices, one at least, not 2",
        ),
        (([], [], 4), "0 prompts"),
        (([[1, -2]], [[[3]]], 4), "tokens are numbers from 0, and -2 is not"),
        (([[1, 2]], [[[3.5]]], 4), "whole numbers, not float64"),
        (([[1, 2]], [[[]]], 4), "tokens in every part"),
        (([[1, 2]], [[[3]]], 0), "length is a whole number from 1"),
    ):
        with pytest.raises(ExperimentError, match=told):
            pack(*given)
    made = pack([np.array([1, 2]), [3]], [[np.array([3])], [[4], [5]]], 4)
    np.testing.assert_array_equal(made.tokens, [[1, 2, 3, 0], [3, 4, 5, 0]])
    with pytest.raises(ExperimentError, match="from 0 to 27, and 300 is not"):
        Walker(PARAMS, SHAPE, pack([[1, 300]], [[[3]]], 4))


def test_walks_that_are_none_are_named():
    walker = Walker(PARAMS, SHAPE, pack([[1, 2], [3]], [[[3]], [[4], [5]]], 4))
    full = (1, 1, 1)
    for rows, paths, told in (
        ([0], [(1, 1)], r"\(1, 2\) are given, \(1, 3\) are needed"),
        ([0], [(1, -1, 1)], "a block runs -1 times"),
        ([0], [(1, 1, 0.5)], "a block runs 0.5 times"),
        ([5], [full], "from 0 to 1, and 5 is not"),
        ([-1], [full], "from 0 to 1, and -1 is not"),
        ([0.5], [full], "a list of whole numbers"),
        ([0, 1], [full], "2 questions need as many paths, not 1"),
    ):
        with pytest.raises(ExperimentError, match=told):
            walker.along(rows, paths)
    for rows in ([], [0, 0]):
        with pytest.raises(ExperimentError, match="each once"):
            walker.decided(rows, lambda block, hidden, own: np.ones(len(own), int))
    for times, told in (
        (np.array([1]), r"\(1, 1\) are given, \(2, 1\)"),
        (np.array([1, -1]), "-1 times"),
    ):
        with pytest.raises(ExperimentError, match=told):
            walker.decided([0, 1], lambda block, hidden, own, times=times: times)
    begun = walker.begin([0])
    with pytest.raises(ExperimentError, match="block is a whole number from 0 to below 3, not 3"):
        walker.apply(3, begun, [0])
    with pytest.raises(ExperimentError, match=r"2 questions need as many states .* not 1"):
        walker.scores(begun, [0, 1])
    assert walker.calls == walker.wanted == 0  # nothing was computed


def test_searches_that_cannot_be_are_named():
    drawn = np.random.default_rng(0)
    for search, given, told in (
        (tree_search, {"blocks": 0}, "blocks is a whole number from 1"),
        (tree_search, {"blindly": 1.5}, "blindly is a number from 0"),
        (tree_search, {"penalty": np.nan}, "penalty is a number"),
        (released_search, {"counted_blocks": 0}, "counted_blocks is a whole number from 1"),
        (uniform_edits, {"most": 0}, "most is a whole number from 1"),
        (uniform_edits, {"budget": 0}, "budget is a whole number from 1"),
    ):
        with pytest.raises(ExperimentError, match=told):
            search(**{"blocks": 3, "budget": 5, "generator": drawn, **given})
    with pytest.raises(ExperimentError, match="2 paths were asked about, and 1 judged"):
        in_lockstep([tree_search(3, 5, generator=drawn) for _ in range(2)], lambda *_: [True])
    begun = tree_search(3, 5, generator=drawn, blindly=1.0)
    next(begun)
    with pytest.raises(ExperimentError, match="search 0 has begun"):
        in_lockstep([begun], lambda *_: [True])
    with pytest.raises(ExperimentError, match="one is there twice"):
        in_lockstep([tree_search(3, 5, generator=drawn)] * 2, lambda *_: [True, True])
