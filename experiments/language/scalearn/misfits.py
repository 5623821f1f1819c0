"""What cannot be learned from: JAX would wrap a label, take the nearest token and broadcast factors."""

from typing import Any

import jax
import numpy as np

from experiments.language.scalearn.bank import Arrays
from experiments.language.scalearn.scaling import ScaLearn
from ntkexec.errors import ExperimentError


def refuse_other_labels(inputs: Any, labels: Any, classes: int) -> None:
    """Nothing, if these are labels of texts, one each.

    Raises:
        ExperimentError: names a label that is no whole number from 0 to below the classes; or there are
            not as many as texts.
    """
    given = np.asarray(labels)
    if given.ndim != 1 or (given.size and not np.issubdtype(given.dtype, np.integer)):
        raise ExperimentError(
            f"labels are whole numbers along one axis, not {given.dtype} of shape {given.shape}"
        )
    wrong = given[(given < 0) | (given >= classes)]
    if wrong.size:
        raise ExperimentError(
            f"labels of {classes} classes are numbers from 0 to {classes - 1}, and {wrong[0]} is not"
        )
    refuse_other_rows(inputs, len(given), "labels")


def refuse_other_rows(inputs: Any, number: int, what: str) -> None:
    """Nothing, if every leaf of inputs has so many rows.

    Raises:
        ExperimentError: one has not.
    """
    for leaf in jax.tree.leaves(inputs):
        if np.shape(leaf)[:1] != (number,):
            raise ExperimentError(
                f"inputs of shape {np.shape(leaf)} are not of {number} texts, as the {what} are"
            )


def refuse_other_targets(name: str, examples: Any, classes: Any) -> None:
    """Nothing, if examples are texts with chances of classes that a head has.

    Args:
        name: of the part, to be told.
        examples: `transfer.Examples`.
        classes: which of the head's there are.

    Raises:
        ExperimentError: there is no text, or not a row of chances for each; names a chance that is none,
            or a class that the head has not.
    """
    mask, targets = np.asarray(classes), np.asarray(examples.targets)
    if targets.ndim != 2 or targets.shape[1] != len(mask) or not len(targets):
        raise ExperimentError(
            f"{name} targets of shape {targets.shape} are not chances of a head's {len(mask)} classes "
            "for one text at least"
        )
    refuse_other_rows(examples.inputs, len(targets), f"{name} targets")
    wrong = targets[~(np.isfinite(targets) & (targets >= 0))]
    if wrong.size:
        raise ExperimentError(f"{name} targets are chances, and {wrong[0]} is none")
    absent = np.flatnonzero((targets > 0).any(0) & ~mask)
    if absent.size:
        raise ExperimentError(
            f"{name} targets are of class {absent[0]}, and the head has {np.flatnonzero(mask).tolist()}"
        )
    if not targets.any():
        raise ExperimentError(f"{name} targets give no class a chance")


def refuse_other_head(head: Any, width: int) -> None:
    """Nothing, if a head reads states of this width.

    Raises:
        ExperimentError: its arrays do not fit them or each other.
    """
    number = np.shape(head.classes)[0] if np.ndim(head.classes) else 0
    found = tuple(np.shape(part) for part in head)
    if found != ((width, number), (number,), (number,)):
        raise ExperimentError(
            f"a head of {number} classes for states of width {width} has no arrays of shapes "
            f"{', '.join(map(str, found))}"
        )


def refuse_other_mixing(mixing: Any, bank: Arrays, scaling: ScaLearn | None) -> None:
    """Nothing, if this combines the bank's sources as the variant does, or as AdapterFusion does.

    Raises:
        ExperimentError: factors of another variant or size; names AdapterFusion's array that does not fit.
    """
    blocks, sources, width = np.shape(bank["down"])[:3]
    if scaling is not None:
        found, wanted = np.shape(mixing), scaling.sides(blocks, sources, width)
        if isinstance(mixing, dict) or found != wanted:
            raise ExperimentError(
                f"{scaling.variant} of {blocks} blocks, {sources} sources and width {width} has factors "
                f"of shape {wanted}, not {'a dict' if isinstance(mixing, dict) else found}"
            )
        return
    square, row = (blocks, width, width), (blocks, width)
    sides = {"query": square, "key": square, "value": square, "query_bias": row, "key_bias": row}
    given = mixing if isinstance(mixing, dict) else {}
    for name in {**sides, **given}:
        found = np.shape(given[name]) if name in given else None
        if name not in sides or found != sides[name]:
            raise ExperimentError(
                f"AdapterFusion of {blocks} blocks of width {width} has {name} of shape "
                f"{sides.get(name)}, not {found}"
            )
