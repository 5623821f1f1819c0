"""What is trained: the same bits from packed files, accuracy by how batches are drawn, memory in a child."""

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from experiments.data.interactions import Interactions
from experiments.data.nodes import NodeData
from experiments.harness.study import NotMeasured, Trial
from experiments.kits.mesh.children import run_with_devices
from experiments.systems.diskgnn.confined import grown
from experiments.systems.diskgnn.fitting import Arm, InMemory, orders
from experiments.systems.diskgnn.memory import Memory
from experiments.systems.diskgnn.packing import pack
from experiments.systems.diskgnn.problems import Problem, planted, power_law
from experiments.systems.diskgnn.rivals import OnDemand, breadth_first, sample_resident
from experiments.systems.diskgnn.sage import BlockSAGE, Sizes, num_different
from experiments.systems.diskgnn.sampling import SamplePlan, neighbours_of, sample_offline
from experiments.systems.diskgnn.settings import PLENTY, DiskGnnConfig, graph_and_plan
from experiments.systems.diskgnn.store import FeatureStore


def training(config: DiskGnnConfig, trial: Trial) -> dict[str, float]:
    """How many parameters and losses differ in a bit between packed, pipelined training and reads on demand.

    The same epoch of the same batches; and the same in another order, for comparison.
    """
    generator, nodes = trial.generator, config.read_nodes
    graph, plan = graph_and_plan(config, generator)
    problem = planted(generator, graph, width=config.width, classes=4, train=1, test=1)
    rows = round(config.share * nodes)
    sizes = Sizes.most(config.read_batch, (config.read_fanout,) * 2, nodes)
    arm = _arm(config, problem, sizes, rows // 2)
    first = arm.first(generator)
    order = list(range(len(plan.batches)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "x.npy", problem.features)
        with (
            FeatureStore(folder / "x.npy", Memory(PLENTY)) as store,
            pack(
                store,
                plan,
                folder / "packed",
                space=config.space,
                device_rows=rows // 2,
                host_rows=rows - rows // 2,
                generator=generator,
            ) as packed,
        ):
            one = arm.trained(first, packed, order, ahead=3)
            other = arm.trained(first, OnDemand(store, plan), order)
            levels = {level: float(entry.rows) for level, entry in packed.entries.items()}
            turned = arm.trained(first, packed, order[::-1])
    losses = [np.array(found.losses, np.float32) for found in (one, other)]
    params = [(found.state.params, found.state.optimiser) for found in (one, other, turned)]
    return {
        "different": float(num_different(params[0], params[1]) + num_different(*losses)),
        "different_reversed": float(num_different(params[0], params[2])),
        "loss": one.losses[-1],
        **levels,
    }


def _arm(config: DiskGnnConfig, problem: Problem, sizes: Sizes, device_rows: int) -> Arm:
    return Arm(
        BlockSAGE(problem.classes, config.hidden),
        sizes,
        problem.labels,
        width=config.width,
        learning_rate=config.rate,
        device_rows=min(device_rows, sizes.nodes[-1]),
    )


def accuracy(config: DiskGnnConfig, trial: Trial) -> dict[str, float]:
    """Test accuracies after the same epochs: batches drawn once, drawn anew, drawn within partitions.

    And the first two once more under stress: fewer neighbours, more epochs, a higher rate.
    """
    generator = trial.generator
    graph = power_law(generator, nodes=config.nodes, edges=config.degree * config.nodes)
    problem = planted(
        generator,
        graph,
        width=config.width,
        classes=4,
        train=config.batches * config.batch,
        test=config.tested,
    )
    sizes = Sizes.most(config.batch, config.fanouts, config.nodes)
    arm = _arm(config, problem, sizes, 0)
    first = arm.first(generator)
    draw = functools.partial(
        sample_offline, graph, batch=config.batch, fanouts=config.fanouts, generator=generator
    )

    by_search = breadth_first(graph)

    def resident() -> SamplePlan:
        return sample_resident(
            graph,
            problem.train,
            order=by_search,
            parts=config.parts,
            resident=max(1, int(config.share * config.parts)),
            batch=config.batch,
            fanouts=config.fanouts,
            generator=generator,
        )[0]

    once, tested = draw(problem.train), InMemory(problem.features, draw(problem.test))
    # Few neighbours, seen often and at a high rate, is where to see the same ones again should cost most;
    # batches are padded as the others are, so that it is no other program.
    few = functools.partial(draw, problem.train, fanouts=(config.stressed_fanout,) * 2)
    few_once, hasty = few(), _arm(config, problem, sizes, 0)
    hasty.learning_rate = config.stressed_rate
    drawn: dict[str, tuple[Callable[[], SamplePlan], Arm, int]] = {
        "offline": (lambda: once, arm, config.epochs),
        "fresh": (lambda: draw(problem.train), arm, config.epochs),
        "partition": (resident, arm, config.epochs),
        "stressed_offline": (lambda: few_once, hasty, config.stressed_epochs),
        "stressed_fresh": (few, hasty, config.stressed_epochs),
    }
    found = {}
    for done, (name, (plan_of, trained, epochs)) in enumerate(drawn.items()):
        trial.report(name, done, len(drawn))
        state = first
        for _ in range(epochs):
            plan = plan_of()
            order = generator.permutation(len(plan.batches)).tolist()
            state = trained.trained(state, InMemory(problem.features, plan), order).state
        found[name] = arm.accuracy(state, tested)
    return found


def in_small_memory(config: DiskGnnConfig, trial: Trial, *, name: str) -> dict[str, float]:
    """Memory by which training grows a process, over the bytes of the features: packed, and all in memory."""
    loaded = trial.load(name)
    problem = _of_gowalla(config, trial, loaded) if name == "gowalla" else _of_citations(loaded)
    generator = np.random.default_rng([trial.seed, 7])
    size = problem.features.nbytes
    limit, fanouts = int(config.allowed * size), (config.real_fanout,) * 2
    plan = sample_offline(
        problem.graph,
        problem.train,
        batch=config.real_batch,
        fanouts=fanouts,
        generator=generator,
    )
    order = orders(generator, len(plan.batches), 3)
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        np.save(folder / "x.npy", problem.features)
        labels = problem.labels
        rows = len(problem.labels) // 50
        with FeatureStore(folder / "x.npy", Memory(limit)) as store:
            pack(
                store, plan, folder / "packed", space=2.0, host_rows=rows, generator=generator
            ).close()
        told = {
            "features": str(folder / "x.npy"),
            "packed": str(folder / "packed"),
            "limit": limit,
            "nodes": plan.num_nodes,
            "width": problem.features.shape[1],
            "classes": problem.classes,
            "hidden": config.real_hidden,
            "batch": config.real_batch,
            "fanouts": list(fanouts),
            "rate": config.real_rate,
            "ahead": 1,
            "seed": trial.seed,
        }
        del problem
        found = run_with_devices(grown, told, labels, order, devices=1)
    if not found:
        raise NotMeasured("this system does not tell a process its peak of memory")
    return {
        **found,
        "packed": found["packed"] / size,
        "in_memory": found["in_memory"] / size,
        "held": found["held"] / size,
        "megabytes": size / 2**20,
    }


def _of_citations(data: NodeData) -> Problem:
    split = data.splits[0]
    rows = data.dense / np.maximum(data.dense.sum(1, keepdims=True), 1)
    train, test = np.flatnonzero(split.train), np.flatnonzero(split.test)
    graph = neighbours_of(data.edges, data.num_nodes)
    return Problem(graph, rows, data.labels, train, test, data.num_classes)


def _of_gowalla(config: DiskGnnConfig, trial: Trial, data: Interactions) -> Problem:
    """Users and places as nodes; classes and features are drawn."""
    users, places = data.train.nonzero()
    nodes = data.num_users + data.num_items
    graph = neighbours_of(np.stack([users, data.num_users + places], 1), nodes)
    return planted(
        trial.generator,
        graph,
        width=config.gowalla_width,
        classes=4,
        train=config.gowalla_train,
        test=1,
    )
