"""Dividing around objects: no object is lost or cut, paths are shortest, cuts lie between clusters."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from sklearn.cluster import MeanShift, estimate_bandwidth

from experiments.vision.lvlm_count import clusters, counting, paths
from experiments.vision.lvlm_count.division import (
    equal_division,
    object_aware_division,
    objects_in,
    recursive_division,
)
from experiments.vision.lvlm_count.scenes import draw_scene
from ntkexec.errors import ExperimentError

SEEDS = st.integers(0, 2**32 - 1)


def made(seed, number, gap=3, **more):
    return draw_scene({"red": number}, generator=np.random.default_rng(seed), gap=gap, **more)


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, number=st.integers(6, 45), gap=st.sampled_from([0, 3]), deep=st.booleans())
def test_every_object_lies_whole_in_exactly_one_part_and_no_line_touches_one(
    seed, number, gap, deep
):
    objects = made(seed, number, gap).objects
    division = (recursive_division if deep else object_aware_division)(objects)
    covered = np.sum(division.regions, axis=0)
    assert covered.max() == 1
    assert (covered[objects > 0] == 1).all()
    assert not any(objects[tuple(path.T)].any() for path in division.paths)
    held = [objects_in(objects, part) for part in division.regions]
    assert sorted(np.concatenate(held)) == list(range(1, number + 1))
    assert not deep or max(map(len, held)) <= 10


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, columns=st.integers(2, 6))
def test_equal_cuts_count_every_object_once_for_each_of_its_fragments(seed, columns):
    objects = made(seed, 30).objects
    regions = equal_division(objects.shape, columns).regions
    labels = np.sum([(i + 1) * part.astype(int) for i, part in enumerate(regions)], axis=0)
    fragments = [len(np.unique(labels[objects == name])) for name in range(1, 31)]
    assert sum(counting.perfect_counts(objects, regions)) == sum(fragments)
    assert counting.num_split(objects, regions) == sum(number > 1 for number in fragments)


def test_a_line_cuts_a_disc_of_d_columns_in_d_minus_1_of_w_minus_d_plus_1_places():
    width, diameter, cut = 40, 13, 20
    extra = []
    for left in range(width - diameter + 1):
        objects = np.zeros((diameter, width), np.int32)
        objects[:, left : left + diameter] = 1
        extra.append(
            sum(counting.perfect_counts(objects, equal_division(objects.shape, 2).regions)) - 1
        )
    assert cut == width // 2
    assert np.mean(extra) == (diameter - 1) / (width - diameter + 1)


def test_of_two_kinds_the_one_that_is_divided_around_is_counted():
    scene = draw_scene({"red": 17, "blue": 15}, generator=np.random.default_rng(3))
    target = scene.of("red")
    parts = recursive_division(target, cap=6).regions
    assert len(parts) > 2
    assert sum(counting.perfect_counts(target, parts)) == 17


def test_parts_must_be_4_connected_because_paths_take_diagonal_steps():
    free = np.eye(6, dtype=bool)
    path = paths.Grid(free).path((0, 0), (5, 5))
    rest = np.ones((6, 6), bool)
    rest[tuple(path.T)] = False
    assert ndimage.label(rest)[1] == 2
    assert ndimage.label(rest, np.ones((3, 3)))[1] == 1


def test_objects_on_the_border_are_neither_cut_nor_shaved():
    objects = np.zeros((40, 90), np.int32)
    for i in range(6):
        objects[:, 15 * i : 15 * i + 10] = i + 1  # from the upper border to the lower one
    division = object_aware_division(objects)
    assert len(division.regions) > 1
    assert (np.sum(division.regions, axis=0)[objects > 0] == 1).all()


@pytest.mark.parametrize("number", [5, 6])
def test_fewer_than_six_objects_are_not_divided(number):
    objects = np.zeros((30, 200), np.int32)
    for i in range(number):
        left = 5 + 20 * i + 80 * (i >= number // 2)
        objects[5:20, left : left + 12] = i + 1
    found = object_aware_division(objects)
    assert (len(found.regions) == 1) == (number == 5)
    assert found.regions[0].all() == (number == 5)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_paths_are_free_king_s_paths_and_none_is_shorter(seed):
    generator = np.random.default_rng(seed)
    free = generator.random((16, 20)) >= 0.35
    free[[0, -1]] = free[:, [0, -1]] = True
    ends = (0, int(generator.integers(20))), (15, int(generator.integers(20)))
    path = paths.Grid(free).path(*ends)
    assert (tuple(path[0]), tuple(path[-1])) == ends
    assert free[tuple(path.T)].all()
    assert (np.abs(np.diff(path, axis=0)).max(1) == 1).all()
    king = nx.strong_product(nx.path_graph(16), nx.path_graph(20))
    walk = king.subgraph(map(tuple, np.argwhere(free).tolist()))
    assert len(path) - 1 == nx.shortest_path_length(walk, *ends)


def test_a_wall_and_a_start_on_an_object_are_refused():
    free = np.ones((5, 5), bool)
    free[2] = False
    grid = paths.Grid(free)
    with pytest.raises(ExperimentError, match="no free path"):
        grid.path((0, 0), (4, 4))
    with pytest.raises(ExperimentError, match=r"\(2, 1\)"):
        grid.path((2, 1), (4, 4))


@pytest.mark.parametrize("blobs", [2, 3])
def test_separate_blobs_are_cut_in_their_gaps(blobs):
    points = np.concatenate([100 * i + np.arange(20.0) for i in range(blobs)])
    found = clusters.cuts(points)
    assert found == [100 * i + 59 for i in range(blobs - 1)]
    assert clusters.cuts(points + 7) == [cut + 7 for cut in found]


@pytest.mark.parametrize("seed", range(4))
def test_mean_shift_is_that_of_scikit_learn(seed):
    points = np.random.default_rng(seed).uniform(0, 192, size=90)
    width = clusters.bandwidth(points)
    assert width == pytest.approx(estimate_bandwidth(points[:, None], quantile=0.3), rel=1e-12)
    theirs = MeanShift(bandwidth=width).fit(points[:, None]).cluster_centers_[:, 0]
    np.testing.assert_allclose(clusters.modes(points, width), np.sort(theirs), atol=0.01 * width)


def test_for_evenly_spread_objects_the_bandwidth_is_a_sixth_of_the_width():
    even = np.arange(1000) / 999
    # 0.7 * 0.15 + 2 * integral from 0 to 0.15 of (0.3 - u); 1,000 points stand for infinitely many.
    assert clusters.bandwidth(even) == pytest.approx(0.1725, abs=0.002)
