"""What runs on eight devices: all three schemes against the training without a schedule, bytes counted.

The functions at the end are called in child processes, since devices of a CPU must be asked for before
JAX starts.
"""

import dataclasses
import time
from collections.abc import Iterable
from typing import Any

import jax
import networkx as nx
import numpy as np
import optax
from jax.experimental import multihost_utils

from experiments.kits.graph.convert import from_networkx
from experiments.kits.graph.operators import normalised
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.mesh.collectives import Collective, collectives_of
from experiments.kits.nodes.fitting import graph_of
from experiments.kits.nodes.generators import contextual_sbm
from experiments.systems.gnnpipe.chunked import Learned, chunked_step, fresh_edges
from experiments.systems.gnnpipe.layouts import Layout, cut, lay_out
from experiments.systems.gnnpipe.networks import GCNII, Network, Residual
from experiments.systems.gnnpipe.parallel import graph_parallel_step
from experiments.systems.gnnpipe.pipeline import by_stage, pipeline_step, problem_of, whole
from experiments.systems.gnnpipe.planning import moved_bytes

FEATURES, CLASSES = 16, 4
GRID_WIDTH = 6
ITEM = 8  # bytes of a double


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A graph whose vertices have labels, and a network with parameters and a history of last epoch."""

    graph: GraphsTuple
    labels: np.ndarray
    train: np.ndarray
    network: Network
    parameters: Any
    history: np.ndarray

    def reference(self, fresh: np.ndarray, parameters: Any = None) -> Learned:
        """One epoch without a schedule."""
        share = self.train / self.train.sum()
        parameters = self.parameters if parameters is None else parameters
        given = (parameters, self.history, self.graph, fresh, self.labels, share)
        return jax.device_get(_reference(self.network, *given))

    def exact(self, parameters: Any = None) -> Learned:
        """One epoch on the full graph."""
        return self.reference(np.ones(len(self.graph.senders), bool), parameters)


_reference = jax.jit(chunked_step, static_argnums=0)
_adam = optax.adam(0.01)


@jax.jit
def _stepped(parameters: Any, state: Any, gradients: Any) -> tuple[Any, Any]:
    updates, state = _adam.update(gradients, state, parameters)
    return optax.apply_updates(parameters, updates), state


def case(
    generator: np.random.Generator,
    nodes: int,
    layers: int,
    width: int,
    *,
    skips: bool,
    graphs: np.random.Generator | None = None,
) -> Case:
    """A drawn graph, random parameters, and a history that is nothing like what they make.

    Args:
        generator: draws all of it, but the graph where `graphs` draws that.
        nodes, layers, width: sizes.
        skips: whether layers read what the encoder made, and so stages send it along.
        graphs: the same one draws graphs of the same shapes, which share programs.
    """
    drawing = graphs or generator
    data = contextual_sbm(drawing, nodes=nodes, features=FEATURES, train=5, validation=20)
    graph = normalised(graph_of(data))
    graph = graph._replace(nodes=np.asarray(graph.nodes, np.float64))
    network = Network(FEATURES, width, CLASSES, layers, GCNII() if skips else Residual())
    parameters = network.initial(generator, np.float64)
    history = generator.normal(size=(layers, nodes, width))
    return Case(graph, data.labels, data.splits[0].train, network, parameters, history)


def on_grid(one: Case) -> Case:
    """The same on a long grid, whose vertices are numbered along it."""
    nodes = len(one.labels)
    grid = normalised(from_networkx(nx.grid_2d_graph(nodes // GRID_WIDTH, GRID_WIDTH)))
    return dataclasses.replace(one, graph=grid._replace(nodes=one.graph.nodes))


def without_crossing(one: Case, chunk: np.ndarray) -> Case:
    """The same without edges between chunks."""
    graph = one.graph
    inner = chunk[graph.senders] == chunk[graph.receivers]
    kept = graph._replace(
        senders=graph.senders[inner],
        receivers=graph.receivers[inner],
        edges=np.asarray(graph.edges)[inner],
    )
    return dataclasses.replace(one, graph=kept)


def apart(one: Any, other: Any) -> float:
    """The largest difference of two trees, relative to the largest entry of each leaf of the other."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    found = [float(np.abs(np.asarray(a) - b).max() / max(np.abs(b).max(), 1e-30)) for a, b in pairs]
    return max(found)


def sent_by_all(collectives: Iterable[Collective], devices: int) -> dict[str, int]:
    """Bytes that all devices send in a run, by kind; a sum's are 2 (g - 1) of its operand in each group."""
    found = {"collective-permute": 0, "all-reduce": 0}
    for one in collectives:
        senders = {
            "collective-permute": one.pairs,
            "all-reduce": 2 * (one.group - 1) * devices // one.group,
        }
        if one.kind not in senders:
            found[one.kind] = found.get(one.kind, 0) + 1  # whatever it moves, none was foretold
            continue
        found[one.kind] += one.times * one.operand_bytes * senders[one.kind]
    return found


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """One scheme as a program compiled for all devices.

    Args:
        case: what is learned.
        layout: of its graph.
        stages: 0 for graph parallelism.
        compiled: the program.
    """

    case: Case
    layout: Layout
    stages: int
    compiled: Any

    def __call__(self, order: np.ndarray | None = None, parameters: Any = None) -> dict[str, Any]:
        """Loss, gradients and logits by vertex; of pipelines also `hidden` by layer and vertex."""
        parameters = self.case.parameters if parameters is None else parameters
        order = np.arange(self.layout.chunks) if order is None else order
        given = _arguments(self.case, self.layout, self.stages, parameters, order)
        found = fetched(self.compiled(*given))
        if not self.stages:
            logits = self.layout.gathered(found.logits[:, None])
            return {"loss": found.loss.sum(), "gradients": found.gradients, "logits": logits}
        return {
            "loss": found.loss.sum(),
            "gradients": whole(found.gradients),
            "logits": self.layout.gathered(found.logits[-1]),
            "hidden": self.layout.hidden(found.history),
        }

    def on(self, case: Case) -> "Run":
        """The same program on another graph of the same vertices in the same chunks."""
        edges = self.layout.wiring.weights.shape[-1]
        layout = lay_out(case.graph, *self.layout.cells, edges=edges)
        return dataclasses.replace(self, case=case, layout=layout)

    def off(self, found: dict[str, Any], reference: Learned) -> float:
        """How far an epoch is from the training without a schedule, in whatever it gives."""
        told = reference._asdict()
        return max(apart(found[name], told[name]) for name in told if name in found)

    def trained(self, steps: int, generator: np.random.Generator) -> Any:
        """Parameters after so many steps of Adam, in another order of chunks each, history left as it is."""

        def gradients(parameters: Any) -> Any:
            return self(generator.permutation(self.layout.chunks), parameters)["gradients"]

        return trained(self.case.parameters, gradients, steps)

    def bytes(self) -> dict[str, Any]:
        """Bytes by formula, in items, and how far what the program's text says is off."""
        told = moved_bytes(self.layout, self.case.network, max(self.stages, 1), itemsize=ITEM)
        counted = sent_by_all(collectives_of(self.compiled), jax.device_count())
        rows = told.boundaries.total + told.halos.total
        off = abs(counted.pop("collective-permute") - rows)
        off += abs(counted.pop("all-reduce") - told.gradients.total) + sum(counted.values())
        return {
            "off": off,
            "rows": rows,
            "useful": told.useful,
            "padding": told.boundaries.padding + told.halos.padding,
            "bubbles": told.boundaries.bubbles + told.halos.bubbles,
            "gradients": told.gradients.total,
        }

    def seconds(self, repeats: int) -> float:
        """The median of an epoch's time."""
        order = np.arange(self.layout.chunks)
        given = _arguments(self.case, self.layout, self.stages, self.case.parameters, order)
        found = []
        for _ in range(repeats):
            start = time.perf_counter()
            jax.block_until_ready(self.compiled(*given))
            found.append(time.perf_counter() - start)
        return float(np.median(found))


def compiled_run(
    case: Case, stages: int, parts: int, chunks: int, *, edges: int = 0, order: Any = None
) -> Run:
    """A scheme on all devices: the pipeline without parts, graph parallelism without stages, or both.

    Args:
        case: what is learned.
        stages, parts, chunks: how it is divided.
        edges: least capacity of a chunk, so that seeds share a program.
        order: of vertices, for the cut.
    """
    layout = lay_out(case.graph, *cut(case.graph, max(parts, 1), chunks, order=order), edges=edges)
    sizes = {name: size for name, size in (("stage", stages), ("part", parts)) if size}
    mesh = jax.sharding.Mesh(np.array(jax.devices()).reshape(*sizes.values()), tuple(sizes))
    given = _arguments(case, layout, stages, case.parameters, np.arange(chunks))
    make: Any = pipeline_step if stages else graph_parallel_step
    return Run(case, layout, stages, make(case.network, layout, mesh).lower(*given).compile())


def trained(parameters: Any, gradients: Any, steps: int) -> Any:
    """Parameters after so many steps of Adam by a function of gradients."""
    state = _adam.init(parameters)
    for _ in range(steps):
        parameters, state = jax.device_get(_stepped(parameters, state, gradients(parameters)))
    return parameters


def fetched(tree: Any) -> Any:
    """Whole arrays of all devices, of all processes."""
    if jax.process_count() == 1:
        return jax.device_get(tree)
    return multihost_utils.process_allgather(tree, tiled=True)


def _arguments(
    case: Case, layout: Layout, stages: int, parameters: Any, order: np.ndarray
) -> tuple[Any, ...]:
    problem = problem_of(layout, case.graph.nodes, case.labels, case.train)
    if not stages:
        return parameters, layout.wiring, problem
    history = layout.history(case.history, stages)
    return by_stage(parameters, stages), history, layout.wiring, problem, order


def _rings(one: Case, parts: int) -> dict[str, list[Any]]:
    """Of graph parallelism on rings of 1, 2, ... neighbours on either side, alpha and the bytes of rows."""
    nodes = len(one.labels)
    layouts = []
    for reach in range(1, nodes // parts + 1):
        ring = from_networkx(nx.circulant_graph(nodes, range(1, reach + 1)))
        layouts.append(lay_out(ring, *cut(ring, parts, 1, order=range(nodes))))
    moved = [moved_bytes(each, one.network, 1, itemsize=ITEM).halos.total for each in layouts]
    return {"alpha": [each.alpha for each in layouts], "rows": moved}


def on_one_process(
    seed: int, nodes: int, layers: int, width: int, chunks: int, steps: int, repeats: int
) -> dict[str, Any]:
    """Deviations and bytes of every scheme on the devices of this process, all of them in each program."""
    with jax.enable_x64(True):
        generator, graphs = np.random.default_rng(seed), np.random.default_rng(0)
        devices = jax.device_count()
        one = case(generator, nodes, layers, width, skips=False, graphs=graphs)
        room = 16 * -(-nodes * 8 // chunks // 16)  # edges a chunk, of eight a vertex with its loop
        order = generator.permutation(chunks)

        pipeline = compiled_run(one, devices, 0, chunks, edges=room)
        found = pipeline(order)
        chunk = pipeline.layout.cells[1]
        reference = one.reference(fresh_edges(one.graph, chunk, order))
        reverse = one.reference(fresh_edges(one.graph, chunk, order[::-1]))
        inner = pipeline.on(without_crossing(one, chunk))
        lone = compiled_run(one, devices, 0, 1)
        result: dict[str, Any] = {
            "devices": devices,
            "layers": layers,
            "chunks": chunks,
            "schedule": pipeline.off(found, reference),
            "other_order": pipeline.off(found, reverse),
            "chunked_from_full": apart(found["gradients"], one.exact().gradients),
        }
        for name, run in (("inner", inner), ("lone", lone)):
            first = apart(run()["gradients"], run.case.exact().gradients)
            last = run.trained(steps, generator)
            full = trained(
                one.parameters, lambda now, run=run: run.case.exact(now).gradients, steps
            )
            result[f"{name}_first"], result[f"{name}_last"] = first, apart(last, full)

        part = compiled_run(one, 0, devices, 1)
        exact = part()
        grid = compiled_run(on_grid(one), 0, devices, 1, order=np.arange(nodes))
        result["parallel"] = part.off(exact, one.exact())
        result["parallel_grid"] = grid.off(grid(), grid.case.exact())
        ends = compiled_run(one, devices, 1, chunks, edges=room), compiled_run(one, 1, devices, 1)
        single = ends[1]()
        result["hybrid_ends"] = max(
            apart({name: found[name] for name in found}, ends[0](order)),
            apart(exact, {name: single[name] for name in exact}),
        )
        deep = case(generator, nodes, layers, width, skips=True, graphs=np.random.default_rng(0))
        middle = compiled_run(deep, devices // 2, 2, chunks)
        fresh = fresh_edges(deep.graph, middle.layout.cells[1], order)
        halfway = middle(order)
        result["hybrid"] = middle.off(halfway, deep.reference(fresh))
        runs = {
            "pipeline": pipeline, "lone": lone, "parallel": part, "grid": grid, "hybrid": middle,
            "hybrid_pipeline": ends[0], "hybrid_parallel": ends[1],
        }  # fmt: skip
        result["bytes"] = {name: run.bytes() for name, run in runs.items()}
        result["alpha"] = {name: runs[name].layout.alpha for name in ("parallel", "grid")}
        result["rings"] = _rings(one, devices)
        result["seconds_over_parallel"] = pipeline.seconds(repeats) / part.seconds(repeats)
        return result


def on_all_processes(seed: int, nodes: int, layers: int, width: int, chunks: int) -> dict[str, Any]:
    """The pipeline and graph parallelism on the devices of all processes."""
    with jax.enable_x64(True):
        generator = np.random.default_rng(seed)
        devices = jax.device_count()
        graphs = np.random.default_rng(0)
        one = case(generator, nodes, layers, width, skips=False, graphs=graphs)
        order = generator.permutation(chunks)
        result: dict[str, Any] = {"processes": jax.process_count(), "off": 0.0, "bytes": {}}
        for name, stages, parts in (("pipeline", devices, 0), ("parallel", 0, devices)):
            run = compiled_run(one, stages, parts, chunks if stages else 1)
            fresh = fresh_edges(one.graph, run.layout.cells[1], order if stages else np.arange(1))
            off = run.off(run(order), one.reference(fresh))
            result["off"] = max(result["off"], off)
            result["bytes"][name] = run.bytes()
        return result
