"""Training in a process of its own, whose memory is measured: from packed files, then with all in memory."""

import ctypes
import gc
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.systems.diskgnn.fitting import Arm, InMemory
from experiments.systems.diskgnn.memory import Memory
from experiments.systems.diskgnn.reading import Packed
from experiments.systems.diskgnn.rivals import Policy
from experiments.systems.diskgnn.sage import BlockSAGE, Sizes
from experiments.systems.diskgnn.store import FeatureStore

STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def grown(told: dict[str, Any], labels: np.ndarray, order: Sequence[int]) -> dict[str, float]:
    """How much memory training took at its peak, beyond what the process had when it was ready to.

    Everything that is not of features is compiled, loaded and touched before by an epoch that does not count.

    Args:
        told: `features` and `packed`, paths; `limit`, bytes of features that may be held; `classes`,
            `hidden`, `batch`, `fanouts`, `rate`, `ahead`, of training; `seed`.
        labels: of all nodes.
        order: numbers of batches.

    Returns:
        `packed` and `in_memory`, bytes; `first_loss` and `loss`, means of the first and the last eight steps;
        `different`, numbers of parameters that the two ways do not share; `held`, bytes that the budget
        saw; `direct`, whether files were read past the cache. Empty where the system tells no peaks.
    """
    if not (STATUS.exists() and FORGET.exists()):
        return {}
    memory = Memory(int(told["limit"]))
    with Packed(told["packed"], memory) as packed:
        sizes = Sizes.most(told["batch"], told["fanouts"], packed.plan.num_nodes)
        arm = Arm(
            BlockSAGE(told["classes"], told["hidden"]),
            sizes,
            labels,
            width=packed.width,
            learning_rate=told["rate"],
        )

        def peak(policy: Policy) -> tuple[int, Any]:
            state = arm.first(np.random.default_rng(told["seed"]))
            ready = _settled()
            found = arm.trained(state, policy, order, ahead=told["ahead"])
            return _told("VmHWM") - ready, found

        arm.trained(arm.first(np.random.default_rng(0)), packed, order[:2], ahead=told["ahead"])
        growth, trained = peak(packed)
        plan = packed.plan
    ready = _settled()
    with FeatureStore(told["features"], Memory(2**40)) as store:
        everything = InMemory(store.part(0, store.num_nodes), plan)
        loaded = _told("VmRSS") - ready
        more, other = peak(everything)
    different = [
        np.sum(np.asarray(trained.state.params[layer][name]) != np.asarray(leaf))
        for layer, leaves in other.state.params.items()
        for name, leaf in leaves.items()
    ]
    return {
        "packed": float(growth),
        "in_memory": float(loaded + more),
        "loss": float(np.mean(trained.losses[-8:])),
        "first_loss": float(np.mean(trained.losses[:8])),
        "different": float(sum(different)),
        "held": float(memory.peak),
        "direct": float(packed.file.direct),
    }


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
