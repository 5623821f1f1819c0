"""Sizes of groups for every layer of any Flax network, by the energy model; useful alone."""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import flax.linen as nn
import numpy as np
from scipy import optimize, sparse

from experiments.kits.convnets import operations
from experiments.kits.convnets.walker import walk
from experiments.kits.convnets.walks import Layer
from experiments.vision.e2gc.energy_model import Convolution, balanced_group_size, energy
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class PlannedLayer:
    """A layer and what is proposed for it.

    Args:
        path: of its module.
        before: the layer as the network has it.
        after: as it is proposed.
        balanced: the size of groups at which computing and moving take equal energy; of a kernel that is used
            several times, the geometric mean over its uses.
        times: how often it runs, in scans.
    """

    path: str
    before: Convolution
    after: Convolution
    balanced: float
    times: int = 1


@dataclasses.dataclass(frozen=True)
class GroupPlan:
    """Groups for the spatial convolutions of a network, and what the model says of it.

    Args:
        layers: for which sizes of groups were planned.
        rho: energy of moving an element over that of a multiply-accumulate.
        batch: pictures for which weights are read once.
        other_multiplications, other_moved: of all other layers, for a picture.
    """

    layers: tuple[PlannedLayer, ...]
    rho: float
    batch: int
    other_multiplications: int
    other_moved: int

    @property
    def group_sizes(self) -> dict[str, int]:
        """What is proposed, by path: the layer's input channels over this are its groups.

        Where a module holds several kernels of its own, `layers` tells them apart.
        """
        return {layer.path: layer.after.group_size for layer in self.layers}

    def multiplications(self, *, planned: bool = True) -> int:
        """Of the whole network, as planned or as it was."""
        own = sum(one.multiplications * times for one, times in self._layers(planned))
        return own + self.other_multiplications

    def energy(self, rho: float | None = None, *, planned: bool = True) -> float:
        """Of the whole network for a picture, in multiply-accumulates.

        Args:
            rho: another than it was planned for, to see how much hangs on it.
            planned: whether as planned or as it was.
        """
        rho = self.rho if rho is None else rho
        own = sum(energy(one, rho, batch=self.batch) * n for one, n in self._layers(planned))
        return own + self.other_multiplications + rho * self.other_moved

    def saving(self, rho: float | None = None) -> float:
        """Share of the network's energy that the plan saves; below 0 if it costs more.

        Raises:
            ExperimentError: rho is not positive.
        """
        if rho is not None and not (rho > 0 and math.isfinite(rho)):
            raise ExperimentError(f"energy needs a rho above 0, got {rho!r}")
        return 1 - self.energy(rho) / self.energy(rho, planned=False)

    def table(self) -> str:
        """The plan as text, a layer a line, and what it changes for rho half and twice as large."""
        head = ("layer", "channels", "features", "positions", "G now", "balanced", "G planned")
        rows = [
            (
                layer.path,
                str(layer.before.channels),
                str(layer.before.features),
                str(layer.before.outputs),
                str(layer.before.group_size),
                f"{layer.balanced:.1f}",
                str(layer.after.group_size),
            )
            for layer in self.layers
        ]
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, *rows)]
        change = self.multiplications() / self.multiplications(planned=False)
        lines.append(f"multiplications of the whole network: {100 * (change - 1):+.1f} %")
        for rho in (self.rho / 2, self.rho, 2 * self.rho):
            kept = 1 - self.saving(rho)
            lines.append(
                f"its energy at rho {rho:g}: {100 * (kept - 1):+.1f} %, "
                f"a multiplication {100 * (kept / change - 1):+.1f} %"
            )
        return "\n".join(lines)

    def _layers(self, planned: bool) -> Iterable[tuple[Convolution, int]]:
        return ((one.after if planned else one.before, one.times) for one in self.layers)


def plan_groups(
    model: nn.Module,
    *inputs: Any,
    rho: float = 32.0,
    batch: int = 1,
    multiplications: int | None = None,
    least_channels: int = 8,
    **arguments: Any,
) -> GroupPlan:
    """Sizes of groups for the spatial convolutions of any Flax network; nothing is computed.

    Each of these layers gets the feasible size nearest, by ratio, to the one at which computing and moving
    take equal energy. With a budget all those targets are scaled by one factor, the largest that keeps it,
    so that what the budget allows is shared out as the balance says.

    Args:
        model: not bound, as for `walk`.
        inputs: of its call, for one picture: arrays or `jax.ShapeDtypeStruct`.
        rho: what moving an element costs, over what a multiply-accumulate does.
        batch: pictures for which weights are read once.
        multiplications: most that the whole network may take; without it there is no limit.
        least_channels: layers that read fewer, such as the first, stay as they are.
        arguments: of the model's call.

    Raises:
        ExperimentError: there is no such layer, rho is not positive, or no plan keeps the budget.
    """
    if not (rho > 0 and math.isfinite(rho)) or batch < 1:
        raise ExperimentError(f"energy needs a rho above 0 and a batch, got {rho!r} and {batch!r}")
    found = walk(model, *inputs, **arguments)
    chosen, other, other_moved = [], 0, 0
    for layer in found.layers:
        shape = _shape_of(layer)
        if shape is not None and shape.window > 1 and shape.channels >= least_channels:
            chosen.append((layer, shape))
        elif layer.multiplications:
            other += layer.multiplications
            other_moved += layer.memory_access
    if not chosen:
        raise ExperimentError(
            f"{type(model).__name__} has no convolution with a window above 1 and {least_channels} channels"
        )
    balanced = _shared(chosen, [balanced_group_size(one, rho, batch=batch) for _, one in chosen])
    shapes = [shape for _, shape in chosen]
    times = [layer.times for layer, _ in chosen]
    limit = math.inf if multiplications is None else multiplications - other
    sizes = _within(shapes, balanced, times, limit)
    planned = tuple(
        PlannedLayer(layer.path, shape, shape.grouped(size), target, layer.times)
        for (layer, shape), size, target in zip(chosen, sizes, balanced, strict=True)
    )
    return GroupPlan(planned, rho, batch, other, other_moved)


def _shape_of(layer: Layer) -> Convolution | None:
    """A layer of a walk by its shape; nothing if it is no convolution of one picture."""
    made = layer.operation
    if not isinstance(made, operations.Convolution) or made.batch_groups != 1:
        return None
    if max(made.image_dilation) > 1:  # transposed: the closed form is another
        return None
    image, _, out = made.numbers
    if made.image[image[0]] != 1:
        raise ExperimentError(
            f"{layer.path} reads {made.image[image[0]]} pictures; plan for one, of shape (1, height, width, "
            "channels)"
        )
    return Convolution(
        math.prod(made.image[axis] for axis in image[2:]),
        math.prod(made.out[axis] for axis in out[2:]),
        math.prod(made.kernel[axis] for axis in made.numbers[1][2:]),
        made.in_features,
        made.out_features,
        made.groups,
    )


def _shared(chosen: Sequence[tuple[Layer, Convolution]], balanced: Sequence[float]) -> list[float]:
    """One target for all uses of one kernel: the geometric mean of theirs."""
    uses: dict[tuple[str, int, int, int], list[float]] = {}
    keys = [(layer.path, one.window, one.channels, one.features) for layer, one in chosen]
    for key, target in zip(keys, balanced, strict=True):
        uses.setdefault(key, []).append(target)
    return [math.exp(sum(map(math.log, uses[key])) / len(uses[key])) for key in keys]


def _within(
    shapes: Sequence[Convolution], targets: Sequence[float], times: Sequence[int], limit: float
) -> list[int]:
    """Feasible sizes nearest to the targets times the largest factor, at most 1, that keeps the limit."""

    def sizes(factor: float) -> list[int]:
        return [
            _nearest(shape.feasible, target * factor)
            for shape, target in zip(shapes, targets, strict=True)
        ]

    # Between these factors no layer's size changes; just below each, one is smaller.
    steps = {1.0}
    for shape, target in zip(shapes, targets, strict=True):
        if math.isfinite(target):
            between = (math.sqrt(a * b) / target for a, b in itertools.pairwise(shape.feasible))
            steps |= {step * (1 - 1e-12) for step in between if step <= 1}
    least = 0
    for factor in sorted(steps, reverse=True):
        found = sizes(factor)
        least = sum(
            shape.grouped(size).multiplications * n
            for shape, size, n in zip(shapes, found, times, strict=True)
        )
        if least <= limit:
            return found
    raise ExperimentError(
        f"the grouped layers take {least:,} multiplications at least, and the budget leaves {limit:,.0f}"
    )


def _nearest(feasible: Sequence[int], target: float) -> int:
    if math.isinf(target):
        return feasible[-1]
    return min(feasible, key=lambda size: abs(math.log(size / target)))


def cheapest_group_sizes(
    layers: Sequence[Convolution], rho: float, *, least_multiplications: int, batch: int = 1
) -> tuple[int, ...]:
    """Sizes of groups of the least energy among all that multiply at least so often: exactly.

    Args:
        layers: whose groups are free; each takes any feasible size.
        rho, batch: as in `energy`.
        least_multiplications: of all of them together.

    Raises:
        ExperimentError: there are no layers, or even dense ones multiply less.
    """
    if not layers or least_multiplications < 1:
        raise ExperimentError(
            f"{len(layers)} layers cannot multiply {least_multiplications} times at least"
        )
    options = [
        (place, shape.grouped(size))
        for place, shape in enumerate(layers)
        for size in shape.feasible
    ]
    places = np.array([place for place, _ in options])
    # In numbers of about 1, so that the solver's tolerances mean something.
    counts = np.array([one.multiplications for _, one in options]) / least_multiplications
    costs = np.array([energy(one, rho, batch=batch) for _, one in options]) / least_multiplications
    one_each = sparse.csr_array((np.ones(len(options)), (places, np.arange(len(options)))))
    solved = optimize.milp(
        costs,
        constraints=[
            optimize.LinearConstraint(one_each, 1, 1),
            optimize.LinearConstraint(counts[None], 1 - 1e-9, np.inf),
        ],
        integrality=np.ones(len(options)),
        bounds=optimize.Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    if solved.x is None:
        raise ExperimentError(
            f"these layers cannot multiply {least_multiplications:,} times: {solved.message}"
        )
    return tuple(options[i][1].group_size for i in np.flatnonzero(solved.x > 0.5))
