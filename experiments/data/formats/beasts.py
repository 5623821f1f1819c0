"""Fantastic Beasts: 251 pictures of 20 invented creatures, each with a mask, and phrases by creature."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.data.formats.arrays import MOST_BYTES
from experiments.data.masked import DescribedSet, MaskedPicture
from experiments.files.sources import check_regular, content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError, MissingExtraError

PARQUET = "data/test-00000-of-00001.parquet"
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
COLUMNS = ("image", "mask", "category", "attributes")


def read(folder: Path, name: str, key: str = "") -> DescribedSet:
    """The set as its repository has it.

    Args:
        folder: holds `attributes.json`, lists of phrases by creature, and `images/CREATURE/*` with
            `masks/CREATURE/*` of the same names, in which what is above 0 is the creature.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file or folder that does not fit.

    Source: Ma et al., AttrSeg, NeurIPS 2023; github.com/chaofanma/AttrSeg.
    """
    path = folder / "attributes.json"
    try:
        table = json.loads(content(path))
    except (ValueError, RecursionError) as error:
        raise ExperimentError(f"{shown(path)} is no JSON: {shown(error)}") from None
    if not isinstance(table, dict):
        raise ExperimentError(
            f"{shown(path)} holds no phrases by creature, but {quoted(table, 60)}"
        )
    attributes = _checked(table, shown(path))
    found = []
    for label, creature in enumerate(attributes):
        masks = {each.stem: each for each in _pictures(folder / "masks" / creature)}
        for image in _pictures(folder / "images" / creature):
            if image.stem not in masks:
                raise ExperimentError(f"{shown(image)} has no mask of its name")
            found.append(MaskedPicture(image.stem, image, masks[image.stem], label))
    return DescribedSet(name, attributes, tuple(found))


def read_parquet(folder: Path, name: str, key: str = "") -> DescribedSet:
    """The set as one Parquet file, whose pictures are kept as they are until they are read.

    Args:
        folder: holds `data/test-00000-of-00001.parquet` with `image` and `mask` (what would be in their
            files), `category` and its `attributes`.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file and what in it does not fit.
        MissingExtraError: without pyarrow, which nothing else here needs.
    """
    path = folder / PARQUET
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError(
            f"{name}: Parquet files need pyarrow: pip install pyarrow; or take the same pictures from the "
            "repository, in which they are files"
        ) from error
    check_regular(path)
    where = shown(path)
    try:
        with parquet.ParquetFile(path) as opened:
            groups = [opened.metadata.row_group(at) for at in range(opened.metadata.num_row_groups)]
            if sum(group.total_byte_size for group in groups) > MOST_BYTES:
                raise ValueError(f"it would take more than {MOST_BYTES} bytes")
            if lacking := [name for name in COLUMNS if name not in opened.schema_arrow.names]:
                raise ValueError(f"it has no column {lacking[0]}")
            rows: list[dict[str, Any]] = opened.read(columns=list(COLUMNS)).to_pylist()
    except MemoryError:
        raise
    except Exception as error:
        # Damage is met with errors of several kinds.
        raise ExperimentError(f"cannot read {where}: {shown(error)}") from error
    attributes = _checked({row["category"]: row["attributes"] for row in rows}, where)
    labels = {creature: label for label, creature in enumerate(sorted(attributes))}
    found = []
    for number, row in enumerate(rows):
        if list(attributes[row["category"]]) != row["attributes"]:
            raise ExperimentError(
                f"row {number} of {where} has other attributes of {quoted(row['category'])} than the last"
            )
        image, mask = (
            _bytes(row[column], f"{column} {number} of {where}") for column in COLUMNS[:2]
        )
        label = labels[row["category"]]
        found.append(MaskedPicture(f"{row['category']}_{number}", image, mask, label))
    return DescribedSet(name, {each: attributes[each] for each in labels}, tuple(found))


def _checked(table: Mapping[Any, Any], where: str) -> dict[str, tuple[str, ...]]:
    found = {}
    for creature, phrases in table.items():
        plain = isinstance(creature, str) and creature.isidentifier()
        listed = isinstance(phrases, list) and phrases and all(isinstance(p, str) for p in phrases)
        if not plain or not listed:
            raise ExperimentError(
                f"{where} has no name and list of phrases, but {quoted(creature, 60)} and "
                f"{quoted(phrases, 60)}"
            )
        found[creature] = tuple(phrases)
    if not found:
        raise ExperimentError(f"{where} holds no creatures")
    return found


def _pictures(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ExperimentError(f"cannot read {shown(folder)}: {error.strerror}") from error
    found = [each for each in entries if each.suffix.lower() in PICTURES and each.name[0] != "."]
    if not found:
        raise ExperimentError(f"{shown(folder)} holds no picture ({', '.join(PICTURES)})")
    return found


def _bytes(value: Any, where: str) -> bytes:
    """What a picture is stored as: a struct of bytes and a path."""
    found = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(found, bytes):
        raise ExperimentError(f"{where} holds no picture, but {quoted(value, 60)}")
    return found
