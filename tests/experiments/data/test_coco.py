"""COCO's files: pycocotools reads ours, we read its, and average precision is the same by either way."""

import contextlib
import dataclasses
import io
import json

import numpy as np
import pytest
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from experiments.data import load
from experiments.data.annotated import Picture
from experiments.data.formats import coco
from experiments.data.formats.coco_writing import write_instances, write_results
from experiments.data.objects import Detections, Objects, enclosing
from experiments.kits.detection.precision import average_precision
from ntkexec.errors import ExperimentError

# Of pycocotools' own arrays, which know less than NumPy 2 asks of them.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

# A few entries in the structure that instances_val2017.json has: numbers with gaps, polygons, a crowd
# of plain run lengths, a picture of nothing, entries that nobody needs.
PUBLIC = {
    "info": {"year": 2017, "version": "1.0"},
    "licenses": [{"id": 1, "name": "none", "url": ""}],
    "images": [
        {"license": 1, "file_name": "000000000139.jpg", "height": 30, "width": 40, "id": 139},
        {"license": 1, "file_name": "000000000285.jpg", "height": 8, "width": 6, "id": 285},
    ],
    "annotations": [
        {
            "segmentation": [[4.5, 3.25, 20, 3, 21.75, 17.5, 5, 16], [30, 20, 35, 20, 33, 27.2]],
            "area": 251.5,
            "iscrowd": 0,
            "image_id": 139,
            "bbox": [4.5, 3, 30.5, 24.2],
            "category_id": 64,
            "id": 1,
        },
        {
            "segmentation": {"size": [30, 40], "counts": [100, 50, 1000, 50]},
            "area": 100,
            "iscrowd": 1,
            "image_id": 139,
            "bbox": [3, 0, 37, 30],
            "category_id": 1,
            "id": 900100000139,
        },
    ],
    "categories": [
        {"supercategory": "furniture", "id": 64, "name": "potted plant"},
        {"supercategory": "person", "id": 1, "name": "person"},
    ],
}


def written(folder, data=PUBLIC):
    path = folder / "coco-2017" / "annotations" / "instances_val2017.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path


def quietly(call):
    with contextlib.redirect_stdout(io.StringIO()):
        return call()


def test_the_public_structure_is_read_as_pycocotools_reads_it(tmp_path):
    path = written(tmp_path)
    (tmp_path / "coco-2017" / "val2017").mkdir()
    found = load("coco-2017", tmp_path).part("val")
    judge = quietly(lambda: COCO(str(path)))
    assert found.classes == ("person", "potted plant")
    assert found.identities == tuple(judge.getCatIds()[::-1]) == (1, 64)
    objects, nothing = found.objects(0, masks=True), found.objects(1, masks=True)
    for one, entry in enumerate(judge.loadAnns(judge.getAnnIds(imgIds=139))):
        np.testing.assert_array_equal(objects.masks[one], judge.annToMask(entry).astype(bool))
        x, y, width, height = entry["bbox"]
        np.testing.assert_array_equal(objects.boxes[one], [x, y, x + width, y + height])
        assert found.identities[objects.labels[one]] == entry["category_id"]
    assert objects.areas.tolist() == [251.5, 100]
    assert objects.crowd.tolist() == [False, True]
    assert len(nothing) == 0
    with pytest.raises(ExperimentError, match="no part 'train' there; it has val"):
        load("coco-2017", tmp_path).part("train")


def test_lvis_names_pictures_by_their_addresses(tmp_path):
    images = [
        {**one, "coco_url": "http://h/val2017/" + one["file_name"]} for one in PUBLIC["images"]
    ]
    for one in images:
        del one["file_name"]
    annotations = [{k: v for k, v in PUBLIC["annotations"][0].items() if k != "iscrowd"}]
    (tmp_path / "lvis-v1").mkdir()
    (tmp_path / "lvis-v1" / "lvis_v1_val.json").write_text(
        json.dumps({**PUBLIC, "images": images, "annotations": annotations})
    )
    found = load("lvis-v1", tmp_path).part("val")
    assert found.pictures[0].file == "val2017/000000000139.jpg"
    assert not found.objects(0).crowd.any()


def test_pixels_are_the_file_s_or_refused(tmp_path):
    from PIL import Image

    path = written(tmp_path)
    folder = tmp_path / "coco-2017" / "val2017"
    folder.mkdir()
    found = coco.read_instances(path, folder)
    drawn = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(drawn).save(folder / "000000000139.jpg", format="PNG")
    np.testing.assert_array_equal(found.pixels(0), drawn)
    Image.fromarray(drawn).save(folder / "000000000285.jpg", format="PNG")
    with pytest.raises(ExperimentError, match="has 30 x 40 pixels and is said to have 8 x 6"):
        found.pixels(1)


def made(generator, pictures=4):
    objects, found = [], []
    for _ in range(pictures):
        masks = np.zeros((5, 40, 50), bool)
        for mask in masks:
            top, left = generator.integers(0, 25, 2)
            mask[top : top + 12, left : left + 14] = generator.random((12, 14))[: 40 - top] < 0.9
        objects.append(Objects(enclosing(masks), generator.integers(0, 3, 5), masks))
        moved = np.roll(masks, 1, 2)
        scores = generator.integers(1, 6, 5) / 5
        labels = objects[-1].labels * (generator.random(5) < 0.8)
        found.append(Detections(enclosing(moved), scores, labels, moved))
    return objects, found


def test_what_we_write_pycocotools_reads_and_judges_as_we_do(tmp_path):
    objects, found = made(np.random.default_rng(2))
    pictures = [Picture(f"{one}.png", 40, 50, one * 7) for one in range(4)]
    truth, results = tmp_path / "truth.json", tmp_path / "results.json"
    write_instances(truth, pictures, objects, ("a", "b", "c"))
    again = coco.read_instances(truth, tmp_path)
    write_results(results, found, again)
    ground = quietly(lambda: COCO(str(truth)))
    for kind, oracle in (("box", "bbox"), ("mask", "segm")):
        judge = quietly(
            lambda oracle=oracle: COCOeval(ground, ground.loadRes(str(results)), oracle)
        )
        quietly(lambda judge=judge: (judge.evaluate(), judge.accumulate(), judge.summarize()))
        ours = average_precision(
            coco.read_results(results, again),
            [again.objects(one, masks=True) for one in range(4)],
            kind=kind,
        )
        # Not by size: pycocotools takes the box's area for a mask too where a result has both.
        assert [ours.ap, ours.ap50, ours.ap75] == judge.stats[:3].tolist()
        assert 0.1 < ours.ap < 1
    for one in range(4):
        np.testing.assert_array_equal(again.objects(one, masks=True).masks, objects[one].masks)
        np.testing.assert_array_equal(again.objects(one).labels, objects[one].labels)


def test_results_of_masks_alone_as_pycocotools_encodes_them(tmp_path):
    like = coco.read_instances(written(tmp_path), tmp_path)
    mask = np.zeros((30, 40), bool)
    mask[3:9, 10:31] = True
    text = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    entry = {"image_id": 139, "category_id": 64, "score": 0.5}
    entry["segmentation"] = {"size": [30, 40], "counts": text["counts"].decode()}
    path = tmp_path / "results.json"
    path.write_text(json.dumps([entry]))
    found, nothing = coco.read_results(path, like)
    assert found.boxes.tolist() == [[10, 3, 31, 9]]
    np.testing.assert_array_equal(found.masks[0], mask)
    assert len(nothing) == 0
    for message, wrong in {
        "score of result 1": {"score": "high"},
        "category 2, which": {"category_id": 2},
        "picture 1, which": {"image_id": 1},
        "result 1 in .*: its mask has": {"image_id": 285},
        "some results .* have masks": {},
    }.items():
        bare = {"image_id": 139, "category_id": 1, "score": 1, "bbox": [0, 0, 1, 1]}
        path.write_text(json.dumps([{**entry, **wrong}, bare]))
        with pytest.raises(ExperimentError, match=message):
            coco.read_results(path, like)


def changed(where, **values):
    kind, place = where
    entries = [dict(one) for one in PUBLIC[kind]]
    entries[place] |= values
    return {**PUBLIC, kind: entries}


@pytest.mark.parametrize(
    "message, data",
    [
        ("no object of JSON", []),
        ("no list of images", {**PUBLIC, "images": 3}),
        ("no list of annotations", {**PUBLIC, "annotations": [1]}),
        ("same id", changed(("images", 0), id=285)),
        ("same id", changed(("categories", 0), id=1)),
        ("annotation 2 .* is of picture 7", changed(("annotations", 1), image_id=7)),
        ("annotation 1 .* is of category 2", changed(("annotations", 0), category_id=2)),
        (
            "no whole number from 0 on, without a point: 1.5",
            changed(("annotations", 0), image_id=1.5),
        ),
        ("no whole number from 0 on, without a point: True", changed(("images", 0), height=True)),
        ("no whole number .* without a point: 64.0", changed(("images", 0), width=64.0)),
        ("id in .* is no whole number .*: 'x2'", changed(("images", 0), id="x2")),
        ("no x, y, width, height", changed(("annotations", 0), bbox=[0, 0, -1, 2])),
        ("no x, y, width, height", changed(("annotations", 0), bbox=[0, 0, 2])),
        ("not of numbers", changed(("annotations", 0), bbox=[0, 0, float("nan"), 2])),
        ("not of numbers", changed(("annotations", 0), bbox=[0, 0, 10**400, 2])),
        ("area .* is negative", changed(("annotations", 0), area=-1)),
        ("iscrowd .* is 0 or 1", changed(("annotations", 0), iscrowd=[])),
        ("polygons, or size and counts", changed(("annotations", 0), segmentation="x")),
        ("at most 134217728", changed(("images", 0), height=10**6, width=10**6)),
        ("no place below the folder", changed(("images", 0), file_name="../../secret")),
        ("no place below the folder", changed(("images", 0), file_name="/etc/passwd")),
        ("no place below the folder", changed(("images", 0), file_name="..\\secret")),
        ("no text", changed(("images", 0), file_name=3)),
    ],
)
def test_what_is_no_file_of_instances_is_refused_by_name(tmp_path, message, data):
    path = written(tmp_path, data)
    with pytest.raises(ExperimentError, match=message) as found:
        coco.read_instances(path, tmp_path)
    assert str(found.value).count("instances_val2017.json") == 1
    assert str(found.value).isprintable()


def test_a_mask_that_makes_no_sense_is_refused_when_it_is_asked_for(tmp_path):
    wrong = changed(("annotations", 1), segmentation={"size": [30, 40], "counts": [1, 2]})
    found = coco.read_instances(written(tmp_path, wrong), tmp_path)
    assert len(found.objects(0)) == 2
    with pytest.raises(
        ExperimentError, match=r"object 2 of picture 139 .* must be positive and fill"
    ):
        found.objects(0, masks=True)
    for bytes_ in (b"[" * 100_000, b"\xff\xfe", b"", b"1" * 10_000):
        path = tmp_path / "damaged.json"
        path.write_bytes(bytes_)
        with pytest.raises(ExperimentError, match=r"damaged\.json"):
            coco.read_instances(path, tmp_path)


def test_paths_are_taken_as_text_and_what_is_none_is_refused(tmp_path):
    path = written(tmp_path)
    found = coco.read_instances(str(path), str(tmp_path))
    results = str(tmp_path / "results.json")
    write_results(results, [Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))] * 2, found)
    assert [len(one) for one in coco.read_results(results, found)] == [0] * len(found)
    for read in (
        lambda: coco.read_instances(3, tmp_path),
        lambda: coco.read_results(None, found),
        lambda: write_results(b"x", (), dataclasses.replace(found, pictures=())),
    ):
        with pytest.raises(ExperimentError, match="is no file: a path is, as text or as a Path"):
            read()
    with pytest.raises(ExperimentError, match="is no folder"):
        coco.read_instances(path, 3)


def test_a_folder_without_files_of_instances_is_refused_by_name(tmp_path):
    for read in (coco.read, coco.read_lvis):
        with pytest.raises(ExperimentError, match=r"mine has no part there: none of .*_val.*json"):
            read(str(tmp_path), "mine", "2017")
