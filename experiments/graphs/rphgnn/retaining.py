"""What a squash keeps, as a number, and with it the width and the number of iterations to take."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments.data.typed import TypedGraph
from experiments.graphs.rphgnn.collecting import Walks, inputs_of, iterate
from experiments.graphs.rphgnn.squashing import Parts, Rows, unit_rows
from ntkexec.errors import ExperimentError

INPUTS = ("width", "project_features", "use_all_feat")


@dataclasses.dataclass(frozen=True)
class Retention:
    """What squashes keep, by width, and what follows.

    Args:
        shares: by width, for each squash the share of every type.
        keep: what was asked to be kept.
        width: the least width whose first squash keeps that for every type; the widest if none does.
        iterations: one more than the squashes at that width that keep it together, the worst type's
            shares multiplied; at least 1, at most what was measured.
    """

    shares: Mapping[int, tuple[Mapping[str, float], ...]]
    keep: float
    width: int
    iterations: int

    def worst(self, width: int) -> Float[np.ndarray, " squashes"]:
        """The smallest share of a type, squash by squash."""
        return np.array([min(shares.values()) for shares in self.shares[width]])


def retention(
    graph: TypedGraph,
    iterations: int,
    *,
    generator: np.random.Generator,
    widths: Sequence[int] = (16, 32, 64, 128, 256),
    keep: float = 0.8,
    rows: int = 2000,
    **how: Any,
) -> Retention:
    """Measures what is lost before anything is trained, and chooses K and the width by it.

    After each squash and for each type that hears something: how much of the variance of all that was
    heard, side by side, a linear map gives back of what it was squashed to; see `retained`. No label
    is read. A type of fewer nodes than columns loses nothing.

    Args:
        graph: any.
        iterations: most that may be chosen, at least 1.
        generator: two draws.
        widths: of squashes, to choose from.
        keep: share to be kept, above 0 and at most 1.
        rows: of each type at most so many are drawn for the regression, at least four to a column.
        how: `width`, `project_features`, `use_all_feat` for `inputs_of`, which all widths begin with;
            `squash`, `scheme`, `squash_self` for `iterate`.

    Raises:
        ExperimentError: for what makes no sense.
    """
    if iterations < 1 or not widths or min(widths) < 1 or not 0 < keep <= 1 or rows < 1:
        raise ExperimentError(
            f"cannot measure {iterations} iterations at the widths {tuple(widths)} to keep {keep}"
        )
    seed = int(generator.integers(2**32))
    features = {name: how.pop(name) for name in INPUTS if name in how}
    inputs = inputs_of(graph, generator=generator, **({"width": 64} | features))
    walks, shares = Walks(graph), {}
    for width in sorted(set(widths)):
        draws = np.random.default_rng([seed, width])
        steps = iterate(graph, walks, inputs, generator=draws, squash_width=width, **how)
        shares[width] = tuple(
            {
                kind: _measured(after.inputs[kind], parts, draws, max(rows, 4 * width))
                for kind, parts in before.heard.items()
                if parts
            }
            for before, after in itertools.pairwise(itertools.islice(steps, max(iterations, 2)))
        )
    found = Retention(shares, keep, max(shares), iterations)
    fitting = [width for width in shares if found.worst(width)[0] >= keep]
    width = min(fitting, default=found.width)
    together = np.cumprod(found.worst(width))
    kept = int((together >= keep).sum())
    return dataclasses.replace(found, width=width, iterations=min(1 + kept, iterations))


def _measured(squashed: Rows, parts: Parts, draws: np.random.Generator, rows: int) -> float:
    if len(squashed) > rows:
        chosen = np.sort(draws.choice(len(squashed), rows, replace=False))
        squashed, parts = squashed[chosen], {name: part[chosen] for name, part in parts.items()}
    return retained(squashed, parts)


def retained(squashed: Rows, parts: Parts) -> float:
    """Share of the parts' variance that a linear map gives back of what they were squashed to.

    Each part with rows of length 1, as the squash sees directions alone: the sum of its squared
    canonical correlations with `squashed`, each direction weighed by its variance (Stewart and Love's
    redundancy index). 1 where nothing varies.

    Args:
        squashed: (n, w).
        parts: by name, (n, d).
    """
    heard = np.concatenate([unit_rows(np.asarray(part, np.float64)) for part in parts.values()], 1)
    heard = heard - heard.mean(0)
    total = float(np.square(heard).sum())
    if total <= 1e-20 * heard.size:
        return 1.0
    x = np.asarray(squashed, np.float64)
    x = x - x.mean(0)
    left, sizes, _ = np.linalg.svd(x, full_matrices=False)
    basis = left[:, sizes > 1e-6 * max(sizes.max(initial=0.0), 1e-300)]
    return float(np.square(basis.T @ heard).sum() / total)
