"""LVLM-Count: what must hold of paths, division, segmentation, the server's adapter, the command."""

import base64
import dataclasses
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from scipy import ndimage

from experiments.vision.lvlm_count import apply as application
from experiments.vision.lvlm_count import (
    clusters,
    counters,
    endpoint,
    paths,
    pipeline,
    scenes,
    segment,
)
from experiments.vision.lvlm_count.transport import EndpointError
from experiments.vision.lvlm_count.division import (
    object_aware_division,
    recursive,
    straight,
    within,
)
from experiments.vision.lvlm_count.endpoint import Endpoint
from ntkexec.cli import main
from ntkexec.errors import ExperimentError

SEEDS = st.integers(0, 2**32 - 1)


def made(seed, number, gap=3, **more):
    return scenes.scene({"red": number}, generator=np.random.default_rng(seed), gap=gap, **more)


class Truth:
    """A counter that sees the icons' colour: 4-connected parts of the picture."""

    def count(self, pictures, target):
        return [int(segment.segment_by_colour(picture, target).max()) for picture in pictures]


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, number=st.integers(6, 45), gap=st.sampled_from([0, 3]), deep=st.booleans())
def test_every_object_lies_whole_in_exactly_one_part(seed, number, gap, deep):
    objects = made(seed, number, gap).objects
    regions = (recursive if deep else object_aware_division)(objects).regions
    covered = np.sum(regions, axis=0)
    assert covered.max() == 1
    assert (covered[objects > 0] == 1).all()
    assert sorted(np.concatenate([objects_in(objects, part) for part in regions])) == list(
        range(1, number + 1)
    )


def test_a_straight_cut_through_an_object_is_noticed():
    objects = np.zeros((20, 20), np.int32)
    objects[5:9, 8:13] = 1
    assert pipeline.split(objects, straight(objects.shape, 2).regions) == 1
    assert sum(pipeline.perfect_counts(objects, straight(objects.shape, 2).regions)) == 2


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


def test_fewer_than_six_objects_are_not_divided():
    for number in (5, 6):
        objects = np.zeros((30, 200), np.int32)
        for i in range(number):
            left = 5 + 20 * i + 80 * (i >= number // 2)
            objects[5:20, left : left + 12] = i + 1
        found = object_aware_division(objects)
        assert (len(found.regions) == 1) == (number == 5)
        assert found.regions[0].all() == (number == 5)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_both_searches_find_shortest_valid_paths(seed):
    generator = np.random.default_rng(seed)
    free = generator.random((16, 20)) >= 0.35
    free[[0, -1]] = free[:, [0, -1]] = True
    ends = (0, int(generator.integers(20))), (15, int(generator.integers(20)))
    path = paths.Grid(free).path(*ends)
    assert (tuple(path[0]), tuple(path[-1])) == ends
    assert free[tuple(path.T)].all()
    assert (np.abs(np.diff(path, axis=0)).max(1) == 1).all()
    shortest, _ = paths.a_star(free, *ends, heuristic="none")
    assert len(path) - 1 == shortest == paths.a_star(free, *ends)[0]


def test_a_wall_and_a_start_on_an_object_are_refused():
    free = np.ones((5, 5), bool)
    free[2] = False
    for search in (paths.Grid(free).path, lambda *ends: paths.a_star(free, *ends)):
        with pytest.raises(ExperimentError, match="no free path"):
            search((0, 0), (4, 4))
        with pytest.raises(ExperimentError, match=r"\(2, 1\)"):
            search((2, 1), (4, 4))


@pytest.mark.parametrize("blobs", [2, 3])
def test_separate_blobs_are_cut_in_their_gaps(blobs):
    points = np.concatenate([100 * i + np.arange(20.0) for i in range(blobs)])
    found = clusters.cuts(points)
    assert found == [100 * i + 59 for i in range(blobs - 1)]
    assert clusters.cuts(points + 7) == [cut + 7 for cut in found]


def test_a_question_names_what_is_counted():
    for question in ("How many red discs are there?", "how many Red discs in the picture ?"):
        assert segment.target_of(question) == "red discs"
    assert segment.target_of("How many icons?") == "icons"
    with pytest.raises(ExperimentError, match="What is this"):
        segment.target_of("What is this?")


def test_colour_segmentation_is_the_truth_and_selects_a_kind():
    scene = scenes.scene({"red": 9, "blue": 7}, generator=np.random.default_rng(1))
    assert segment.segment_by_colour(scene.image).max() == 16
    red = segment.segment_by_colour(scene.image, "red discs")
    assert np.array_equal(red > 0, scene.of("red") > 0)
    assert red.max() == 9
    assert segment.segment_by_colour(scene.image, "green discs").max() == 0


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, margin=st.integers(0, 20))
def test_areas_are_disjoint_and_hold_every_object_whole(seed, margin):
    objects = made(seed, 8).objects
    found = segment.areas(objects, margin=margin)
    assert np.sum(found, axis=0).max() == 1
    assert pipeline.split(objects, found) == 0
    assert sum(pipeline.perfect_counts(objects, found)) == 8


def test_what_does_not_fit_and_unknown_colours_are_refused():
    with pytest.raises(ExperimentError, match="of 500 objects"):
        made(0, 500)
    with pytest.raises(ExperimentError, match="pink"):
        scenes.scene({"pink": 1}, generator=np.random.default_rng(0))


def test_overlapping_objects_keep_their_masks():
    scene = made(3, 45, None, radii=(12, 16))
    assert scene.masks.sum() > (scene.objects > 0).sum()
    assert np.array_equal(scene.masks.any(0), scene.objects > 0)


def test_the_pipeline_with_a_perfect_counter_is_exact():
    scene = scenes.scene({"red": 30, "blue": 10}, generator=np.random.default_rng(2))
    found = pipeline.count(scene.image, "red discs", Truth())
    assert (found.total, found.direct, found.segmented, found.split) == (30, 30, 30, 0)
    assert found.counts == found.objects
    assert len(found.counts) > 2
    json.dumps(found.to_data())


def test_a_picture_larger_than_the_canvas_is_shrunk():
    assert counters.canvas(np.ones((192, 192), np.float32)).min() == 1
    assert counters.canvas(np.ones((400, 300), np.float32)).max() == 1
    small = counters.canvas(np.ones((10, 10), np.float32))
    assert small.sum() * 16 == 100


def test_the_simulated_counters_do_what_they_say():
    generator = np.random.default_rng(0)
    draws = counters.weber(np.full(20_000, 30.0), spread=0.1, power=1, generator=generator)
    # Standard error of a deviation over 20,000 draws: half a per cent; six of them.
    assert abs(draws.std() / 3 - 1) < 0.03
    assert counters.saturating(np.array([3, 40])).tolist() == [3, 15]


def reply(count, too_many=False):
    return 200, json.dumps({"can_not_count_because_too_many": too_many, "count": count})


PICTURE = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


def asking(url, **more):
    waits = []
    return Endpoint(url, "some-model", sleep=waits.append, **more), waits


def test_the_server_gets_the_exact_pixels_the_schema_and_the_key(server, monkeypatch):
    url, script, seen = server
    monkeypatch.setenv(endpoint.KEY_VARIABLE, "secret")
    script.append(reply(4))
    asked, waits = asking(url)
    assert asked.count([PICTURE, PICTURE], "discs") == [4, 4]
    assert (asked.requests, waits, len(seen)) == (2, [], 2)
    assert "secret" not in repr(asked)
    path, headers, body = seen[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret"
    assert body["model"] == "some-model"
    assert body["response_format"]["json_schema"]["schema"] == endpoint.SCHEMA
    text, picture = body["messages"][0]["content"]
    assert "discs" in text["text"]
    sent = base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/png;base64,"))
    assert np.array_equal(np.asarray(Pillow.open(io.BytesIO(sent))), PICTURE)


def test_passing_trouble_is_tried_again_and_waits_grow(server):
    url, script, _ = server
    script += [(429, "slow down"), (503, "busy"), (200, b"no json"), reply(6)]
    asked, waits = asking(url)
    assert asked.count([PICTURE], "discs") == [6]
    assert waits == [1, 2, 4]


@pytest.mark.parametrize(
    "answer", [(500, "down"), (200, "none"), (200, "3 or 4"), (200, '{"count": -1}'), (200, {})]
)
def test_lasting_trouble_ends_after_all_attempts_and_says_what_it_was(server, answer):
    url, script, seen = server
    script.append(answer)
    asked, _ = asking(url, retries=2)
    with pytest.raises(EndpointError, match="in 3 attempts"):
        asked.count([PICTURE], "discs")
    assert len(seen) == 3


def test_a_refusal_is_not_tried_again(server):
    url, script, seen = server
    script.append((401, b"bad key"))
    with pytest.raises(EndpointError, match="status 401: bad key"):
        asking(url)[0].count([PICTURE], "discs")
    assert len(seen) == 1


def test_tokens_are_counted_as_far_as_they_are_reported(server):
    url, script, _ = server
    message = {"choices": [{"message": {"content": '{"count": 3}'}}]}
    script += [
        (200, {**message, "usage": {"total_tokens": 120}}),
        (200, {**message, "usage": None}),
    ]
    asked, _ = asking(url)
    assert asked.count([PICTURE, PICTURE], "discs") == [3, 3]
    assert asked.tokens == 120


def test_too_many_to_count_is_asked_again_roughly(server):
    url, script, seen = server
    script += [reply(0, True), (200, "about 70 of them")]
    assert asking(url)[0].count([PICTURE], "discs") == [70]
    assert "Roughly" in seen[1][2]["messages"][0]["content"][0]["text"]


def test_no_server_and_no_address_are_named():
    with pytest.raises(EndpointError, match="in 1 attempts"):
        asking("http://127.0.0.1:9/v1", retries=0)[0].count([PICTURE], "discs")
    with pytest.raises(EndpointError, match="'file:///etc'"):
        Endpoint("file:///etc", "m")


@pytest.fixture
def picture(tmp_path):
    scene = scenes.scene({"red": 24, "blue": 9}, generator=np.random.default_rng(5))
    path = tmp_path / "icons.png"
    path.write_bytes(endpoint.png(scene.image))
    return path, scene


def test_the_command_counts_by_a_server_and_draws_the_division(server, picture, capsys):
    url, script, seen = server
    script.append(reply(2))
    path, scene = picture
    words = ["--question", "How many red discs are there?", "--endpoint", url, "--model=m"]
    assert main(["experiment", "run", "lvlm-count", "--image", str(path), *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["total"] == 2 * len(found["counts"]) == 2 * (len(seen) - 1)
    assert (sum(found["objects"]), found["segmented"], found["split"]) == (24, 24, 0)
    drawn = application.read(path.with_name("icons-divided.png"))
    lines = (drawn == application.LINE).all(2)
    assert lines.any()
    assert not (lines & (scene.of("red") > 0)).any()
    assert np.array_equal(drawn[~lines], scene.image[~lines])


def test_the_command_trains_its_own_counter_once(picture, tmp_path, capsys, monkeypatch):
    small = dataclasses.replace(application.QUICK, training_scenes=10, train_steps=2)
    monkeypatch.setattr(application, "QUICK", small)
    words = ["experiment", "run", "lvlm-count", "--image", str(picture[0])]
    words += ["--question", "How many icons?", "--out", str(tmp_path)]
    outputs = []
    for _ in range(2):
        assert main(words) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    assert "objects found by the segmenter: 33" in outputs[0]
    assert len(list((tmp_path / "lvlm-count").glob("*.safetensors"))) == 1


@pytest.mark.parametrize(
    "words, message",
    [
        (["lvlm-count", "--image", "x.png"], "--question"),
        (["lvlm-count", "--sead", "3"], "--sead"),
        (["lvlm-count", "--image", "x.png", "--seeds", "3"], "judges none"),
        (["lvlm-count", "--image"], "--image"),
        (["sgs", "--image", "x.png"], "sgs has none"),
        (["sgs", "lvlm-count", "--image", "x.png"], "2 are named"),
        (["lvlm-count", "--image", "no.png", "--question", "How many icons?"], "no.png"),
        (["lvlm-count", "--image", "x", "--question", "How many?"], "'How many?'"),
        (["lvlm-count", "--image", "x", "--question", "How many x?", "--model=m"], "--endpoint"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(words, message, capsys):
    assert main(["experiment", "run", *words]) == 2
    assert message in capsys.readouterr().err
