"""What a walk through a model found: layers, totals, a table."""

import dataclasses
from typing import Any

from experiments.kits.convnets.operations import Convolution, Product, Shape, WrittenSum
from ntkexec.errors import ExperimentError

MULTIPLYING = ("convolution", "product", "sum")
KINDS = (*MULTIPLYING, "pool", "other")


@dataclasses.dataclass(frozen=True)
class Layer:
    """One operation that costs something, or a module that only holds parameters.

    Args:
        path: of the module whose parameters it multiplies with, as keys of their tree; without any, of
            the module it runs in, without the model's own name. An einsum's formula is its last part.
        kind: `convolution`, `product` (dense layers, einsums, attention), `sum` (products added up by
            hand), `pool`, or `other` (parameters alone: normalisation, embeddings).
        inputs: shapes of the operands that depend on the model's inputs; of a sum, of the arrays that its
            factors are slices of, each once.
        outputs: shapes of the results.
        kernel: shape of the operand that does not (a kernel as Flax stores it); a pool's window.
        groups: of a convolution's features.
        in_features, out_features: channels read and made; of a product the terms of a sum and the
            columns; 0 where that means nothing.
        parameters: of the kernel, and what else its module holds, such as the bias. What is used
            twice counts where it is used first, so that layers add up to the model.
        multiplications: multiply-accumulates, padding included, biases not, as papers count.
        memory_access: elements read and written: inputs, kernel and outputs, biases not.
        times: how often it runs, in scans; already in the two numbers before.
        operation: the operation once, by its shapes; nothing for pools and others.
    """

    path: str
    kind: str
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    kernel: Shape = ()
    groups: int = 1
    in_features: int = 0
    out_features: int = 0
    parameters: int = 0
    multiplications: int = 0
    memory_access: int = 0
    times: int = 1
    operation: Convolution | Product | WrittenSum | None = None

    def to_data(self) -> dict[str, Any]:
        """The layer as plain data, for JSON."""
        names = [field.name for field in dataclasses.fields(self) if field.name != "operation"]
        return {name: getattr(self, name) for name in names}


@dataclasses.dataclass(frozen=True)
class Walk:
    """What a model costs.

    Args:
        layers: in the order in which they run.
        parameters: elements of the collection `params`.
        statistics: elements of the other collections, such as `batch_stats`.
        live_activations: the most elements that depend on the inputs and are alive at once; see
            `liveness.peak_elements`.
    """

    layers: tuple[Layer, ...]
    parameters: int
    statistics: int
    live_activations: int

    @property
    def multiplications(self) -> int:
        """Of all layers, for the inputs as they were given, batch included."""
        return sum(layer.multiplications for layer in self.layers)

    @property
    def memory_access(self) -> int:
        """Of all layers, pools included; papers leave those out: see `memory_access_of`."""
        return self.memory_access_of(*KINDS)

    def memory_access_of(self, *kinds: str) -> int:
        """Of the layers of some kinds, such as `*MULTIPLYING`, as papers count.

        Raises:
            ExperimentError: names the kinds that there are.
        """
        return sum(layer.memory_access for layer in self.of(*kinds))

    def of(self, *kinds: str) -> tuple[Layer, ...]:
        """The layers of some kinds.

        Raises:
            ExperimentError: names the kinds that there are.
        """
        if unknown := set(kinds) - set(KINDS):
            raise ExperimentError(
                f"there are no layers of the kind {min(unknown)!r}, but {', '.join(KINDS)}"
            )
        return tuple(layer for layer in self.layers if layer.kind in kinds)

    def table(self) -> str:
        """The layers as text, one a line, with totals."""
        head = ("layer", "kind", "input", "output", "kernel", "groups", "parameters",
                "multiplications", "memory access")  # fmt: skip
        rows = [_row(layer) for layer in self.layers]
        totals = (self.parameters, self.multiplications, self.memory_access)
        rows.append(("total", *("",) * 5, *(f"{total:,}" for total in totals)))
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = ["  ".join(map(_aligned, row, widths, range(len(row)))) for row in (head, *rows)]
        end = f"live activations {self.live_activations:,}; statistics {self.statistics:,}"
        return "\n".join([*(line.rstrip() for line in lines), end])

    def to_data(self) -> dict[str, Any]:
        """All of it as plain data, for JSON."""
        names = ("parameters", "statistics", "multiplications", "memory_access", "live_activations")
        totals = {name: getattr(self, name) for name in names}
        return {**totals, "layers": [layer.to_data() for layer in self.layers]}


def _row(layer: Layer) -> tuple[str, ...]:
    shapes = (
        " ".join(map(_shape, part)) for part in (layer.inputs, layer.outputs, (layer.kernel,))
    )
    numbers = (layer.parameters, layer.multiplications, layer.memory_access)
    path = layer.path if layer.times == 1 else f"{layer.path} ({layer.times} times)"
    groups = str(layer.groups) if layer.kind == "convolution" else ""
    return (path, layer.kind, *shapes, groups, *(f"{number:,}" for number in numbers))


def _shape(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _aligned(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column < 5 else cell.rjust(width)
