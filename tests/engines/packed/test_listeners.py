"""Messages among the nodes of a list reach those that hear them, and nobody else."""

import jax.numpy as jnp
import numpy as np
import pytest

from ntkexec.engines.packed.listeners import Listeners

NODES, SILENT = 40, 40


@pytest.mark.parametrize("stale", [0, 31, 500])
@pytest.mark.parametrize("count", [31, 32])
def test_what_is_said_at_a_free_port_reaches_nobody(count, stale):
    # Nodes 0, 1, ... in order; node 3 is heard by node 5 and has a free port.
    place = jnp.full(NODES + 24, stale, jnp.int32).at[:count].set(jnp.arange(count))
    there = Listeners.of(
        jnp.int32(count),
        32,
        place,
        jnp.array([3], jnp.int32),
        jnp.array([[5], [SILENT]], jnp.int32),
        silent=SILENT,
        apart=False,
    )
    sent = {7: jnp.array([1 << 3], jnp.uint32)}
    held, met = there.exchange(None, sent, sent)
    assert np.asarray(held[7]).tolist() == [1 << 3 | 1 << 5]
    assert int(met) == 0
