"""Training in a process of its own, whose memory is measured: from packed files, then with all in memory."""

import contextlib
import ctypes
import gc
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from experiments.systems.diskgnn.fitting import Arm, InMemory
from experiments.systems.diskgnn.memory import Memory
from experiments.systems.diskgnn.packing import pack
from experiments.systems.diskgnn.reading import Packed
from experiments.systems.diskgnn.rivals import Policy
from experiments.systems.diskgnn.sage import BlockSAGE, Sizes, num_different
from experiments.systems.diskgnn.sampling import SamplePlan, neighbours_of, sample_offline
from experiments.systems.diskgnn.store import FeatureStore

Opened = TypeVar("Opened")
Found = TypeVar("Found")
STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def grown(told: dict[str, Any], labels: np.ndarray, order: Sequence[int]) -> dict[str, float]:
    """How much memory training took at its peak, from before the files were opened.

    Everything that is not of features is compiled, loaded and touched before by training on packed zeros
    of the same shapes. What a way to train holds from its opening on counts, whatever it is.

    Args:
        told: `features` and `packed`, paths; `limit`, bytes of features that may be held; `nodes`, `width`,
            `classes`, `hidden`, `batch`, `fanouts`, `rate`, `ahead`, of training; `seed`.
        labels: of all nodes.
        order: numbers of batches.

    Returns:
        `packed` and `in_memory`, bytes; `first_loss` and `loss`, means of the first and the last eight steps;
        `different`, numbers of parameters that the two ways do not share; `held`, bytes that the budget
        saw; `direct`, whether files were read past the cache. Empty where the system tells no peaks.
    """
    if not (STATUS.exists() and FORGET.exists()):
        return {}
    sizes = Sizes.most(told["batch"], told["fanouts"], told["nodes"])
    arm, warm = (
        Arm(
            BlockSAGE(told["classes"], told["hidden"]),
            sizes,
            classes,
            width=told["width"],
            learning_rate=told["rate"],
        )
        for classes in (labels, np.zeros(sizes.nodes[-1], np.int64))
    )
    memory = Memory(int(told["limit"]))

    def train(
        policy: Policy, batches: Sequence[int] = order, arm: Arm = arm
    ) -> tuple[Any, SamplePlan, bool]:
        state = arm.first(np.random.default_rng(told["seed"]))
        trained = arm.trained(state, policy, batches, ahead=told["ahead"])
        return trained, policy.plan, isinstance(policy, Packed) and policy.file.direct

    with _zeros(told, arm) as packed:
        train(packed, range(len(packed.plan.batches)), warm)
    growth, (trained, plan, direct) = peak_of(lambda: Packed(told["packed"], memory), train)

    @contextlib.contextmanager
    def everything() -> Iterator[InMemory]:
        with FeatureStore(told["features"], Memory(2**40)) as store:
            yield InMemory(store.part(0, store.num_nodes), plan)

    growth_of_all, (other, _, _) = peak_of(everything, train)
    return {
        "packed": float(growth),
        "in_memory": float(growth_of_all),
        "loss": float(np.mean(trained.losses[-8:])),
        "first_loss": float(np.mean(trained.losses[:8])),
        "different": float(num_different(trained.state.params, other.state.params)),
        "held": float(memory.peak),
        "direct": float(direct),
    }


def peak_of(
    opening: Callable[[], AbstractContextManager[Opened]], use: Callable[[Opened], Found]
) -> tuple[int, Found]:
    """Bytes by which this process grew at its peak from before something was opened until it was used."""
    ready = _settled()
    with opening() as opened:
        found = use(opened)
    del opened
    return _told("VmHWM") - ready, found


@contextlib.contextmanager
def _zeros(told: dict[str, Any], arm: Arm) -> Iterator[Packed]:
    """A packed folder of a ring of nodes, as many as the padded batches have, whose features are zeros."""
    nodes, generator = arm.sizes.nodes[-1], np.random.default_rng(0)
    ring = neighbours_of(np.stack([np.arange(nodes), np.roll(np.arange(nodes), 1)], 1), nodes)
    plan = sample_offline(
        ring,
        np.arange(min(nodes, 2 * told["batch"])),
        batch=told["batch"],
        fanouts=told["fanouts"],
        generator=generator,
    )
    with tempfile.TemporaryDirectory() as name:
        np.save(Path(name) / "x.npy", np.zeros((nodes, arm.width), np.float32))
        with (
            FeatureStore(Path(name) / "x.npy", Memory(2**40)) as store,
            pack(store, plan, Path(name) / "packed", host_rows=1, generator=generator) as packed,
        ):
            yield packed


def _settled() -> int:
    """Bytes of this process with all given back that can be; peaks count from here."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # of the GNU library
        trim(0)
    FORGET.write_text("5")
    return _told("VmRSS")


def _told(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
