"""Training and testing GraphSAGE on batches whose features some policy reads."""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.data.formats.arrays import described
from experiments.kits.initialisation import initial_by_numpy
from experiments.systems.diskgnn.pipeline import Trained, train_pipelined
from experiments.systems.diskgnn.reading import Packed
from experiments.systems.diskgnn.rivals import Policy
from experiments.systems.diskgnn.sage import (
    BlockSAGE,
    Prepared,
    Sizes,
    TrainState,
    advance,
    fresh,
    num_right,
    prepare,
    without_device,
)
from experiments.systems.diskgnn.sampling import SamplePlan
from ntkexec.errors import ExperimentError


class Arm:
    """A network, what batches are padded to, and the classes of all nodes.

    Args:
        model, sizes: of the program.
        labels: of all nodes.
        width: of the features.
        learning_rate: of Adam.
        device_rows: of a device's cache, in front of what batches read; 0 without one.

    Raises:
        ExperimentError: a label is no class of the network, nor -1, which stands for an unknown one.
    """

    def __init__(
        self,
        model: BlockSAGE,
        sizes: Sizes,
        labels: np.ndarray,
        *,
        width: int,
        learning_rate: float,
        device_rows: int = 0,
    ) -> None:
        given = np.asarray(labels)
        if given.ndim != 1 or not given.size or given.dtype.kind not in "iu":
            raise ExperimentError(f"labels must be a list of whole numbers, got {described(given)}")
        if given.min() < -1 or given.max() >= model.classes:
            wrong = given.min() if given.min() < -1 else given.max()
            raise ExperimentError(
                f"a label is {wrong}; classes are 0 to {model.classes - 1}, and -1 is an unknown one"
            )
        self.model, self.sizes, self.labels, self.width = model, sizes, given, width
        self.learning_rate = learning_rate
        # One row at least, so that with and without a cache are one program's business.
        self.device_rows = max(1, device_rows)

    def first(self, generator: np.random.Generator) -> TrainState:
        """A state before the first step, of variables drawn by NumPy."""
        batch = self._blank()
        variables = initial_by_numpy(self.model, generator, batch, sizes=self.sizes)
        key = jax.random.key(int(generator.integers(2**32)))
        return fresh(variables, key, self.learning_rate)

    def trained(
        self, state: TrainState, policy: Policy, order: Iterable[int], *, ahead: int = 0
    ) -> Trained[TrainState]:
        """The state after the batches of a policy, in this order.

        Raises:
            ExperimentError: the batches are of another graph, or larger than the padded ones; or rows are
                of another width.
        """
        self._check(policy.plan)
        cache = self._cache(policy)
        rate = jnp.float32(self.learning_rate)
        height = self.sizes.nodes[-1]

        def step(state: TrainState, batch: Prepared) -> tuple[TrainState, Any]:
            return advance(state, batch, cache, rate, model=self.model, sizes=self.sizes)

        def read(number: int) -> tuple[int, np.ndarray]:
            if isinstance(policy, Packed):
                return number, policy.features(number, height=height, device=False)
            return number, policy.features(number, height=height)

        def onto_device(item: tuple[int, np.ndarray]) -> Prepared:
            # A copy, as to any device: JAX lets go of what it was given when it comes to it, and the
            # memory that is counted must be free once the batch is off.
            number, x = item[0], np.array(item[1])
            if x.shape[1] != self.width:
                raise ExperimentError(f"rows have {x.shape[1]} numbers, the network {self.width}")
            where = policy.locate(number)["device"] if isinstance(policy, Packed) else None
            batch = policy.plan.batches[number]
            return prepare(batch, x, self.labels, self.sizes, where, self.device_rows)

        return train_pipelined(step, state, order, (read, onto_device), ahead=ahead)

    def accuracy(self, state: TrainState, policy: Policy) -> float:
        """The share of a plan's targets that get their own class."""
        cache, right, number = without_device(self.width), 0, 0
        for i, batch in enumerate(policy.plan.batches):
            x = policy.features(i, height=self.sizes.nodes[-1])
            ready = prepare(batch, x, self.labels, self.sizes, None, self.device_rows)
            right += int(num_right(state.params, ready, cache, model=self.model, sizes=self.sizes))
            number += batch.sizes[0]
        return right / number

    def _check(self, plan: SamplePlan) -> None:
        if plan.num_nodes != len(self.labels):
            raise ExperimentError(
                f"batches of a graph of {plan.num_nodes} nodes do not fit {len(self.labels)} labels"
            )
        for batch in plan.batches:
            edges = tuple(len(ends) for ends in batch.senders)
            layers = len(edges) == len(self.sizes.edges)
            if not layers or any(
                np.array(batch.sizes + edges) > self.sizes.nodes + self.sizes.edges
            ):
                raise ExperimentError(
                    f"a batch of {batch.sizes} nodes by hop and {edges} edges by layer is larger "
                    f"than {self.sizes}"
                )

    def _cache(self, policy: Policy) -> Any:
        cached = isinstance(policy, Packed) and len(policy.device)
        return jnp.asarray(np.array(policy.device) if cached else without_device(self.width))  # type: ignore[attr-defined] # a Packed

    def _blank(self) -> Prepared:
        hops, nodes = len(self.sizes.edges), self.sizes.nodes
        ends = tuple(np.zeros(number, np.int32) for number in self.sizes.edges)
        x = np.zeros((nodes[-1], self.width), np.float32)
        none = np.full(self.device_rows, nodes[-1], np.int32)
        assert len(nodes) == hops + 1
        return Prepared(x, ends, ends, np.zeros(nodes[0], np.int32), none, none * 0)


class InMemory:
    """All rows in memory: what a policy would give, without a disk.

    Args:
        features: of all nodes.
        plan: of the batches.
    """

    def __init__(self, features: np.ndarray, plan: SamplePlan) -> None:
        self.x, self.plan = features, plan
        self.entries: dict[str, Any] = {}

    def features(self, number: int, *, height: int | None = None) -> np.ndarray:
        """As `Policy`."""
        nodes = self.plan.batches[number].nodes
        found = np.zeros((len(nodes) if height is None else height, self.x.shape[1]), np.float32)
        found[: len(nodes)] = self.x[nodes]
        return found


def orders(generator: np.random.Generator, number: int, epochs: int) -> list[int]:
    """The batches of all epochs, in a new random order in each."""
    drawn = [generator.permutation(number) for _ in range(epochs)]
    return [int(batch) for batch in np.concatenate(drawn)]
