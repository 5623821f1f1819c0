"""A bound of one's own on the number of networks, beside all others in every table and figure."""

import dataclasses
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ntkexec.complexity import tables
from ntkexec.complexity.studies import Study
from ntkexec.errors import CertificateError, shown

QUANTITIES: dict[str, tuple[str, Callable[[Study], Any]]] = {
    "n0": (
        "training pairs of the largest learning problem, padding included",
        lambda s: s.num_inputs,
    ),
    "m": ("the largest number of matches that occurs", lambda s: s.max_matches),
    "w": ("the most templates that write one bit", lambda s: s.max_writers),
    "degree": ("D, or None where the program has none", lambda s: s.sizes.get("degree")),
    "word": (
        "l, bits of a word, or None likewise",
        lambda s: s.sizes.get("word", s.sizes.get("message_bits")),
    ),
    "steps": ("T, steps of the longest execution", lambda s: s.num_steps),
    "graphs": ("how many graphs", lambda s: s.num_graphs),
    "nodes": ("nodes of all graphs together", lambda s: s.num_nodes),
    "states": ("distinct match sets that occur", lambda s: s.num_states),
    "decisions": ("bits that are decided in all executions", lambda s: s.num_decisions),
    "delta": ("probability of any error that is allowed", lambda s: s.delta),
    "noise_ratio": ("largest sigma^2 / mu^2 of a decision", lambda s: s.noise_ratio),
    "margin": ("smallest distance of a mean to its threshold", lambda s: s.smallest_margin),
    "weight_std": ("standard deviation of the weights", lambda s: s.weight_std),
    "width": ("hidden units, or None at infinite width", lambda s: s.width),
    "kind": ("'joint' or 'factored'", lambda s: s.kind),
    "draw": ("how networks are drawn", lambda s: s.draw),
    "threshold": ("the convention of the thresholds", lambda s: s.threshold),
}
"""What a bound is given, by name: in words, and taken from a study."""


@dataclasses.dataclass(frozen=True)
class OwnBound:
    """A function that says how many networks are enough.

    It is called with those of `QUANTITIES` that it has parameters for, by name, and gives a positive
    number; None, or infinity, where it says nothing. An example: `def mine(n0, m, decisions, delta)`.

    Args:
        name: for legends and columns.
        function: the bound.

    Raises:
        CertificateError: no function, or one with a parameter that is none of `QUANTITIES`; or a name
            under which tables hold something else.
    """

    name: str
    # Any: a stranger's function.
    function: Callable[..., Any]

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise CertificateError(
                f"the bound {self.name} is no function, but {shown(self.function)}"
            )
        if tables.is_column(self.name):
            raise CertificateError(
                f"a bound of one's own cannot be called {shown(self.name)}: tables have another column of "
                "this name"
            )
        self.takes  # noqa: B018 - a parameter that nobody knows is refused at once

    @property
    def takes(self) -> tuple[str, ...]:
        """The names of what it is called with."""
        found = []
        for name, parameter in inspect.signature(self.function).parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                return tuple(QUANTITIES)
            if name in QUANTITIES and parameter.kind is not parameter.POSITIONAL_ONLY:
                found.append(name)
            elif (
                parameter.default is parameter.empty
                and parameter.kind is not parameter.VAR_POSITIONAL
            ):
                raise CertificateError(
                    f"the bound {self.name} asks for {name!r}; a bound is given {', '.join(QUANTITIES)}"
                )
        return tuple(found)

    def of(self, study: Study) -> float | None:
        """The bound for a study; None where it says nothing.

        Raises:
            CertificateError: it gives something else than a positive number.
        """
        value = self.function(**{name: QUANTITIES[name][1](study) for name in self.takes})
        if value is None:
            return None
        try:
            # A comparison is no number of networks, nor is text.
            number = math.nan if isinstance(value, bool | np.bool_ | str) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not number > 0:
            raise CertificateError(
                f"the bound {self.name} gives {shown(value)} at n0 = {study.num_inputs}; a positive number "
                "of networks is needed, or None"
            )
        return number if math.isfinite(number) else None


def with_own_bounds(study: Study, bounds: Sequence[OwnBound]) -> Study:
    """The study, and what these bounds say of it."""
    if not bounds:
        return study
    return dataclasses.replace(
        study, own_bounds={**study.own_bounds, **{one.name: one.of(study) for one in bounds}}
    )
