"""Icons of one size: joined, parted, told apart by their looks; Emoji-Count's files."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from experiments.files.words import LONGEST
from experiments.vision.lvlm_count import emoji, icons, study_emoji
from experiments.vision.lvlm_count.endpoint import Endpoint, png_bytes
from experiments.vision.lvlm_count.server import served
from ntkexec.errors import ExperimentError

COLOURS = {"sun": (250, 190, 30), "sea": (30, 90, 200), "leaf": (40, 160, 60)}


def sheet(counts, seed=0, pitch=24, side=12, apart=()):
    """A sheet of square icons of each colour on white, each at a shifted place of a lattice.

    Those whose place is in `apart` lie in two pieces, a column of white between them.
    """
    generator = np.random.default_rng(seed)
    names = [name for name, number in counts.items() for _ in range(number)]
    width = int(np.ceil(len(names) ** 0.5))
    image = np.full((width * pitch, width * pitch, 3), 255, np.uint8)
    for place, index in enumerate(generator.permutation(len(names))):
        row, column = divmod(place, width)
        top, left = pitch * np.array([row, column]) + generator.integers(2, 6, size=2)
        image[top : top + side, left : left + side] = COLOURS[names[index]]
        image[top + 3 : top + 6, left + 3 : left + 6] = 60  # a face
        if place in apart:
            image[top : top + side, left + 7] = 255
    return image


def test_pieces_of_one_icon_are_one_4_connected_object():
    image = sheet({"sun": 16}, apart=(2, 9))
    assert ndimage.label(image.min(2) < 250)[1] == 18
    objects = icons.segment_icons(image)
    assert objects.max() == 16
    assert all(ndimage.label(objects == name)[1] == 1 for name in range(1, 17))


def test_icons_that_touch_are_parted():
    rows, columns = np.mgrid[:60, :110]
    image = np.full((60, 110, 3), 255, np.uint8)
    for y, x in ((15, 15), (15, 31), (15, 75), (45, 20), (45, 60), (45, 90)):
        image[(rows - y) ** 2 + (columns - x) ** 2 <= 64] = COLOURS["leaf"]
    assert ndimage.label(image.min(2) < 250)[1] == 5
    objects = icons.segment_icons(image)
    assert objects.max() == 6
    assert np.bincount(objects.ravel())[1:].min() > 190  # a disc has 197 pixels


def test_kinds_are_counted_without_names_and_their_number_is_found():
    image = sheet({"sun": 21, "sea": 9, "leaf": 15})
    assert icons.count_kinds(image) == (21, 15, 9)
    assert sum(icons.count_kinds(image, number=2)) == 45
    assert icons.count_kinds(np.full((30, 30, 3), 255, np.uint8)) == ()


def test_icons_are_recognised_by_references_also_behind_a_server():
    image = sheet({"sun": 7, "sea": 4, "leaf": 2})
    objects = icons.segment_icons(image)
    side = icons.typical_side(objects)
    looks = icons.appearances(image, objects, side=side)
    colours = [tuple(image[tuple(np.argwhere(objects == n)[0])]) for n in range(1, 14)]
    references = {name: looks[colours.index(colour)] for name, colour in COLOURS.items()}
    known = icons.ReferenceCounter(references, side)
    truth = {"sun": 7, "sea": 4, "leaf": 2, "moon": 0}
    assert {name: known.count([image], name)[0] for name in truth} == truth
    with served(lambda picture, target: known.count([picture], target)[0]) as address:
        asked = Endpoint(address, "stand-in", key="")
        assert {name: asked.count([image], name)[0] for name in truth} == truth


def test_an_oracle_gives_each_count_once_and_zero_where_there_is_none():
    assert emoji.assigned(np.array([50, 31]), np.array([30, 40, 50])).tolist() == [0, 31, 50]
    assert emoji.assigned(np.array([9, 31, 50]), np.array([50])).tolist() == [50]
    found = emoji.scored(np.array([3, 5]), np.array([3, 1]))
    assert found == emoji.Score(0.5, 2.0, 8**0.5)


def test_seeds_in_a_row_share_all_pictures_out():
    questions = tuple(emoji.Question(Path(f"{i % 7}.png"), "x", i) for i in range(20))
    folds = [study_emoji.fold(questions, 3, seed) for seed in (100, 101, 102)]
    assert sorted(p for fold in folds for p in fold) == sorted({q.picture for q in questions})
    assert sum(len(asked) for fold in folds for asked in fold.values()) == 20
    assert folds[0] == study_emoji.fold(questions, 3, 103)


@pytest.fixture
def benchmark(tmp_path):
    """A data folder with one picture and two questions."""
    folder = tmp_path / "emoji-count"
    (folder / "images").mkdir(parents=True)
    (folder / "images/a.png").write_bytes(png_bytes(sheet({"sun": 21, "sea": 9})))
    rows = [
        {"id": 1, "class": "x", "image_file": "a.png", "object_of_interest": name, "answer": number}
        for name, number in (("sun", 21), ("sea", 9))
    ]
    (folder / "benchmark_data.json").write_text(json.dumps(rows), "utf-8-sig")
    return folder


def test_the_benchmark_is_read(benchmark):
    found = emoji.emoji_questions(benchmark)
    assert [(q.picture.name, q.target, q.answer) for q in found] == [
        ("a.png", "sun", 21),
        ("a.png", "sea", 9),
    ]
    assert icons.count_kinds(emoji.read_picture(found[0].picture)) == (21, 9)


def entry(file='"a.png"', answer="3", what='"clock"'):
    return f'[{{"image_file": {file}, "object_of_interest": {what}, "answer": {answer}}}]'


@pytest.mark.parametrize(
    "content, says",
    [
        ("{", "is no JSON"),
        ("{}", "no list of questions"),
        ("[]", "no list of questions"),
        ("[" * 100_000, "nested too deeply"),
        ("[7]", "entry 1: None names no file"),
        (entry(what='" "'), "entry 1: no 'object_of_interest'"),
        *(
            (entry(answer=answer), "entry 1: 'answer' is no whole number")
            for answer in ("NaN", "Infinity", "1e400", "1" + "0" * 400, "true", "-1", "2.5", "null")
        ),
        (entry(file='"../../x.png"'), "no file of the data"),
        (entry(file='"/etc/passwd"'), "no file of the data"),
        (entry(file=r'"a\u001b[2J"'), r"'a\\\\?x1b\[2J' names no file"),
        (entry(file="[1]"), "no file of the data"),
        (b"\xff", "is no JSON"),
    ],
)
def test_a_broken_list_is_refused_by_name(benchmark, content, says):
    listed = benchmark / "benchmark_data.json"
    listed.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ExperimentError, match=says) as refusal:
        emoji.emoji_questions(benchmark)
    assert str(listed) in str(refusal.value)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 4 * LONGEST


def test_a_pipe_in_the_place_of_the_list_is_not_waited_for(benchmark):
    (benchmark / "benchmark_data.json").unlink()
    os.mkfifo(benchmark / "benchmark_data.json")
    with pytest.raises(ExperimentError, match="no regular file"):
        emoji.emoji_questions(benchmark)


@pytest.mark.skipif("NTKEXEC_DATA" not in os.environ, reason="needs Emoji-Count")
def test_the_real_benchmark_has_415_questions_on_82_pictures():
    from experiments.data import room

    found = emoji.emoji_questions(room.find("emoji-count", os.environ["NTKEXEC_DATA"]))
    assert (len(found), len({q.picture for q in found})) == (415, 82)
    # The floor: always 40.
    floor = emoji.scored(np.full(415, 40), np.array([q.answer for q in found]))
    assert floor.mean_absolute_error == pytest.approx(5.530, abs=5e-4)
