"""Does a protocol score what a method was shown? `audit(protocol, method)` asks it, for yours as for ours.

A protocol is any function `(method, data, generator) -> Outcome`, and a method any function
`(graph, generator) -> embeddings`. Three questions are put to them, none of which reads their code:

1. *Shown.* What share of the edges that are scored was in a graph that the method was given?
2. *Picked.* When test nodes get other labels, does anything change that should know nothing of them: the
   pick among checkpoints, the split, what the method is given, or the scores of links?
3. *Null.* On graphs whose edges, features and labels know nothing of each other, is a link's AUC 0.5
   and a node's accuracy one over the number of classes? What is above is a leak, whatever its way.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int

from experiments.data.nodes import NodeData, Split
from experiments.graphs.graphfm.methods import METHODS
from experiments.graphs.graphfm.pretraining import Pretraining
from experiments.graphs.graphfm.probes import (
    probe_clusters,
    probe_links,
    probe_nodes,
    split_links,
    split_nodes,
)
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.nodes.fitting import graph_of
from experiments.kits.nodes.generators import null_graph
from ntkexec.check.intervals import student_reach
from ntkexec.errors import ExperimentError

Method = Callable[[GraphsTuple, np.random.Generator], Any]
"""Embeddings (n, h), or of several checkpoints (T, n, h), of a graph; equal generators, equal ones."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a protocol reports of a method on a graph, and what the audit needs to ask about it.

    Args:
        auc: of held-out edges against pairs without one.
        accuracy: of test nodes.
        scored: (p, 2), the edges of `auc`.
        split: of the nodes; drawn without a look at the test nodes' labels.
        picked: which checkpoint. Without it a pick is seen only in `auc`, which changes with the checkpoint
            if links are scored by the one that was picked.
        extras: other numbers, such as `ap`; arrays that a study needs.
    """

    auc: float
    accuracy: float
    scored: Int[np.ndarray, "p 2"]
    split: Split
    picked: int = 0
    extras: dict[str, Any] = dataclasses.field(default_factory=dict)


Evaluation = Callable[[Method, NodeData, np.random.Generator], Outcome]
"""A protocol: of one's own, or a `Protocol`."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Pre-train once, pick one checkpoint by node accuracy, and probe nodes, links and clusters.

    Args:
        shows_all: the method is given all edges, held-out ones too, as in the released code.
        picks_by_test: the checkpoint is that of the best *test* accuracy, as in the released code.
        validation, test: shares of held-out edges.
        clusters: whether nodes are clustered too.
    """

    shows_all: bool = False
    picks_by_test: bool = False
    validation: float = 0.05
    test: float = 0.1
    clusters: bool = False

    def __call__(self, method: Method, data: NodeData, generator: np.random.Generator) -> Outcome:
        links = split_links(data, generator, validation=self.validation, test=self.test)
        split = split_nodes(data.labels, generator)
        shown = data.edges if self.shows_all else links.train[np.lexsort(links.train.T[::-1])]
        graph = graph_of(dataclasses.replace(data, edges=shown, splits=()), rows="norm")
        found = checkpoints_of(method(graph, generator), data.num_nodes)
        nodes = [probe_nodes(z, data.labels, split) for z in found]
        scores = [each.test if self.picks_by_test else each.validation for each in nodes]
        picked = int(np.argmax(scores))
        link = probe_links(found[picked], links)
        extras: dict[str, Any] = {"ap": link.ap, "validation_auc": link.validation}
        extras |= {"validation": nodes[picked].validation, "right": [each.right for each in nodes]}
        if self.clusters:
            extras |= probe_clusters(found[picked], data.labels, generator)._asdict()
        return Outcome(link.auc, nodes[picked].test, links.test, split, picked, extras)


STRICT = Protocol()
"""Held-out edges are shown to nobody, and test labels pick nothing."""
RELEASED = Protocol(shows_all=True, picks_by_test=True)
"""The choices of the public code: encoders see all edges, and checkpoints are picked by test accuracy."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval by Student's t, over draws."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Interval":
        sample = np.asarray(values, float)
        reach = float(student_reach(sample, miss=0.05)) if len(sample) > 1 else float("inf")
        centre = float(sample.mean())
        return cls(centre, centre - reach, centre + reach)

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


MOVABLE = ("the pick", "the split", "the graph", "the scored links", "the links' AUC")
"""What labels of test nodes must not change; a split that is stratified by them reads them too."""


@dataclasses.dataclass(frozen=True)
class Audit:
    """What was asked, and what came.

    Args:
        shown: share of the scored edges that the method was given, the largest of all draws.
        moved: share of draws in which other labels of test nodes changed anything of `MOVABLE`.
        auc: of links on null graphs; 0.5 is honest.
        accuracy: of nodes on null graphs.
        chance: one over the number of classes; `accuracy` is honest there.
        tolerance: how far above chance an interval may begin.
        outcomes: of the protocol on the null graphs, and last on the data, if they were given.
        changed: what of `MOVABLE` other labels of test nodes changed, in any draw.
    """

    shown: float
    moved: float
    auc: Interval
    accuracy: Interval
    chance: float
    tolerance: float
    outcomes: tuple[Outcome, ...]
    changed: tuple[str, ...] = ()

    @property
    def leaks(self) -> tuple[str, ...]:
        """In words, what is wrong; empty if nothing was found."""
        found = []
        if self.shown > 0:
            found.append(f"{self.shown:.0%} of the scored edges were shown to the method")
        if self.moved > 0:
            what = ", ".join(self.changed) or "something"
            found.append(f"test labels moved {what} in {self.moved:.0%} of draws")
        if self.auc.low > 0.5 + self.tolerance:
            found.append(f"links without structure are told with an AUC of {self.auc}")
        if self.accuracy.low > self.chance + self.tolerance:
            found.append(f"random labels are met in {self.accuracy}, {self.chance:.3f} is chance")
        return tuple(found)

    @property
    def clean(self) -> bool:
        return not self.leaks

    def __str__(self) -> str:
        rows = [
            f"scored edges shown   {self.shown:.3f}  (0)",
            f"test labels pick     {self.moved:.3f}  (0)",
            f"AUC on null graphs   {self.auc}  (0.5)",
            f"accuracy on these    {self.accuracy}  ({self.chance:.3f})",
        ]
        return "\n".join([*rows, *(f"LEAK: {leak}" for leak in self.leaks or ())])


def audit(
    protocol: Evaluation,
    method: str | Method,
    *,
    generator: np.random.Generator,
    data: NodeData | None = None,
    draws: int = 4,
    tolerance: float = 0.02,
    runs_on_data: bool = True,
) -> Audit:
    """Whether a protocol's numbers for a method are predictions, or were shown to it beforehand.

    Args:
        protocol: `STRICT`, `RELEASED`, a `Protocol`, or a function of one's own. It runs `2 draws`
            times; the second time the same graph is given, and a method that was already asked is not
            asked again.
        method: one of `METHODS`, or a function of one's own.
        generator: draws null graphs and seeds.
        data: null graphs get its size, features and number of classes, and the protocol runs on it
            too. Without it they have 2,000 nodes of degree 4, 64 features and 4 classes.
        draws: null graphs, at least 2.
        tolerance: of AUC and accuracy, how far above chance an interval may begin.
        runs_on_data: whether the protocol runs on the data themselves, and not only on their nulls.

    Raises:
        ExperimentError: too few draws, or a protocol that scored no edges or showed nothing.
    """
    if draws < 2:
        raise ExperimentError(f"an interval needs at least two null graphs, not {draws}")
    base = data if data is not None else null_graph(generator, nodes=2000, features=64, degree=4)
    if isinstance(method, str):
        method = Pretraining(method, among=tuple(METHODS), room=len(base.edges))
    cases = [null_of(base, generator) for _ in range(draws)]
    if data is not None and runs_on_data:
        cases.append(data)
    outcomes, shown, moved = [], [], []
    changed: set[str] = set()
    for case in cases:
        seed = int(generator.integers(2**32))
        recorder = _Recorder(method)
        first = protocol(recorder, case, np.random.default_rng(seed))
        tested = np.flatnonzero(first.split.test)
        if not len(first.scored) or not len(tested) or not recorder.graphs:
            raise ExperimentError(
                f"the protocol scored {len(first.scored)} edges and {len(tested)} nodes, and gave the "
                f"method {len(recorder.graphs)} graphs; an audit needs some of each"
            )
        shown.append(exposed(first.scored, recorder.graphs))
        labels, asked = case.labels.copy(), recorder.asked
        labels[tested] = generator.integers(case.num_classes, size=len(tested))
        labels[tested[0]] = case.num_classes - 1  # so that the number of classes stays
        again = protocol(
            recorder, dataclasses.replace(case, labels=labels), np.random.default_rng(seed)
        )
        told = _changed(first, again, recorder.asked > asked)
        moved.append(bool(told))
        changed |= told
        outcomes.append(first)
    return Audit(
        shown=max(shown),
        moved=float(np.mean(moved)),
        auc=Interval.of([each.auc for each in outcomes[:draws]]),
        accuracy=Interval.of([each.accuracy for each in outcomes[:draws]]),
        chance=1 / base.num_classes,
        tolerance=tolerance,
        outcomes=tuple(outcomes),
        changed=tuple(name for name in MOVABLE if name in changed),
    )


def null_of(data: NodeData, generator: np.random.Generator) -> NodeData:
    """A set's nodes and features, with as many edges and with classes that are drawn uniformly."""
    n, number = data.num_nodes, len(data.edges)
    if 2 * number > n * (n - 1) // 2:
        raise ExperimentError(f"{n} nodes have too few pairs to draw {number} edges from")
    keys = np.empty(0, np.int64)
    while len(keys) < number:
        ends = np.sort(generator.integers(n, size=(2 * number + 16, 2)), axis=1)
        ends = ends[ends[:, 0] < ends[:, 1]]
        keys = np.unique(np.concatenate([keys, ends[:, 0] * n + ends[:, 1]]))
    chosen = np.sort(generator.choice(keys, number, replace=False))
    labels = generator.integers(data.num_classes, size=n)
    labels[generator.integers(n)] = data.num_classes - 1
    edges = np.stack(np.divmod(chosen, n), 1)
    return NodeData(f"null of {data.name}", data.features, labels, edges)


def exposed(scored: Int[np.ndarray, "p 2"], graphs: Sequence[Int[np.ndarray, "m 2"]]) -> float:
    """The share of scored edges that are in one of the graphs, in either direction."""
    seen = {tuple(pair) for edges in graphs for pair in np.sort(edges, axis=1).tolist()}
    return float(np.mean([tuple(pair) in seen for pair in np.sort(scored, axis=1).tolist()]))


def checkpoints_of(embeddings: Any, number: int) -> Float[np.ndarray, "T n h"]:
    """What a method returned, as checkpoints.

    Raises:
        ExperimentError: it is no (n, h) and no (T, n, h), or not finite.
    """
    found = np.asarray(embeddings)
    found = found[None] if found.ndim == 2 else found
    if found.ndim != 3 or found.shape[1] != number or not np.isfinite(found).all():
        raise ExperimentError(
            f"a method gives finite embeddings (n, h) or (T, n, h) of {number} nodes, and this one gave "
            f"shape {np.shape(embeddings)}"
        )
    return found


def _changed(first: Outcome, again: Outcome, asked: bool) -> set[str]:
    """What of `MOVABLE` differs between two runs, of which the second asked the method more or not."""
    same = (
        first.picked == again.picked,
        all(
            np.array_equal(getattr(first.split, part), getattr(again.split, part))
            for part in ("train", "validation", "test")
        ),
        not asked,
        np.array_equal(first.scored, again.scored),
        np.isclose(first.auc, again.auc, rtol=0, atol=1e-9, equal_nan=True),
    )
    return {name for name, kept in zip(MOVABLE, same, strict=True) if not kept}


class _Recorder:
    """A method that remembers which graphs it was given, and asks the real one once for each."""

    def __init__(self, method: Method) -> None:
        self.method = method
        self.graphs: list[np.ndarray] = []
        self._known: dict[Any, Any] = {}

    @property
    def asked(self) -> int:
        """How many different questions the method was asked."""
        return len(self._known)

    def __call__(self, graph: GraphsTuple, generator: np.random.Generator) -> Any:
        edges = np.stack([np.asarray(graph.senders), np.asarray(graph.receivers)], 1)
        features = [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(graph.nodes)]
        key = edges.tobytes(), *features, repr(generator.bit_generator.state)
        self.graphs.append(edges)
        if key not in self._known:
            found = self.method(graph, generator)
            self._known[key] = found, generator.bit_generator.state
        # What the protocol draws next must be the same whether the method was asked or not.
        found, generator.bit_generator.state = self._known[key]
        return found
