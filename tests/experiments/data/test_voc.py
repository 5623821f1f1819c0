"""VOC's XML: files in its public structure and our own, painted outlines, DIOR's folders, hostile ones."""

from xml.dom import minidom

import numpy as np
import pytest

from experiments.data import load
from experiments.data.annotated import Picture
from experiments.data.formats import voc
from experiments.data.objects import Detections, Objects
from experiments.kits.detection.precision import average_precision
from ntkexec.errors import ExperimentError

# The structure of VOC 2012's files: parts have boxes of their own, and some ends are no whole numbers.
PUBLIC = """<annotation>
    <folder>VOC2012</folder>
    <filename>2007_000027.jpg</filename>
    <source><database>The VOC2007 Database</database></source>
    <size><width>48</width><height>50</height><depth>3</depth></size>
    <segmented>1</segmented>
    <object>
        <name>person</name>
        <pose>Unspecified</pose>
        <truncated>0</truncated>
        <difficult>0</difficult>
        <bndbox><xmax>34</xmax><xmin>17</xmin><ymax>35.5</ymax><ymin>10</ymin></bndbox>
        <part><name>head</name>
            <bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></part>
    </object>
    <object>
        <name>dog</name>
        <difficult>1</difficult>
        <bndbox><xmin>1</xmin><ymin>1</ymin><xmax>48</xmax><ymax>50</ymax></bndbox>
    </object>
</annotation>
"""


def public(folder, *, painted=False):
    root = folder / "voc-2012" / "VOCdevkit" / "VOC2012"
    for one in ("Annotations", "ImageSets/Main", "JPEGImages", "SegmentationObject"):
        (root / one).mkdir(parents=True)
    (root / "Annotations" / "2007_000027.xml").write_text(PUBLIC)
    (root / "ImageSets" / "Main" / "train.txt").write_text("2007_000027\n")
    (root / "ImageSets" / "Main" / "val.txt").write_text("2007_000027  1\n\n")
    if painted:
        from PIL import Image

        numbers = np.zeros((50, 48), np.uint8)
        numbers[12:30, 20:30], numbers[30:40, 2:9], numbers[11] = 1, 2, 255
        image = Image.frombytes("P", (48, 50), numbers.tobytes())
        image.putpalette([channel for one in range(256) for channel in (one, 7, 255 - one)])
        image.save(root / "SegmentationObject" / "2007_000027.png")
        return root, numbers
    return root, None


def test_the_public_structure_is_read_from_its_folders(tmp_path):
    root, numbers = public(tmp_path, painted=True)
    found = load("voc-2012", tmp_path)
    assert [*found.readers] == ["train", "val"]
    part = found.part("val")
    assert len(part) == 1
    everything = part.objects(0, masks=True)
    assert everything.boxes.tolist() == [[16, 9, 34, 35.5], [0, 0, 48, 50]]
    assert [part.classes[one] for one in everything.labels] == ["person", "dog"]
    np.testing.assert_array_equal(everything.masks, [numbers == 1, numbers == 2])
    assert part.objects(0, difficult=False).labels.tolist() == [14]
    assert part.difficult(0).tolist() == [False, True]
    assert part.pictures[0].file == "JPEGImages/2007_000027.jpg"
    from PIL import Image

    drawn = np.full((50, 48, 3), 9, np.uint8)
    Image.fromarray(drawn).save(root / "JPEGImages" / "2007_000027.jpg", quality=100)
    assert np.abs(part.pixels(0).astype(int) - 9).max() <= 2


def test_dior_has_other_folders_and_capitals(tmp_path):
    root = tmp_path / "dior"
    boxes = root / "Annotations" / "Horizontal Bounding Boxes"
    for one in (boxes, root / "Main", root / "JPEGImages-test"):
        one.mkdir(parents=True)
    text = PUBLIC.replace("person", "Expressway-toll-station").replace("dog", "GolfField")
    (boxes / "11726.xml").write_text(text.replace("2007_000027", "11726"))
    (root / "Main" / "test.txt").write_text("11726")
    (root / "JPEGImages-test" / "11726.jpg").write_bytes(b"")
    found = load("dior", tmp_path).part("test")
    assert found.pictures[0].file == "JPEGImages-test/11726.jpg"
    assert found.objects(0).labels.tolist() == [8, 9]
    assert not found.pictures[0].regions[0].difficult


def test_what_we_write_another_reader_finds_and_ours_reads_back(tmp_path):
    objects = Objects(np.array([[0, 0, 5, 7], [2.5, 1, 8, 9]]), np.array([1, 0]))
    picture, path = Picture("a & <b>.png", 9, 11, "one"), tmp_path / "one.xml"
    voc.write_annotation(path, picture, objects, ("cat", "dog & co"), difficult=(False, True))
    tree = minidom.parse(str(path))

    def values(name):
        return [node.firstChild.data for node in tree.getElementsByTagName(name)]

    assert values("xmin") == ["1", "3.5"]
    assert values("ymax") == ["7", "9"]
    assert values("filename") == ["a & <b>.png"]
    assert values("name") == ["dog & co", "cat"]
    again = voc.read_annotation(path, ("cat", "dog & co"))
    assert (again.file, again.height, again.width) == ("a & <b>.png", 9, 11)
    assert [one.box for one in again.regions] == [tuple(box) for box in objects.boxes.tolist()]
    assert [one.difficult for one in again.regions] == [False, True]
    for message, words in {
        "labels are from 0 to 0": {"classes": ("cat",)},
        "2 objects and 1 marks": {"difficult": (True,)},
        "XML cannot hold": {"classes": ("\x00", "b")},
    }.items():
        with pytest.raises(ExperimentError, match=message):
            voc.write_annotation(
                path, picture, objects, **{"classes": ("a", "b"), "difficult": ()} | words
            )


def test_a_folder_of_own_classes_is_read_by_their_names(tmp_path):
    root, _ = public(tmp_path)
    path = root / "Annotations" / "2007_000027.xml"
    path.write_text(PUBLIC.replace("person", "wug").replace("dog", "Dax"))
    found = voc.read(str(root), "mine", classes=["dax", "wug"]).part("train")
    assert found.classes == ("dax", "wug")
    assert found.objects(0).labels.tolist() == [1, 0]
    with pytest.raises(ExperimentError, match="no known class: 'wug'"):
        voc.read(root, "mine").part("train")
    for wrong, said in (
        ("wug", "names one after another, got 'wug'"),
        ((1, 2), "names one after another"),
        (("a", "A"), "the same name, but for capitals"),
    ):
        with pytest.raises(ExperimentError, match=said):
            voc.read(root, "mine", classes=wrong)
        with pytest.raises(ExperimentError, match=said):
            voc.read_annotation(path, wrong)


def test_what_is_not_there_is_refused_by_name(tmp_path):
    for read, lists in ((voc.read, "ImageSets/Main/train.txt"), (voc.read_dior, "x/train.txt")):
        with pytest.raises(ExperimentError, match=f"mine has no part there: none of .*{lists}"):
            read(tmp_path / "nix", "mine", "x")
    root, _ = public(tmp_path)
    (root / "ImageSets" / "Main" / "train.txt").write_text("\n")
    empty, one = (voc.read(root, "mine").part(part) for part in ("train", "val"))
    for part, index, said in (
        (empty, 0, "mine train has no picture 0: it has 0"),
        (one, 1, "mine val has no picture 1: it has 1, counted from 0"),
        (one, -1, "mine val has no picture -1"),
    ):
        for read in (part.objects, part.pixels):
            with pytest.raises(ExperimentError, match=said):
                read(index)


def test_outlines_in_colours_are_refused_and_make_no_other_masks(tmp_path):
    root, numbers = public(tmp_path, painted=True)
    from PIL import Image

    path = root / "SegmentationObject" / "2007_000027.png"
    Image.open(path).convert("RGB").save(path)
    found = load("voc-2012", tmp_path).part("val")
    with pytest.raises(ExperimentError, match="kind RGB, not numbers of 8 bits"):
        found.objects(0, masks=True)
    Image.fromarray(numbers[1:]).save(path)
    with pytest.raises(ExperimentError, match="has 49 x 48 pixels, the picture 50 x 48"):
        found.objects(0, masks=True)


def test_of_a_file_that_is_too_large_no_more_is_read(tmp_path, monkeypatch):
    path = tmp_path / "one.xml"
    with path.open("wb") as opened:
        opened.truncate(2**40)  # a hole, which takes no place
    with pytest.raises(ExperimentError, match=r"one\.xml has more than 16777216 bytes"):
        voc.read_annotation(path, voc.CLASSES)


def test_what_it_costs_to_count_or_leave_out_what_is_hard_to_see(tmp_path):
    public(tmp_path)
    part = load("voc-2012", tmp_path).part("train")
    easy, hard = [[16, 9, 34, 35.5]], [[0, 0, 48, 50]]

    def half(boxes, scores, difficult):
        found = Detections(boxes, scores, [14] * len(boxes))
        there = part.objects(0, difficult=difficult)
        alike = Objects(there.boxes, [14] * len(there))
        return average_precision([found], [alike]).ap50

    # VOC says 1 to all of these.
    assert half(hard + easy, [0.9, 0.8], True) == pytest.approx(1)
    assert half(easy, [0.8], False) == pytest.approx(1)
    assert half(easy, [0.8], True) == pytest.approx(51 / 101)
    assert half(hard + easy, [0.9, 0.8], False) == pytest.approx(0.5)


BOMB = """<!DOCTYPE annotation [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<annotation><filename>&b;</filename></annotation>"""


@pytest.mark.parametrize(
    "message, text",
    [
        ("declares a type of document", BOMB),
        (
            "declares a type of document",
            '<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation>&x;</annotation>',
        ),
        ("is no XML", ""),
        ("is no XML", "<annotation>"),
        ("is no XML", "\x00\x01"),
        ("is no XML", '<?xml version="1.0" encoding="no-such"?><annotation/>'),
        ("nested deeper than 64", "<annotation>" * 100_000),
        ("no annotation, but 'html'", "<html/>"),
        ("has no size/height", "<annotation/>"),
        ("no number of pixels: 'many'", PUBLIC.replace("<width>48", "<width>many")),
        ("no number of pixels: 'inf'", PUBLIC.replace("<xmin>17", "<xmin>inf")),
        ("no whole number: 4.5", PUBLIC.replace("<width>48", "<width>4.5")),
        ("at most 134217728", PUBLIC.replace("<width>48", "<width>4000000")),
        (
            "no known class: 'unicorn'; known are aeroplane, .*tvmonitor; give others as `classes`",
            PUBLIC.replace("dog", "unicorn"),
        ),
        ("no number of pixels: '1_0'", PUBLIC.replace("<xmin>17", "<xmin>1_0")),
        ("no number of pixels: '١٢'", PUBLIC.replace("<xmin>17", "<xmin>١٢")),
        ("difficult of object 2 .* is 0 or 1, got 'true'", PUBLIC.replace("ult>1", "ult>true")),
        ("has no name", PUBLIC.replace("dog", "")),
        ("ends before it begins", PUBLIC.replace("<xmax>34", "<xmax>3")),
        ("has no bndbox/ymin", PUBLIC.replace("<ymin>10</ymin>", "")),
        ("no place below the folder", PUBLIC.replace("2007_000027.jpg", "../../x.jpg")),
    ],
)
def test_what_is_no_annotation_is_refused_by_name(tmp_path, message, text):
    path = tmp_path / "one.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ExperimentError, match=message) as found:
        voc.read_annotation(path, voc.CLASSES)
    assert "one.xml" in str(found.value)
    assert str(found.value).isprintable()


def test_a_list_leads_nowhere_else(tmp_path):
    root, _ = public(tmp_path)
    (root / "ImageSets" / "Main" / "val.txt").write_text("../../../secret")
    with pytest.raises(ExperimentError, match="no picture's name"):
        load("voc-2012", tmp_path).part("val")
    with pytest.raises(ExperimentError, match="has no mask"):
        load("voc-2012", tmp_path).part("train").objects(0, masks=True)
