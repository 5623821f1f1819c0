"""How much of its input a network still holds, layer by layer: an information curve of any Flax model.

    from experiments.vision.yolov9 import information_curve

    found = information_curve(model, variables, images, train=False)
    print(found.table())

A layer's share of the input is what ridge regression reads out of it again on examples that it was not
fitted to; it is a lower bound of what is there, since a reader that is not linear might find more.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from ntkexec.errors import ExperimentError

PENALTIES = np.logspace(-10, 2, 19)
"""Of the ridge, relative to the mean variance of the features; the leave-one-out error picks one."""
COMPONENTS = 32
"""Principal components of the input for which the Gaussian bound is summed."""
BLOCK = 4096
"""Features at a time that are held in float64."""


@dataclasses.dataclass(frozen=True)
class Information:
    """What one layer holds of the input.

    Args:
        path: of the module in the model; empty where features were given.
        numbers: that the layer makes for an example.
        linear: share of the input's variance that ridge regression reads out on examples held out: 1 is
            all, 0 is no better than the mean, less is worse.
        nats: the least mutual information of a Gaussian input with as large shares of its principal
            components: the sum of -log(1 - share) / 2.
        dependence: Hilbert-Schmidt independence criterion of input and features, Gaussian kernels of
            the median distance, over the geometric mean of both with themselves: 0 to 1.
    """

    path: str
    numbers: int
    linear: float
    nats: float
    dependence: float


@dataclasses.dataclass(frozen=True)
class Curve:
    """Layers in the order in which they ran.

    Args:
        layers: those that were asked for.
    """

    layers: tuple[Information, ...]

    def at(self, path: str) -> Information:
        """The layer of this path.

        Raises:
            ExperimentError: names the layers that there are.
        """
        for layer in self.layers:
            if layer.path == path:
                return layer
        known = ", ".join(layer.path for layer in self.layers)
        raise ExperimentError(f"there is no layer {path!r}, but {known}")

    @property
    def largest_rise(self) -> float:
        """By how much the linear share ever rises from a layer to a later one.

        Processing makes no information: what rises was there and was not linear, or layers ran beside each
        other, or the share is uncertain by as much.
        """
        shares = np.array([layer.linear for layer in self.layers])
        return float(np.max(shares - np.minimum.accumulate(shares), initial=0.0))

    def table(self) -> str:
        """The layers as text, one a line."""
        width = max([5, *(len(layer.path) for layer in self.layers)])
        lines = [f"{'layer':{width}}  numbers  linear    nats  dependence"]
        for each in self.layers:
            lines.append(
                f"{each.path:{width}}  {each.numbers:7d}  {each.linear:6.3f}  {each.nats:6.2f}"
                f"  {each.dependence:10.3f}"
            )
        return "\n".join(lines)

    def to_data(self) -> list[dict[str, Any]]:
        """The layers as plain data, for JSON."""
        return [dataclasses.asdict(layer) for layer in self.layers]


def information(inputs: np.ndarray, features: np.ndarray, *, tested: float = 0.4) -> Information:
    """What features hold of the inputs that they were made of.

    Args:
        inputs: (examples, ...), in an order that says nothing: the last ones are held out.
        features: (examples, ...); any number for each example, since only their products are kept.
        tested: share of the examples that are held out.

    Raises:
        ExperimentError: too few examples, other numbers of them, or values that are not finite.
    """
    reader = _Reader(inputs, tested)
    return reader.read("", features)


def information_curve(
    model: nn.Module,
    variables: Mapping[str, Any],
    inputs: Any,
    *,
    layers: Callable[[str], bool] | None = None,
    of: np.ndarray | None = None,
    tested: float = 0.4,
    **arguments: Any,
) -> Curve:
    """What each layer of a Flax model holds of its input.

    The model is run once on all inputs, operation by operation, and of each layer only the products of
    examples are kept. Layers within a `scan` or `jit` of the model are not seen.

    Args:
        model: a linen module, not bound.
        variables: of it.
        inputs: of its call: an array (examples, ...); some hundred examples.
        layers: whether a module of this path, such as `backbone/stage_1`, is looked at; by default those
            that the model holds itself. A module that runs again has `:2` and so on behind its path.
        of: what is asked for instead of the input, (examples, ...): boxes, say, or the label as one-hot
            rows.
        tested: share of the examples, the last ones, that are held out.
        arguments: for the model's call, such as `train=False`.

    Returns:
        Layers in the order in which they ended; a layer that makes several arrays holds all of them.

    Raises:
        ExperimentError: no layer was seen, too few examples, or features that are not finite.
    """
    wanted = np.asarray(inputs if of is None else of)
    reader = _Reader(wanted, tested)
    looked_at = layers or (lambda path: "/" not in path)
    found: list[Information] = []
    times: dict[str, int] = {}

    def look(following: Any, inner: Any, more: Any, context: Any) -> Any:
        made = following(*inner, **more)
        path = "/".join(context.module.path)
        if context.method_name != "__call__" or not path or not looked_at(path):
            return made
        arrays = [each for each in jax.tree.leaves(made) if hasattr(each, "dtype")]
        if not arrays or any(isinstance(each, jax.core.Tracer) for each in arrays):
            return made
        times[path] = times.get(path, 0) + 1
        name = path if times[path] == 1 else f"{path}:{times[path]}"
        rows = [np.asarray(each) for each in arrays if np.shape(each)[:1] == (len(wanted),)]
        if rows:
            found.append(reader.read(name, *rows))
        return made

    others = [name for name in variables if name != "params"]
    with nn.intercept_methods(look):
        model.apply(variables, inputs, mutable=others if others else False, **arguments)
    if not found:
        raise ExperimentError(
            f"{type(model).__name__} ran no layer that was asked for: layers takes a path such as "
            f"{'/'.join(next(iter(_paths(variables)), ('conv',)))!r}"
        )
    return Curve(tuple(found))


def _paths(variables: Mapping[str, Any]) -> list[tuple[str, ...]]:
    flat, _ = jax.tree_util.tree_flatten_with_path(variables.get("params", {}))
    return [tuple(str(entry.key) for entry in path[:-1]) for path, _ in flat]


class _Reader:
    """Ridge regression of the same inputs on one layer's features after another's."""

    def __init__(self, inputs: np.ndarray, tested: float) -> None:
        rows = np.asarray(inputs, float).reshape(len(inputs), -1)
        self.held = round(tested * len(rows)) if 0 < tested < 1 else 0
        if self.held < 2 or len(rows) - self.held < 10:
            raise ExperimentError(
                f"of {len(rows)} examples {tested:g} are to be held out: two at least, and ten to fit"
            )
        _check_finite("the inputs", rows)
        self.fitted = len(rows) - self.held
        self.targets = rows - rows[: self.fitted].mean(0)
        if not np.any(self.targets[: self.fitted]):
            raise ExperimentError("the inputs are all alike: there is nothing to read out")
        _, _, turned = np.linalg.svd(self.targets[: self.fitted], full_matrices=False)
        self.turned = turned[:COMPONENTS].T
        self.kernel = _gaussian(rows @ rows.T)

    def read(self, path: str, *features: np.ndarray) -> Information:
        products, numbers = self._products(path, features)
        held = self.targets[self.fitted :]
        missed = held - self._guess(products)
        linear = 1 - (missed**2).sum() / (held**2).sum()
        parts = ((each @ self.turned) ** 2 for each in (missed, held))
        left, whole = (np.sum(part, 0) for part in parts)
        shares = np.clip(left / np.maximum(whole, 1e-300), np.finfo(float).eps, 1)
        return Information(
            path,
            numbers,
            float(linear),
            float(-np.log(shares).sum() / 2),
            _dependence(self.kernel, _gaussian(products)),
        )

    def _products(self, path: str, features: tuple[np.ndarray, ...]) -> tuple[np.ndarray, int]:
        number, total = self.fitted + self.held, 0
        products = np.zeros((number, number))
        for each in features:
            if len(each) != number:  # of the features that a caller gave
                raise ExperimentError(f"{len(each)} rows of features for {number} examples")
            rows = each.reshape(number, -1)
            total += rows.shape[1]
            for start in range(0, rows.shape[1], BLOCK):
                block = rows[:, start : start + BLOCK].astype(float)
                _check_finite(path or "the features", block)
                block -= block[: self.fitted].mean(0)
                products += block @ block.T
        return products, total

    def _guess(self, products: np.ndarray) -> np.ndarray:
        """The targets of the examples held out, by the penalty that leaves one out best."""
        fitted, held = slice(self.fitted), slice(self.fitted, None)
        values, vectors = np.linalg.eigh(products[fitted, fitted])
        values = np.maximum(values, 0)
        scale = values.mean()
        if not scale > 0:  # nothing varies: the mean
            return np.zeros_like(self.targets[held])
        turned, squares = vectors.T @ self.targets[fitted], vectors**2

        def missed(penalty: float) -> float:
            kept = values / (values + penalty * scale)
            left = np.maximum(1 - squares @ kept - 1 / self.fitted, 1e-12)
            errors = self.targets[fitted] - vectors @ (kept[:, None] * turned)
            return float(((errors / left[:, None]) ** 2).sum())

        penalty = min(PENALTIES, key=missed) * scale
        weights = (products[held, fitted] @ vectors) / (values + penalty)
        return np.asarray(weights @ turned)


def _gaussian(products: np.ndarray) -> np.ndarray:
    """The Gaussian kernel of the median distance, of rows with these products, centred."""
    norms = np.diag(products)
    distances = np.maximum(norms[:, None] + norms[None] - 2 * products, 0)
    median = np.median(distances[np.triu_indices_from(distances, 1)])
    kernel = np.exp(-distances / median) if median > 0 else np.ones_like(distances)
    kernel -= kernel.mean(0)
    return np.asarray(kernel - kernel.mean(1, keepdims=True))


def _dependence(one: np.ndarray, other: np.ndarray) -> float:
    scale = np.sqrt((one**2).sum() * (other**2).sum())
    return float((one * other).sum() / scale) if scale > 0 else 0.0


def _check_finite(what: str, values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise ExperimentError(f"{what} have values that are not finite")
