"""Pictures in which the pixels of a class are marked, for classes that training must not have seen."""

from experiments.data.sets import DataSet, Place

MASKS = "pictures with masks of classes"
PASCAL_5I = (
    "VOC2012/JPEGImages",
    "VOC2012/SegmentationClassAug",
    *(f"splits/pascal/{part}/fold{fold}.txt" for part in ("trn", "val") for fold in range(4)),
)
COCO_20I = (
    *("COCO2014/train2014", "COCO2014/val2014"),
    *("COCO2014/annotations/train2014", "COCO2014/annotations/val2014"),
    *(f"splits/coco/{part}/fold{fold}.pkl" for part in ("trn", "val") for fold in range(4)),
)
HSNET = "https://github.com/juhongm999/hsnet (its README on data; `data/splits` goes beside them as `splits`)"
BEASTS = ("attributes.json", "images", "masks")

ROWS = (
    DataSet(
        "pascal-5i",
        MASKS,
        "11,473 photographs of 20 classes, of which each of four folds holds out five",
        tuple(
            Place(path, PASCAL_5I, "folds:read_pascal") for path in ("pascal-5i", "Datasets_HSN")
        ),
        HSNET,
        "Shaban, Bansal, Liu, Essa and Boots, One-shot learning for semantic segmentation, BMVC 2017",
    ),
    DataSet(
        "coco-20i",
        MASKS,
        "118,998 photographs of 80 classes, of which each of four folds holds out twenty",
        tuple(Place(path, COCO_20I, "folds:read_coco") for path in ("coco-20i", "Datasets_HSN")),
        HSNET,
        "Nguyen and Todorovic, Feature weighting and boosting for few-shot segmentation, ICCV 2019",
    ),
    DataSet(
        "fantastic-beasts",
        MASKS,
        "251 pictures of 20 invented creatures, one in each, with phrases that describe each creature",
        (
            *(Place(path, BEASTS, "beasts:read") for path in ("fantastic-beasts", "AttrSeg")),
            *(
                Place(path, ("data/test-00000-of-00001.parquet",), "beasts:read_parquet")
                for path in ("fantastic-beasts", "Fantastic-Beasts")
            ),
        ),
        "https://github.com/chaofanma/AttrSeg (as files), or "
        "https://huggingface.co/datasets/chaofanma/Fantastic-Beasts (Parquet)",
        "Ma, Yang, Ju, Zhang, Zhang and Wang, AttrSeg, NeurIPS 2023, arXiv:2309.00096",
        caution="for testing alone; Parquet needs pyarrow",
    ),
)
