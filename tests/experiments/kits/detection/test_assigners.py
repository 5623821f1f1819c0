"""Compiled assigners are the slow ones, whatever the order of priors and objects, to the last index."""

import dataclasses

import jax
import numpy as np
import pytest
from support.slow_assigners import SLOW

from experiments.kits.detection.assigners import ASSIGNERS, matched, truths_of
from ntkexec.runtime.precision import float64

CASES, CLASSES, OBJECTS, SIZE = 200, 4, 5, 64


@dataclasses.dataclass(frozen=True)
class Points:
    points: np.ndarray
    strides: np.ndarray


def grid(*strides):
    points = [
        np.stack(np.meshgrid(*[np.arange(0.0, SIZE, s)] * 2), -1).reshape(-1, 2) for s in strides
    ]
    counts = [len(found) for found in points]
    return Points(np.concatenate(points), np.repeat(np.array(strides, float), counts))


GRID = grid(8, 16, 32)


# Two priors, at (24, 24) and at (32, 24) in the first level of 8 times 8.
CONTESTED, OTHER = 27, 28


def three_boxes(scores, boxes, truths, labels):
    """Writes a picture in which two objects claim a prior that the third overlaps more without claiming it.

    Overlaps of the prior's prediction are 0.50, 0.49 and 0.69; the third object has a better prior, and
    its overlaps add up to 1.5, so that it claims that one alone.
    """
    labels[:] = 0, 0, 0, -1, -1
    truths[:3] = [10, 10, 34, 34], [11, 9, 35, 33], [16, 16, 40, 40]
    boxes[:] = np.concatenate([GRID.points - 0.1, GRID.points + 0.1], -1)
    boxes[[CONTESTED, OTHER]] = [16, 16, 36, 36], [16, 16, 37, 37]
    scores[:] = 0.5


def cases(generator):
    """Pictures of 0 to 5 objects, with predictions near an object as often as anywhere."""
    middles = generator.uniform(0, SIZE, (CASES, OBJECTS, 2))
    # Objects of a picture near each other, so that they contend.
    middles = 0.2 * middles + 0.8 * middles[:, :1]
    halves = generator.uniform(2, 16, (CASES, OBJECTS, 2))
    truths = np.concatenate([middles - halves, middles + halves], -1)
    labels = generator.integers(0, CLASSES, (CASES, OBJECTS))
    labels[np.arange(OBJECTS) >= generator.integers(0, OBJECTS + 1, CASES)[:, None]] = -1
    priors = len(GRID.points)
    scores = generator.uniform(0, 1, (CASES, priors, CLASSES))
    near = truths[np.arange(CASES)[:, None], generator.integers(0, OBJECTS, (CASES, priors))]
    near = near + generator.normal(0, 3, near.shape)
    far = np.concatenate([GRID.points - 6, GRID.points + 6], -1)
    # As heads predict them by distances, boxes hold their priors.
    near[..., :2] = np.minimum(near[..., :2], GRID.points - 1)
    near[..., 2:] = np.maximum(near[..., 2:], GRID.points + 1)
    boxes = np.where(generator.uniform(size=(CASES, priors, 1)) < 0.5, near, far)
    # No object at all, rows of padding without meaning, and scores and boxes at their ends.
    labels[0], truths[0] = -1, np.nan
    scores[:2], boxes[:2] = np.arange(CLASSES) % 2, np.concatenate([GRID.points] * 2, -1)
    labels[1] = 0, 1, -1, -1, -1
    three_boxes(scores[2], boxes[2], truths[2], labels[2])
    return scores, boxes, truths, labels


# Objects 0 and 1 claim prior 0, which would be cheaper for the third; that one claims prior 1 alone.
THREE = np.array([[2.0, 3.0, 1.0], [5.0, 6.0, 0.5], [7.0, 7.0, 7.0]])


@pytest.fixture(scope="module")
def found():
    """All assigners on all pictures, given and with priors and objects reordered, by one program."""
    generator = np.random.default_rng(0)
    scores, boxes, truths, labels = given = cases(generator)
    priors, objects = (generator.permutation(n) for n in (len(GRID.points), OBJECTS))
    other = (scores[:, priors], boxes[:, priors], truths[:, objects], labels[:, objects])

    def everything(scores, boxes, points, strides, truths, labels):
        places, objects = Points(points, strides), truths_of(truths, labels)
        return {
            name: jax.vmap(assign, in_axes=(0, 0, None, 0))(scores, boxes, places, objects)
            for name, assign in ASSIGNERS.items()
        } | {
            # Overlaps add up to less than one, so each object takes one prior.
            rule: matched(THREE, np.full((3, 3), 0.2), conflicts=rule)
            for rule in ("all", "claimants")
        }

    with float64():
        program = jax.jit(everything)
        results = jax.tree.map(
            np.asarray,
            [
                program(*given[:2], GRID.points, GRID.strides, *given[2:]),
                program(*other[:2], GRID.points[priors], GRID.strides[priors], *other[2:]),
            ],
        )
    return given, (priors, objects), results


def slowly(name, given, case):
    """Owners and qualities of a picture; objects that are there stand before the padding."""
    scores, boxes, truths, labels = (array[case] for array in given)
    there = labels >= 0
    return SLOW[name](scores, boxes, GRID.points, GRID.strides, truths[there], labels[there])


@pytest.mark.parametrize("name", ASSIGNERS)
def test_the_compiled_assigner_is_the_slow_one(found, name):
    given, _, (results, _) = found
    for case in range(CASES):
        owner, quality = slowly(name, given, case)
        np.testing.assert_array_equal(results[name].owner[case], owner)
        np.testing.assert_allclose(results[name].quality[case], quality, rtol=1e-12, atol=1e-15)
    assert (results[name].owner >= 0).sum() > CASES


@pytest.mark.parametrize("name", ASSIGNERS)
def test_the_order_of_priors_and_objects_does_not_matter(found, name):
    _, (priors, objects), (results, reordered) = found
    owner, quality = results[name].owner[:, priors], results[name].quality[:, priors]
    mapped = np.where(owner >= 0, np.argsort(objects)[owner], -1)
    # Whatever does not overlap may cost the same, and then the first is taken: so it is in the first cases.
    apart = quality > 0
    apart[:3] = False
    np.testing.assert_array_equal(reordered[name].owner[apart], mapped[apart])
    np.testing.assert_allclose(reordered[name].quality[3:], quality[3:], rtol=1e-12, atol=1e-15)


def test_a_prior_claimed_twice_goes_to_the_cheapest_of_all_objects_as_in_the_code(found):
    _, _, (results, _) = found
    assert results["all"].owner.tolist() == [2, 2, -1]
    assert results["claimants"].owner.tolist() == [0, 2, -1]


def test_among_three_boxes_the_code_differs_from_the_report(found):
    _, _, (results, _) = found
    owners = {name: results[name].owner[2][[CONTESTED, OTHER]].tolist() for name in ASSIGNERS}
    assert owners["align_ota_code"] == owners["sim_ota"] == [2, 2]
    assert owners["align_ota_paper"] == [0, 2]


@pytest.mark.parametrize("name", ASSIGNERS)
def test_nothing_is_assigned_where_nothing_is_and_scores_of_0_and_1_are_welcome(found, name):
    _, _, (results, _) = found
    owner, quality = results[name].owner, results[name].quality
    assert (owner[0] == -1).all()
    assert (quality[0] == 0).all()
    assert (owner[1] >= 0).any()
    assert np.isfinite(quality).all()
