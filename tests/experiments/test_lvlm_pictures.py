"""LVLM-Count on the paper's data sets: readers of the real formats, on small files, and the studies."""

import dataclasses
import json

import numpy as np
import pytest

from experiments.experiment import NotMeasured, Record, Trial
from experiments.lvlm_count import claims_pictures, datasets, endpoint, pictures, scenes
from experiments.lvlm_count.config import FULL, QUICK, TINY
from ntkexec.check import carry_out
from ntkexec.errors import ExperimentError


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content) if isinstance(content, str) else path.write_bytes(content)


def icons(number, seed=0, size=96, radii=(4, 5)):
    generator = np.random.default_rng(seed)
    return scenes.scene({"red": number}, generator=generator, size=size, radii=radii)


def shells():
    return icons(21, 3, 256, (10, 11))


@pytest.fixture
def data(tmp_path):
    """All four data sets, small, as they are distributed."""
    rows = []
    for i, number in enumerate((24, 20), 1):
        image = endpoint.png(icons(number, i).image)
        write(tmp_path / f"emoji-count/images/image_{i:05}.png", image)
        for kind, answer in (("two-thirty", 3), ("six-thirty", number - 3)):
            rows.append(
                {
                    "id": len(rows) + 1,
                    "class": "clock time",
                    "image_file": f"image_{i:05}.png",
                    "object_of_interest": kind,
                    "answer": answer,
                }
            )
    write(tmp_path / "emoji-count/benchmark_data.json", json.dumps(rows))

    made = shells()
    centres = [np.argwhere(made.objects == i + 1).mean(0)[::-1].tolist() for i in range(21)]
    box = [[10, 20], [10, 36], [30, 36], [30, 20]]
    fsc = tmp_path / "fsc-147"
    write(fsc / "images_384_VarV2/2.jpg", endpoint.png(made.image))
    notes = {"2.jpg": {"points": centres, "box_examples_coordinates": [box] * 3, "H": 96, "W": 96}}
    write(fsc / "annotation_FSC147_384.json", json.dumps(notes))
    names = {"train": [], "val": [], "test": ["2.jpg"]}
    write(fsc / "Train_Test_Val_FSC_147.json", json.dumps(names))
    write(fsc / "ImageClasses_FSC147.txt", "2.jpg\tsea shells\n")

    voc = tmp_path / "voc-2007/VOCdevkit/VOC2007"
    things = [("bird", 1, 1, 10, 12), ("bird", 31, 41, 50, 60), ("diningtable", 1, 1, 60, 90)]
    xml = "".join(
        f"<object><name>{kind}</name><difficult>0</difficult><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for kind, a, b, c, d in things
    )
    write(voc / "Annotations/000001.xml", f"<annotation><size/>{xml}</annotation>")
    write(voc / "ImageSets/Main/test.txt", "000001\n")
    write(voc / "JPEGImages/000001.jpg", endpoint.png(icons(5).image))

    table = 'image_name,number_vector,median,max\nA_1,"[26, 24]",25,26\nA_2,[],,\nA_3,[21],21,21\n'
    write(tmp_path / "penguins/penguin.csv", table)
    return tmp_path


def test_emoji_count_is_read(data):
    found = datasets.emoji_count(data / "emoji-count")
    assert [(q.picture.name, q.target, q.answer) for q in found] == [
        ("image_00001.png", "two-thirty", 3),
        ("image_00001.png", "six-thirty", 21),
        ("image_00002.png", "two-thirty", 3),
        ("image_00002.png", "six-thirty", 17),
    ]
    assert datasets.read(found[0].picture).shape == (96, 96, 3)


def test_fsc_147_has_a_point_in_every_object_and_a_radius_that_stays_within(data):
    (found,) = datasets.fsc_147(data / "fsc-147")
    assert (found.target, found.answer, found.radius) == ("sea shells", 21, 4.0)
    truth = shells().objects
    seen = datasets.annotated(found, datasets.read(found.picture))
    assert seen.max() == 21
    for number in range(1, 22):
        # The disc of the n-th point lies on the n-th object.
        assert (truth[seen == number] == number).all()
    with pytest.raises(ExperimentError, match="'trial'; it has train, val, test"):
        datasets.fsc_147(data / "fsc-147", "trial")


def test_points_close_together_stay_apart():
    question = datasets.Question(None, "x", 2, points=((10, 10), (14, 10)), radius=9)
    seen = datasets.annotated(question, np.zeros((20, 30, 3), np.uint8))
    assert (seen == 1).sum() == (seen == 2).sum() == 5
    assert (seen[10, 12], seen[10, 11], seen[10, 13]) == (0, 1, 2)


def test_voc_has_boxes_from_one_and_asks_for_every_kind_or_what_the_list_says(data):
    found = datasets.voc_2007(data / "voc-2007")
    assert [(q.target, q.answer, len(q.boxes)) for q in found] == [
        ("bird", 2, 2),
        ("dining table", 1, 1),
    ]
    seen = datasets.annotated(found[0], np.zeros((96, 96, 3), np.uint8))
    assert sorted(np.bincount(seen.ravel())[1:]) == [10 * 12, 20 * 20]
    assert seen[0, 0] > 0
    assert (seen[12, 0], seen[0, 10]) == (0, 0)
    listed = "image_name,category_name,answer\n000001.jpg,cow,0\n000001.jpg,bird,2\n"
    write(data / "voc-2007/pascal.csv", listed)
    listed = datasets.voc_2007(data / "voc-2007")
    assert [(q.target, q.answer, len(q.boxes)) for q in listed] == [("cow", 0, 0), ("bird", 2, 2)]


def test_penguins_that_nobody_counted_are_left_out(data):
    found = datasets.penguins(data / "penguins")
    assert [(q.picture.name, q.answer) for q in found] == [("A_1.JPG", 25), ("A_3.JPG", 21)]


@pytest.mark.parametrize(
    "dataset, file, content, says",
    [
        ("emoji-count", "benchmark_data.json", "{", "is no JSON"),
        ("emoji-count", "benchmark_data.json", "{}", "no JSON list"),
        ("emoji-count", "benchmark_data.json", '[{"image_file": "x"}]', "entry 1"),
        ("fsc-147", "annotation_FSC147_384.json", "{}", "no annotation"),
        ("fsc-147", "annotation_FSC147_384.json", '{"2.jpg": {}}', "no points"),
        ("fsc-147", "ImageClasses_FSC147.txt", "2.jpg shells", "no tab"),
        ("voc-2007", "VOCdevkit/VOC2007/Annotations/000001.xml", "<a>", "no boxes"),
        ("penguins", "penguin.csv", "image_name,median\nA,many\n", "'many'"),
        ("penguins", "penguin.csv", b"\xff", "cannot read"),
    ],
)
def test_broken_files_are_refused_by_name(data, dataset, file, content, says):
    write(data / dataset / file, content)
    with pytest.raises(ExperimentError, match=says) as refusal:
        datasets.DATASETS[dataset](data / dataset)
    assert str(data / dataset) in str(refusal.value)


def test_without_data_or_model_nothing_stands_in(data):
    with pytest.raises(NotMeasured, match="--scale full"):
        pictures.emoji(QUICK, Trial("emoji", 0, data=data))
    with pytest.raises(NotMeasured, match="emoji-count"):
        pictures.emoji(FULL, Trial("emoji", 0))
    with pytest.raises(NotMeasured, match="a vision model"):
        pictures.asked("fsc-147")(FULL, Trial("fsc-147", 0, data=data))
    with_model = dataclasses.replace(FULL, endpoint="http://127.0.0.1:9/v1", model="m")
    with pytest.raises(NotMeasured, match="fsc-147"):
        pictures.asked("fsc-147")(with_model, Trial("fsc-147", 0))
    with pytest.raises(ExperimentError, match="model"):
        dataclasses.replace(FULL, endpoint="http://127.0.0.1:9/v1")


def check(name):
    return next(c for c in claims_pictures.CHECKS if c.name == name)


def judged(found, study):
    return Record(0, {study: found})


def test_emoji_pictures_are_divided_around_icons(data):
    config = dataclasses.replace(TINY, emoji_pictures=2)
    found = pictures.emoji(config, Trial("emoji", 0, data=data))
    assert {(r["icons"], r["found"], r["split"], r["on_lines"]) for r in found["pictures"]} == {
        (24, 24, 0, 0),
        (20, 20, 0, 0),
    }
    for name in ("emoji-division", "emoji-masks"):
        subject = check(name)
        assert carry_out(subject, [judged(found, "emoji")]).verdict == "holds"
        twin = dataclasses.replace(subject, measure=subject.broken)
        assert carry_out(twin, [judged(found, "emoji")]).verdict == "fails"


@pytest.mark.parametrize("dataset, asked", [("emoji-count", 4), ("fsc-147", 1), ("voc-2007", 2)])
def test_a_model_is_asked_of_whole_and_of_divided_pictures(data, server, dataset, asked):
    url, script, seen = server
    script.append((200, json.dumps({"can_not_count_because_too_many": False, "count": 2})))
    config = dataclasses.replace(TINY, questions=9, endpoint=url, model="m")
    found = pictures.asked(dataset)(config, Trial(dataset, 0, data=data))
    rows = found["questions"]
    assert len(rows) == asked
    assert all(row["direct"] == 2 for row in rows)
    assert all(row["divided"] == 2 * row["parts"] for row in rows)
    assert max(row["parts"] for row in rows) > 1
    # One request for the whole and one for each part; the undivided ones are asked twice.
    assert found["spent"]["requests"] == len(seen)
    assert found["spent"]["requests"] == sum(1 + row["parts"] for row in rows)


def test_a_model_s_gain_is_judged_from_many_objects_on():
    rows = [{"answer": n, "direct": n - 9, "divided": n - 2, "parts": 3} for n in (20, 30, 40)]
    rows += [{"answer": 3, "direct": 3, "divided": 30, "parts": 1}]
    record = judged({"questions": rows}, "fsc-147")
    found = carry_out(check("fsc-147-model"), [record])
    assert (found.verdict, found.measurement.value) == ("holds", 7)
    twin = dataclasses.replace(found.check, measure=found.check.broken)
    assert carry_out(twin, [record]).verdict == "fails"
    with pytest.raises(NotMeasured, match="fewer than two"):
        check("fsc-147-model").measure([judged({"questions": rows[2:]}, "fsc-147")])
