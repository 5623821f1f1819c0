"""Pictures with boxes around things, and mostly their outlines."""

from experiments.data.sets import DataSet, Place

BOXED = "pictures with boxes around things"

COCO = "https://cocodataset.org/#download"
COCO_FILES = ("annotations/instances_val2017.json", "val2017")
VOC = "https://host.robots.ox.ac.uk/pascal/VOC/voc2012"
DIOR_BOXES = "Annotations/Horizontal Bounding Boxes"

ROWS = (
    DataSet(
        "coco-2017",
        BOXED,
        "123,287 photographs with outlines of things of 80 kinds, 5,000 of them to validate with",
        tuple(Place(folder, COCO_FILES, "coco:read", "2017") for folder in ("coco-2017", "coco")),
        COCO,
        "Lin et al., Microsoft COCO: common objects in context, ECCV 2014, arXiv:1405.0312",
    ),
    DataSet(
        "lvis-v1",
        BOXED,
        "COCO's photographs with outlines of things of 1,203 kinds, many of them rare",
        tuple(
            Place(folder, ("lvis_v1_val.json",), "coco:read_lvis", "lvis_v1")
            for folder in ("lvis-v1", "lvis")
        ),
        "https://www.lvisdataset.org/dataset (pictures: " + COCO + ")",
        "Gupta, Dollar and Girshick, CVPR 2019, arXiv:1908.03195",
        caution="not every kind was searched for in a picture: LVIS's own evaluation minds that, COCO's not",
    ),
    DataSet(
        "voc-2012",
        BOXED,
        "11,540 photographs with boxes around things of twenty kinds, 2,913 of them with outlines",
        (
            Place("voc-2012/VOCdevkit/VOC2012", ("Annotations", "ImageSets/Main"), "voc:read"),
            Place("VOCdevkit/VOC2012", ("Annotations", "ImageSets/Main"), "voc:read"),
        ),
        VOC,
        "Everingham et al., International Journal of Computer Vision, 2015",
    ),
    DataSet(
        "dior",
        BOXED,
        "23,463 pictures from above, 800 x 800, with boxes around things of 20 kinds",
        (
            Place("dior", (DIOR_BOXES, "ImageSets/Main"), "voc:read_dior", "ImageSets/Main"),
            Place("dior", (DIOR_BOXES, "Main"), "voc:read_dior", "Main"),
        ),
        "https://gcheng-nwpu.github.io/#Datasets",
        "Li, Wan, Cheng, Meng and Han, ISPRS Journal, 2020, arXiv:1909.00133",
    ),
)
