"""Files of COCO and VOC, damaged: each is refused by its name or read as some pictures, never a traceback."""

import json
import os

import pytest
from support.damage import damage_files

from experiments.data import load
from experiments.data.annotated import AnnotatedPictures, Picture
from experiments.data.formats import coco
from experiments.data.formats.run_lengths import packed
from experiments.data.formats.voc import write_annotation
from experiments.data.objects import Objects
from ntkexec.errors import ExperimentError

INSTANCES = {
    "images": [{"id": 1, "file_name": "a.jpg", "height": 9, "width": 12}],
    "categories": [{"id": 3, "name": "cat"}],
    "annotations": [
        {
            "image_id": 1,
            "category_id": 3,
            "bbox": [1, 2, 5, 4],
            "segmentation": [[1, 2, 6, 2, 6, 6]],
        },
        {
            "image_id": 1,
            "category_id": 3,
            "bbox": [0, 0, 12, 9],
            "iscrowd": 1,
            "segmentation": {"size": [9, 12], "counts": packed([40, 20, 48])},
        },
    ],
}
RESULTS = [{"image_id": 1, "category_id": 3, "bbox": [1, 2, 5.5, 4], "score": 0.25}]


def instances(folder):
    path = folder / "coco-2017" / "annotations" / "instances_val2017.json"
    path.parent.mkdir(parents=True)
    (folder / "coco-2017" / "val2017").mkdir()
    path.write_text(json.dumps(INSTANCES))
    (folder / "coco-2017" / "results.json").write_text(json.dumps(RESULTS))
    return "coco-2017"


def boxes(folder):
    root = folder / "voc-2012" / "VOCdevkit" / "VOC2012"
    (root / "ImageSets" / "Main").mkdir(parents=True)
    (root / "ImageSets" / "Main" / "val.txt").write_text("one\n")
    objects = Objects([[0, 0, 5, 4], [2, 1, 9, 9]], [0, 2])
    path = root / "Annotations" / "one.xml"
    write_annotation(path, Picture("one.jpg", 9, 12, "one"), objects, ("bird", "-", "cat"))
    return "voc-2012"


@pytest.fixture(params=(instances, boxes), ids=lambda write: write.__name__)
def written(request, tmp_path):
    return request.param(tmp_path), tmp_path, [p for p in tmp_path.rglob("*") if p.is_file()]


def refused_or_read(name, folder, path):
    """Whether a set was read, and all masks made, although one of its files was damaged."""
    try:
        found = load(name, folder).part("val")
        for one in range(len(found)):
            found.objects(one, masks=name == "coco-2017")
        if name == "coco-2017":
            coco.read_results(folder / name / "results.json", found)
    except ExperimentError as refusal:
        said = str(refusal)
        # What only making a mask shows is told by set and part.
        assert path.stem in said or f"{name} val" in said, (path, said)
        assert said.isprintable()
        assert len(said) < 1500 + 2 * len(str(folder))
        return False
    assert isinstance(found, AnnotatedPictures)
    return True


def test_whole_files_are_read_and_what_is_no_regular_file_is_refused(written):
    name, folder, paths = written
    assert refused_or_read(name, folder, paths[0])
    for path in paths:
        before = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        assert not refused_or_read(name, folder, path)
        path.unlink()
        path.write_bytes(before)


def test_damaged_files_are_refused_by_name_or_are_other_pictures(written):
    damage_files(written, refused_or_read, 0, 60)


@pytest.mark.slow
def test_many_damaged_files_are_refused_by_name_or_are_other_pictures(written):
    damage_files(written, refused_or_read, int(os.environ.get("NTKEXEC_FUZZ_SEED", "1")), 4000)
