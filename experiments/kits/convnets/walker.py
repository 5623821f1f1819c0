"""What a Flax model costs, layer by layer, counted from its trace: nothing is computed.

Parameters, multiplications, memory access and live activations of *any* Flax linen model, or of any
function of variables and inputs: convolutions, products, einsums, attention, pools and sums that are
written out, within calls, rematerialised blocks and scans. `shapes` are enough:

    import flax.linen as nn
    import jax
    from experiments.kits.convnets.walker import walk

    model = nn.Sequential([nn.Conv(8, (3, 3), strides=2), nn.relu, nn.Conv(16, (3, 3))])
    found = walk(model, jax.ShapeDtypeStruct((1, 32, 32, 3), "float32"))
    print(found.table())
    print(found.multiplications, [layer.memory_access for layer in found.layers])

`kits.convnets.xla.multiplications_by_xla` counts what was found by XLA's own account.

What a walk can miss or overstate: a written sum is told only where its products are added up directly, in
one type, so neither with a mask, a reshape or a conversion between, nor within a loop of unknown length; of
elementwise terms such as a gate's it cannot tell every one from a sum; what a scan's body computes for
nobody counts, and so do products of parameters alone. Convolutions, products and einsums are all found.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import flax.linen as nn
import jax

from experiments.kits.convnets.handwritten import sources, written_sums
from experiments.kits.convnets.liveness import peak_elements
from experiments.kits.convnets.operations import (
    Convolution,
    Operation,
    Product,
    Value,
    WrittenSum,
    multiplying,
)
from experiments.kits.convnets.paths import modules_of, path_of
from experiments.kits.convnets.tracing import BEGIN, Trace, traced
from experiments.kits.convnets.walks import Layer, Walk
from ntkexec.errors import ExperimentError


def walk(
    model: nn.Module,
    *inputs: Any,
    streams: tuple[str, ...] = ("params", "dropout"),
    **arguments: Any,
) -> Walk:
    """What a Flax model costs on inputs of given shapes; neither is computed with.

    Args:
        model: a linen module, not bound.
        inputs: of its call: pytrees of arrays or of `jax.ShapeDtypeStruct`. Papers' figures are for
            one picture: shape (1, height, width, channels).
        streams: of randomness that the model asks for.
        arguments: for its call, such as `train=False`; they are not traced.

    Raises:
        ExperimentError: for something else than a Flax module (see `walk_function`), for a bare shape
            instead of an array of it, and for products that cannot be counted, in a loop of unknown
            length, say.
    """
    if not isinstance(model, nn.Module):
        raise ExperimentError(
            f"walk takes a module of flax.linen, not {type(model).__name__}; for a function of "
            "variables and inputs there is walk_function"
        )

    _check_inputs(inputs)

    def keys() -> dict[str, jax.Array]:
        return {name: jax.random.key(0) for name in streams}

    variables = jax.eval_shape(lambda *given: model.init(keys(), *given, **arguments), *inputs)
    others = [name for name in variables if name != "params"]

    def apply(variables: Any, *inputs: Any) -> Any:
        found = model.apply(
            variables, *inputs, rngs=keys(), mutable=others if others else False, **arguments
        )
        return found[0] if others else found

    return walk_function(apply, variables, *inputs, name=type(model).__name__)


def walk_function(
    function: Callable[..., Any], variables: Any, *inputs: Any, name: str = ""
) -> Walk:
    """What a function of variables and inputs costs; see `walk`.

    Args:
        function: pure; `function(variables, *inputs)`.
        variables: a mapping of collections, as Flax keeps them: of arrays or `jax.ShapeDtypeStruct`.
        inputs: the same, without the collections.
        name: left out where paths begin with it: of the model.

    Raises:
        ExperimentError: for inputs and products as in `walk`.
    """
    _check_inputs(inputs)
    trace = traced(function, variables, *inputs)
    rows = sorted(_rows(trace, name), key=lambda row: row[0])
    parameters = {
        leaf.removeprefix("params/"): size
        for leaf, size in trace.sizes.items()
        if leaf.startswith("params/")
    }
    return Walk(
        _with_parameters(rows, parameters, trace),
        sum(parameters.values()),
        sum(trace.sizes.values()) - sum(parameters.values()),
        peak_elements(trace),
    )


def _check_inputs(inputs: tuple[Any, ...]) -> None:
    expected = 'an array or jax.ShapeDtypeStruct((1, 32, 32, 3), "float32")'
    for number, given in enumerate(inputs, 1):
        if isinstance(given, tuple | list) and given and all(type(n) is int for n in given):
            raise ExperimentError(
                f"input {number} is the shape {tuple(given)}; what is expected is an array or "
                f'jax.ShapeDtypeStruct({tuple(given)}, "float32")'
            )
        for leaf in jax.tree.leaves(given):
            if not (isinstance(leaf, int | float | complex) or hasattr(leaf, "dtype")):
                raise ExperimentError(
                    f"input {number} has a {type(leaf).__name__}; what is expected is {expected}, or "
                    "a pytree of such; other arguments are given by name"
                )


# Where in the trace, the layer without its parameters, the parameters that it reads.
_Row = tuple[int, Layer, frozenset[str]]


def _rows(trace: Trace, name: str) -> list[_Row]:
    sums = {result: (found, terms) for result, found, terms in written_sums(trace)}
    modules = modules_of(_parameter_names(trace.sizes))
    rows: list[_Row] = []
    for index, operation in enumerate(trace.operations):
        once, scope = multiplying(operation), operation.path
        if once is not None:
            layer = _multiplied(operation, once)
            reads = operation.reads[:2]
        elif operation in sums:
            layer, reads = _written(trace, operation, *sums[operation])
            # Additions after the last term may be another module's.
            scope = sums[operation][1][-1].path
        elif operation.name.startswith("reduce_window") and operation.makes[0].active:
            layer, reads = _pooled(operation), operation.reads
        else:
            continue
        leaves = _parameter_names(frozenset().union(*(value.leaves for value in reads)))
        path = path_of(scope, name, leaves, modules)
        rows.append((index, dataclasses.replace(layer, path=path), leaves))
    return rows


def _parameter_names(leaves: Iterable[str]) -> frozenset[str]:
    return frozenset(leaf.removeprefix("params/") for leaf in leaves if leaf.startswith("params/"))


def _multiplied(operation: Operation, once: Convolution | Product) -> Layer:
    fixed = [value for value in operation.reads[:2] if not value.active]
    if isinstance(once, Convolution):
        kind, features = "convolution", (once.in_features, once.out_features)
    else:
        from_left = bool(fixed) and operation.reads[0] in fixed
        kind, features = "product", (once.summed, once.free[0 if from_left else 1])
    accessed = sum(value.size for value in (*operation.reads[:2], operation.makes[0]))
    return Layer(
        "",
        kind,
        tuple(value.shape for value in operation.reads[:2] if value.active),
        (operation.makes[0].shape,),
        fixed[-1].shape if fixed else (),
        once.groups if isinstance(once, Convolution) else 1,
        *features,
        multiplications=once.multiplications * operation.times,
        memory_access=accessed * operation.times,
        times=operation.times,
        operation=once,
    )


def _written(
    trace: Trace, operation: Operation, found: WrittenSum, terms: tuple[Operation, ...]
) -> tuple[Layer, tuple[Value, ...]]:
    cut_from = sources(trace, terms)
    accessed = sum(size for _, size in cut_from) + operation.makes[0].size
    layer = Layer(
        "",
        "sum",
        tuple(value.shape for value, _ in cut_from if value.active),
        (operation.makes[0].shape,),
        multiplications=found.multiplications * operation.times,
        memory_access=accessed * operation.times,
        times=operation.times,
        operation=found,
    )
    return layer, tuple(value for term in terms for value in term.reads)


def _pooled(operation: Operation) -> Layer:
    read, made = operation.reads[0], operation.makes[0]
    return Layer(
        "",
        "pool",
        (read.shape,),
        (made.shape,),
        tuple(operation.settings["window_dimensions"]),
        memory_access=(read.size + made.size) * operation.times,
        times=operation.times,
    )


def _with_parameters(
    rows: list[_Row], parameters: Mapping[str, int], trace: Trace
) -> tuple[Layer, ...]:
    """Layers with their parameters, and those that no layer reads in rows of their own."""
    owner: dict[str, int] = {}
    for number, (_, _, leaves) in enumerate(rows):
        for leaf in leaves & parameters.keys():
            owner.setdefault(leaf, number)
    modules = {_module(leaf): number for leaf, number in reversed(list(owner.items()))}
    for leaf in parameters:
        if leaf not in owner and _module(leaf) in modules:
            owner[leaf] = modules[_module(leaf)]
    sums = [0] * len(rows)
    for leaf, number in owner.items():
        sums[number] += parameters[leaf]
    placed = [
        (index, dataclasses.replace(layer, parameters=total))
        for (index, layer, _), total in zip(rows, sums, strict=True)
    ]
    first = _first_reads(trace)
    alone: dict[str, list[str]] = {}
    for leaf in parameters.keys() - owner.keys():
        alone.setdefault(_module(leaf), []).append(leaf)
    for module, held in sorted(alone.items()):
        index = min(first.get(f"params/{leaf}", len(trace.operations)) for leaf in held)
        total = sum(parameters[leaf] for leaf in held)
        placed.append((index, Layer(module, "other", (), (), parameters=total)))
    return tuple(layer for _, layer in sorted(placed, key=lambda each: each[0]))


def _first_reads(trace: Trace) -> dict[str, int]:
    """Where each variable first meets what depends on the inputs."""
    found: dict[str, int] = {}
    for index, operation in enumerate(trace.operations):
        if operation.name != BEGIN and any(value.active for value in operation.makes):
            for leaf in frozenset().union(*(value.leaves for value in operation.reads)):
                found.setdefault(leaf, index)
    return found


def _module(leaf: str) -> str:
    return leaf.rpartition("/")[0]
