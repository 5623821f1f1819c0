"""Pictures with masks in folds of classes and with phrases: in the published layouts, or damaged."""

import builtins
import io
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.data import DataMissingError, load
from experiments.data.formats import beasts, folds
from experiments.files.rasters import numbers_of
from ntkexec.errors import ExperimentError, MissingExtraError

NUMBERS = np.array([[0, 1, 1, 255], [0, 5, 5, 255], [20, 20, 0, 0]], np.uint8)


def save(path, pixels, palette=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if palette:
        image = image.convert("P")
        # As in VOC's own masks, where the colour of class 1 is dark red.
        image.putpalette(
            [value for at in range(256) for value in (at * 97 % 256, at * 31 % 256, 7)]
        )
    image.save(path)


def write_pascal(folder, palette=False):
    root = folder / "pascal-5i"
    for part in ("trn", "val"):
        for fold in range(4):
            path = root / f"splits/pascal/{part}/fold{fold}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            name = f"200{fold}_00000{1 + (part == 'val')}"
            path.write_text(f"{name}__{5 * fold + 1:02}\n{name}__{5 * fold + 5:02}\n")
            save(root / f"VOC2012/SegmentationClassAug/{name}.png", NUMBERS, palette)
            colours = np.dstack([NUMBERS] * 3)
            save(root / f"VOC2012/JPEGImages/{name}.jpg", colours)
    return root


def write_coco(folder, change=lambda listed: listed):
    root = folder / "coco-20i"
    for part in ("trn", "val"):
        for fold in range(4):
            path = root / f"splits/coco/{part}/fold{fold}.pkl"
            path.parent.mkdir(parents=True, exist_ok=True)
            held = range(fold, 80, 4)
            label = (fold + 1) % 4 if part == "trn" else held[-1]
            name = "train2014/COCO_train2014_000000000009.jpg"
            # The public lists have an empty one for each class that is not in this part.
            listed = {each: [] for each in range(80)} | {label: [name]}
            path.write_bytes(pickle.dumps(change(listed), protocol=3))
    for year in ("train2014", "val2014"):
        (root / "COCO2014/annotations" / year).mkdir(parents=True)
    stem = "COCO_train2014_000000000009"
    save(root / f"COCO2014/annotations/train2014/{stem}.png", NUMBERS)
    save(root / f"COCO2014/train2014/{stem}.jpg", np.dstack([NUMBERS] * 3))
    (root / "COCO2014/val2014").mkdir()
    return root


def write_beasts(folder):
    root = folder / "AttrSeg"
    table = {"Augurey": ["long beak", "green feathers"], "Zouwu": ["long tail"]}
    for creature in table:
        for number in (2, 1):
            name = f"{creature}_{number}.png"
            save(root / "images" / creature / name, np.full((3, 4, 3), number, np.uint8))
            save(root / "masks" / creature / name, np.where(NUMBERS > 4, 255, 0).astype(np.uint8))
    (root / "attributes.json").write_text(json.dumps(table))
    return root


@pytest.mark.parametrize("palette", [False, True])
def test_folds_of_pascal_hold_out_five_classes_in_a_row_and_outlines_are_open(palette, tmp_path):
    write_pascal(tmp_path, palette)
    found = load("pascal-5i", tmp_path)
    for number, fold in enumerate(found.folds):
        assert fold.held_out == tuple(range(5 * number, 5 * number + 5))
        assert {each.label for each in fold.test} == {5 * number, 5 * number + 4}
        assert not {each.label for each in fold.train} & set(fold.held_out)
        assert (len(fold.train), len(fold.test)) == (6, 2)
    first = found.folds[0].test[0].read()
    assert found.classes[found.folds[0].test[0].label] == "aeroplane"
    np.testing.assert_array_equal(first.mask, NUMBERS == 1)
    np.testing.assert_array_equal(first.open, NUMBERS == 255)
    assert (first.image.shape, first.image.dtype) == ((3, 4, 3), np.uint8)
    np.testing.assert_array_equal(found.folds[0].test[1].read().mask, NUMBERS == 5)


def test_folds_of_coco_hold_out_every_fourth_class(tmp_path):
    write_coco(tmp_path)
    found = load("coco-20i", tmp_path)
    assert len(found.classes) == len(set(found.classes)) == 80
    for number, fold in enumerate(found.folds):
        assert fold.held_out == tuple(range(number, 80, 4))
        assert [each.label for each in fold.test] == [76 + number]
        assert not {each.label for each in fold.train} & set(fold.held_out)
    # Four folds hold out each class once.
    assert sorted(label for fold in found.folds for label in fold.held_out) == list(range(80))
    assert (found.classes[0], found.classes[79]) == ("person", "toothbrush")
    read = found.folds[3].train[0].read()
    np.testing.assert_array_equal(read.mask, found.folds[3].train[0].label + 1 == NUMBERS)


def test_lists_that_do_not_fit_are_refused_by_name_and_line(tmp_path):
    root = write_pascal(tmp_path)
    path = root / "splits/pascal/val/fold1.txt"
    for line in ("2007_000001__01", "../../etc/passwd__06", "2007_000001", "2007_000001__6"):
        path.write_text(f"2007_000002__06\n{line}\n")
        with pytest.raises(ExperimentError, match=r"line 2 of .*fold1\.txt"):
            load("pascal-5i", tmp_path)
    for content, said in ((b"", "lists no pictures"), (b"\xff", "no text")):
        path.write_bytes(content)
        with pytest.raises(ExperimentError, match=said):
            load("pascal-5i", tmp_path)


class Runs:
    def __reduce__(self):
        return os.system, ("exit 1",)


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda listed: [], "no lists of pictures by number"),
        (lambda listed: {"0": []}, "no lists of pictures by number"),
        (lambda listed: {4: ["../../x.jpg"]}, "no name of a picture|in trn of fold 0"),
        (lambda listed: {each: [] for each in range(80)}, "lists no pictures"),
        (lambda listed: dict.fromkeys(range(80), "train2014"), "has 'train2014' at 0"),
        (lambda listed: Runs(), "asks for .*system.* nothing of it was run"),
    ],
)
def test_pickles_of_other_things_are_refused_and_never_run(change, said, tmp_path):
    write_coco(tmp_path, change)
    with pytest.raises(ExperimentError, match=said):
        load("coco-20i", tmp_path)


def test_masks_of_colours_of_another_size_and_damaged_ones_are_refused(tmp_path):
    root = write_pascal(tmp_path)
    picture = load("pascal-5i", tmp_path).folds[0].test[0]
    path = root / f"VOC2012/SegmentationClassAug/{picture.name}.png"
    save(path, np.dstack([NUMBERS] * 3))
    with pytest.raises(ExperimentError, match="kind RGB, not numbers of 8 bits"):
        picture.read()
    save(path, NUMBERS[:2])
    with pytest.raises(ExperimentError, match=r"has \(2, 4\) pixels, and the picture \(3, 4\)"):
        picture.read()
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ExperimentError, match=r"cannot read the picture .*\.png"):
        picture.read()
    path.unlink()
    with pytest.raises(ExperimentError, match="no such file"):
        picture.read()


def test_masks_of_one_bit_are_black_and_white():
    stored = io.BytesIO()
    Image.fromarray(NUMBERS > 4).save(stored, "PNG")
    np.testing.assert_array_equal(numbers_of(stored.getvalue()), np.where(NUMBERS > 4, 255, 0))


def test_beasts_are_read_with_their_masks_and_phrases(tmp_path):
    write_beasts(tmp_path)
    found = load("fantastic-beasts", tmp_path)
    assert found.classes == ("Augurey", "Zouwu")
    assert found.attributes["Augurey"] == ("long beak", "green feathers")
    assert [(each.name, each.label) for each in found.pictures] == [
        ("Augurey_1", 0),
        ("Augurey_2", 0),
        ("Zouwu_1", 1),
        ("Zouwu_2", 1),
    ]
    read = found.pictures[1].read()
    np.testing.assert_array_equal(read.mask, NUMBERS > 4)
    assert (read.image == 2).all()
    assert not read.open.any()


def test_beasts_that_do_not_fit_are_refused(tmp_path):
    root = write_beasts(tmp_path)
    path = root / "attributes.json"
    for text, said in (
        ("[]", "no phrases by creature"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("{}", "no creatures"),
        ('{"../..": ["x"]}', "no name and list"),
        ('{"Zouwu": "long"}', "no name and list"),
        ('{"Zouwu": []}', "no name and list"),
        ('{"Nundu": ["spots"]}', "Nundu"),
    ):
        path.write_text(text)
        with pytest.raises(ExperimentError, match=said):
            load("fantastic-beasts", tmp_path)
    path.write_text('{"Zouwu": ["long tail"]}')
    (root / "masks/Zouwu/Zouwu_1.png").unlink()
    with pytest.raises(ExperimentError, match=r"Zouwu_1\.png has no mask"):
        load("fantastic-beasts", tmp_path)


def test_parquet_says_what_it_needs_where_pyarrow_is_not(tmp_path, monkeypatch):
    path = tmp_path / "fantastic-beasts" / beasts.PARQUET
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1")
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match="pip install pyarrow"):
        load("fantastic-beasts", tmp_path)


def test_beasts_in_parquet_are_those_of_the_files(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    files = load("fantastic-beasts", write_beasts(tmp_path).parent)
    rows = [
        {
            "image": {"bytes": Path(each.image).read_bytes(), "path": f"{each.name}.png"},
            "mask": {"bytes": Path(each.mask).read_bytes(), "path": None},
            "category": files.classes[each.label],
            "attributes": list(files.attributes[files.classes[each.label]]),
        }
        for each in files.pictures
    ]
    other = tmp_path / "other"
    path = other / "Fantastic-Beasts" / beasts.PARQUET
    path.parent.mkdir(parents=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    found = load("fantastic-beasts", other)
    assert found.attributes == files.attributes
    for one, two in zip(found.pictures, files.pictures, strict=True):
        assert one.label == two.label
        for first, second in zip(vars(one.read()).values(), vars(two.read()).values(), strict=True):
            np.testing.assert_array_equal(first, second)
    parquet.write_table(pyarrow.Table.from_pylist([{**rows[0], "mask": 3}]), path)
    with pytest.raises(ExperimentError, match=r"mask 0 of .*parquet holds no picture"):
        load("fantastic-beasts", other)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ExperimentError, match=r"cannot read .*parquet"):
        load("fantastic-beasts", other)


def test_what_lacks_is_named(tmp_path):
    (write_pascal(tmp_path) / "splits/pascal/val/fold3.txt").unlink()
    with pytest.raises(DataMissingError, match=r"lacks splits/pascal/val/fold3\.txt"):
        load("pascal-5i", tmp_path)
    assert len(folds.PASCAL) == 20
