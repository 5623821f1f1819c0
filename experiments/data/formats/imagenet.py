"""ImageNet as it is unpacked: a folder of photographs for each class, below `train` and `val`."""

from pathlib import Path

from experiments.data.folders import PictureFolder, picture_folders


def read(folder: Path, name: str, key: str = "") -> tuple[PictureFolder, PictureFolder]:
    """Photographs to train on and to test with; pixels are read when a batch is asked for.

    Args:
        folder: holds `train` and `val`.
        name: of the set, which is not needed here.
        key: is not needed here either.

    Raises:
        ExperimentError: there is no such folder, no class in it, a class without pictures, or one that
            only one of the two has.

    Source: Russakovsky et al., ImageNet large scale visual recognition challenge, 2015.
    """
    return picture_folders(folder / "train", folder / "val")
