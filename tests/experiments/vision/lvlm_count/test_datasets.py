"""LVLM-Count's data sets: readers of the real formats, on small files, whole and damaged."""

import os
import random

import numpy as np
import pytest

from experiments.vision.lvlm_count import datasets
from ntkexec.errors import ExperimentError


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content) if isinstance(content, str) else path.write_bytes(content)


def test_emoji_count_is_read(data):
    found = datasets.emoji_count(data / "emoji-count")
    assert [(q.picture.name, q.target, q.answer) for q in found] == [
        ("image_00001.png", "two-thirty", 3),
        ("image_00001.png", "six-thirty", 21),
        ("image_00002.png", "two-thirty", 3),
        ("image_00002.png", "six-thirty", 17),
    ]
    assert datasets.read(found[0].picture).shape == (96, 96, 3)


def test_fsc_147_has_a_point_in_every_object_and_a_radius_that_stays_within(data, shells):
    (found,) = datasets.fsc_147(data / "fsc-147")
    assert (found.target, found.answer, found.radius) == ("sea shells", 21, 4.0)
    truth = shells.objects
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


VOC = "VOCdevkit/VOC2007/Annotations/000001.xml"


def emoji(file='"image_00001.png"', answer="3"):
    return f'[{{"image_file": {file}, "object_of_interest": "clock", "answer": {answer}}}]'


def fsc(points, boxes="[]"):
    return f'{{"2.jpg": {{"points": {points}, "box_examples_coordinates": {boxes}}}}}'


def voc(left, kind="bird"):
    box = f"<xmin>{left}</xmin><ymin>1</ymin><xmax>10</xmax><ymax>10</ymax>"
    return f"<annotation><object><name>{kind}</name><bndbox>{box}</bndbox></object></annotation>"


def bomb():
    """A few bytes that stand for 10^9 letters."""
    entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    return f'<!DOCTYPE x [<!ENTITY a0 "aaaaaaaaaa">{entities}]><x><object><name>&a9;</name></object></x>'


@pytest.mark.parametrize(
    "dataset, file, content, says",
    [
        ("emoji-count", "benchmark_data.json", "{", "is no JSON"),
        ("emoji-count", "benchmark_data.json", "{}", "no JSON list"),
        ("emoji-count", "benchmark_data.json", "[]", "holds no question"),
        ("emoji-count", "benchmark_data.json", "[" * 100_000, "nested too deeply"),
        ("emoji-count", "benchmark_data.json", '[{"image_file": "x"}]', "entry 1"),
        ("emoji-count", "benchmark_data.json", emoji(answer="NaN"), "'answer' is no whole number"),
        ("emoji-count", "benchmark_data.json", emoji(answer="Infinity"), "no whole number .* inf"),
        ("emoji-count", "benchmark_data.json", emoji(answer="1e400"), "no whole number .* inf"),
        ("emoji-count", "benchmark_data.json", emoji(answer="1" + "0" * 400), "no whole number"),
        ("emoji-count", "benchmark_data.json", emoji(answer="true"), "no whole number .* True"),
        ("emoji-count", "benchmark_data.json", emoji(answer="-1"), "no whole number .* -1"),
        ("emoji-count", "benchmark_data.json", emoji(answer="2.5"), "no whole number .* 2.5"),
        ("emoji-count", "benchmark_data.json", emoji(answer="null"), "no whole number .* None"),
        ("emoji-count", "benchmark_data.json", emoji(file='"../../x.png"'), "no file of the data"),
        ("emoji-count", "benchmark_data.json", emoji(file='"/etc/passwd"'), "no file of the data"),
        ("emoji-count", "benchmark_data.json", emoji(file='"a\\u001b[2J"'), r"'a\\\\?x1b\[2J'"),
        ("emoji-count", "benchmark_data.json", emoji(file="[1]"), "no file of the data"),
        ("fsc-147", "annotation_FSC147_384.json", "{}", "no annotation"),
        ("fsc-147", "annotation_FSC147_384.json", '{"2.jpg": {}}', "no points"),
        ("fsc-147", "annotation_FSC147_384.json", fsc("[[NaN, 1]]"), "a point is .*nan"),
        ("fsc-147", "annotation_FSC147_384.json", fsc("[[1, Infinity]]"), "a point is .*inf"),
        ("fsc-147", "annotation_FSC147_384.json", fsc('[[1, "x"]]'), "a point is .*'x'"),
        ("fsc-147", "annotation_FSC147_384.json", fsc("[[1]]"), "no points"),
        ("fsc-147", "annotation_FSC147_384.json", fsc("[]", "[[[1, NaN]]]"), "a corner is .*nan"),
        ("fsc-147", "annotation_FSC147_384.json", fsc("[]", "[[[1, 2]]]"), "make no boxes"),
        ("fsc-147", "Train_Test_Val_FSC_147.json", '{"test": []}', "holds no question"),
        ("fsc-147", "Train_Test_Val_FSC_147.json", '{"test": "2.jpg"}', "no list of pictures"),
        ("fsc-147", "Train_Test_Val_FSC_147.json", '{"test": [[2]]}', "no file of the data"),
        ("fsc-147", "Train_Test_Val_FSC_147.json", '{"test": 7}', "no list of pictures"),
        ("fsc-147", "ImageClasses_FSC147.txt", "2.jpg shells\n", "line 1: no tab"),
        ("fsc-147", "ImageClasses_FSC147.txt", "2.jpg\t \n", "line 1: no tab"),
        ("voc-2007", VOC, "<a>", "no boxes"),
        ("voc-2007", VOC, voc("nan"), "a box is .*'nan'"),
        ("voc-2007", VOC, voc("inf"), "a box is .*'inf'"),
        ("voc-2007", VOC, voc(""), "a box is"),
        ("voc-2007", VOC, voc("99"), "from .*'99'"),
        ("voc-2007", VOC, voc("1", kind=""), "no boxes"),
        ("voc-2007", VOC, "<?xml version='1.0' encoding='no-such'?><a/>", "no boxes"),
        ("voc-2007", VOC, "<annotation/>", "holds no question"),
        ("voc-2007", VOC, bomb(), "no boxes"),
        ("voc-2007", "VOCdevkit/VOC2007/ImageSets/Main/test.txt", "", "holds no question"),
        ("voc-2007", "VOCdevkit/VOC2007/ImageSets/Main/test.txt", "../x", "no file of the data"),
        (
            "voc-2007",
            "pascal.csv",
            "image_name;category_name;answer\na;b;1\n",
            "separated by commas",
        ),
        ("voc-2007", "pascal.csv", "image_name,category_name,answer\n000001.jpg,cow\n", "2 fields"),
        (
            "voc-2007",
            "pascal.csv",
            "image_name,category_name,answer\n000001.jpg,cow,nan\n",
            "'nan'",
        ),
        ("penguins", "penguin.csv", "image_name,median\nA,many\n", "'many'"),
        ("penguins", "penguin.csv", "image_name,median\nA,NaN\n", "'NaN'"),
        ("penguins", "penguin.csv", "image_name,median\nA,1e400\n", "'1e400'"),
        ("penguins", "penguin.csv", "image_name,median\nA\n", "line 2: 1 fields"),
        ("penguins", "penguin.csv", "image_name,median\nA,1,2\n", "line 2: 3 fields"),
        ("penguins", "penguin.csv", "image_name;median\nA;1\n", "separated by commas"),
        ("penguins", "penguin.csv", "image_name\tmedian\nA\t1\n", "separated by commas"),
        ("penguins", "penguin.csv", "name,median\nA,1\n", "one column 'image_name'"),
        ("penguins", "penguin.csv", "image_name,median,median\nA,1,2\n", "one column 'median'"),
        ("penguins", "penguin.csv", "image_name,median\nA,\n", "holds no question"),
        ("penguins", "penguin.csv", "image_name,median\n", "holds no question"),
        ("penguins", "penguin.csv", "", "one column"),
        ("penguins", "penguin.csv", 'image_name,median\n"A,1\n', "line 2"),
        ("penguins", "penguin.csv", "image_name,median\n" + "A" * 200_000 + ",1\n", "line 2"),
        ("penguins", "penguin.csv", b"\xff", "cannot read"),
        ("penguins", "penguin.csv", None, "no such file"),
    ],
)
def test_broken_files_are_refused_by_name(data, dataset, file, content, says):
    if content is None:
        (data / dataset / file).unlink()
    else:
        write(data / dataset / file, content)
    with pytest.raises(ExperimentError, match=says) as refusal:
        datasets.DATASETS[dataset](data / dataset)
    assert str(data / dataset) in str(refusal.value)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 1000


def test_a_table_is_read_as_a_spreadsheet_writes_it(data):
    text = '\ufeffimage_name,note,median\r\n"A,1","two\r\nlines",7\r\n\r\nB,\u2028,8\r\n'
    write(data / "penguins/penguin.csv", text.encode())
    found = datasets.penguins(data / "penguins")
    assert [(q.picture.name, q.answer) for q in found] == [("A,1.JPG", 7), ("B.JPG", 8)]


def test_annotations_are_read_in_the_encoding_that_they_declare(data):
    text = "<?xml version='1.0' encoding='ISO-8859-1'?>" + voc("1", kind="\u00c4ffchen")
    write(data / "voc-2007" / VOC, text.encode("latin-1"))
    assert datasets.voc_2007(data / "voc-2007")[0].target == "\u00c4ffchen"


def test_json_with_a_mark_of_byte_order_is_read(data):
    path = data / "emoji-count/benchmark_data.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(datasets.emoji_count(data / "emoji-count")) == 4


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(data):
    for dataset, file in (("emoji-count", "benchmark_data.json"), ("penguins", "penguin.csv")):
        (data / dataset / file).unlink()
        os.mkfifo(data / dataset / file)
        with pytest.raises(ExperimentError, match="no regular file"):
            datasets.DATASETS[dataset](data / dataset)


# The fuzzer: every file of every data set, damaged.

FILES = (
    ("emoji-count", "benchmark_data.json"),
    ("fsc-147", "annotation_FSC147_384.json"),
    ("fsc-147", "Train_Test_Val_FSC_147.json"),
    ("fsc-147", "ImageClasses_FSC147.txt"),
    ("voc-2007", VOC),
    ("voc-2007", "VOCdevkit/VOC2007/ImageSets/Main/test.txt"),
    ("voc-2007", "pascal.csv"),
    ("penguins", "penguin.csv"),
)
TOKENS = (
    "NaN",
    "-1",
    "1e999",
    "null",
    '"',
    ",",
    ";",
    "\t",
    "\n",
    "[",
    "}",
    "<",
    "&x;",
    "\0",
    "../",
    "\x1b",
)


def try_datasets(data, seed, number):
    write(data / "voc-2007/pascal.csv", "image_name,category_name,answer\n000001.jpg,bird,2\n")
    chance, read = random.Random(seed), 0
    blank = np.zeros((64, 64, 3), np.uint8)
    for _ in range(number):
        dataset, file = chance.choice(FILES)
        path = data / dataset / file
        whole = path.read_bytes()
        content = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 6))):
            place = chance.randrange(len(content) + 1)
            new = chance.choice((chance.choice(TOKENS).encode(), chance.randbytes(1), b""))
            content[place : place + chance.choice((0, 1, 1, 3, 20))] = new
        path.write_bytes(content)
        hidden = data / "voc-2007/pascal.csv"
        if dataset == "voc-2007" and "test.txt" in file:
            hidden.rename(data / "kept.csv")
        try:
            found = datasets.DATASETS[dataset](data / dataset)
        except ExperimentError as refusal:
            said = str(refusal)
        else:
            read, said = read + 1, ""
            assert found
            for question in found:
                assert type(question.answer) is int
                assert 0 <= question.answer <= 1_000_000
                assert (data / dataset) in question.picture.parents
                assert ".." not in question.picture.parts
                datasets.annotated(question, blank)
        assert said.isprintable(), bytes(content)
        assert len(said) < 1000
        path.write_bytes(whole)
        if (data / "kept.csv").exists():
            (data / "kept.csv").rename(hidden)
    return read


def test_damaged_data_sets_are_read_or_refused(data):
    assert try_datasets(data, 0, 1500) > 100


@pytest.mark.slow
def test_many_damaged_data_sets_are_read_or_refused(data):
    assert try_datasets(data, int(os.environ.get("NTKEXEC_FUZZ_SEED", "1")), 100_000) > 10_000
