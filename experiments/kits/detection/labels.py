"""Labels of padded arrays: those below 0 are no objects, and others are classes, which outside of compiled
programs is seen to; inside, a gather clamps what is beyond the last class.
"""

import dataclasses
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from ntkexec.errors import ExperimentError

T = TypeVar("T")


def signed(labels: Any) -> Any:
    """The labels, if -1 is one of their type.

    Raises:
        ExperimentError: it is not: padding would have become a class.
    """
    kind = labels.dtype if hasattr(labels, "dtype") else np.asarray(labels).dtype
    if kind.kind == "u":
        raise ExperimentError(
            f"labels are of a type that holds -1, which is padding, got {kind}: cast them before they "
            "are padded"
        )
    return labels


def check_classes(labels: Any, number: int, present: Any) -> None:
    """Refuses labels of no class; of what is being compiled, no value is known, and none refused.

    Args:
        labels: of any shape.
        number: of classes.
        present: which labels are of objects.

    Raises:
        ExperimentError: names the label.
    """
    if isinstance(labels, jax.core.Tracer) or isinstance(present, jax.core.Tracer):
        return
    known = np.asarray(labels)[np.asarray(present, bool)]
    wrong = known[(known < 0) | (known >= number)]
    if wrong.size:
        raise ExperimentError(
            f"label {wrong[0]} is none of the {number} classes that are told apart, 0 to {number - 1}"
        )


def usable(truths: T, classes: int) -> T:
    """Truths with a row or more, whose labels are classes.

    Args:
        truths: of a picture or of several, see `assigners.Truths`.
        classes: number of them.

    Raises:
        ExperimentError: as `check_classes`.
    """
    given: Any = truths
    check_classes(given.labels, classes, given.present)
    *batch, rows = jnp.shape(given.labels)
    if rows:
        return truths
    found: T = dataclasses.replace(
        given,
        boxes=jnp.zeros((*batch, 1, 4), jnp.float32),
        labels=jnp.zeros((*batch, 1), jnp.int32),
        present=jnp.zeros((*batch, 1), bool),
    )
    return found
