"""Run by `test_sharding` in processes of its own: packed execution divided among devices.

`sharded.py NUM_DEVICES` on one process, `sharded.py ADDRESS PROCESS` on the second of two.
Prints one JSON object by case, and exits with an error where the states differ.
"""

import json
import os
import sys

import numpy as np


def main() -> None:
    devices = "2" if len(sys.argv) == 3 else sys.argv[1]
    os.environ["XLA_FLAGS"] += f" --xla_force_host_platform_device_count={devices}"
    # Programs that come out of the cache lose the order of their collectives, and devices wait for ever.
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    import jax

    if len(sys.argv) == 3:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(sys.argv[1], 2, int(sys.argv[2]))
    from ntkexec import pipeline
    from ntkexec.engines.packed.execution import prepare
    from ntkexec.engines.packed.plan import PackedProgram
    from ntkexec.graphs import message_passing

    rng = np.random.default_rng(0)
    inputs = {}
    instance = pipeline.prepare("flooding", "grid:17x19", message="1")
    inputs["own slots"] = (instance.program, instance.graphs, instance.num_steps)
    # All colours at random: slots collide, so that the general exchange must count collisions.
    states = np.array(instance.initial)
    states[:] = rng.random(states.shape) < 0.3
    clash = message_passing.graphs_tuple(
        instance.graphs.senders, instance.graphs.receivers, len(states), nodes=states
    )
    inputs["any slots"] = (instance.program, clash, 3)
    found = {}
    for name, (program, graphs, num_steps) in inputs.items():
        packed = PackedProgram(program)
        runs = []
        for devices in (jax.local_devices()[:1], jax.devices()):
            prepared = prepare(packed, graphs, devices=devices)
            now = prepared.run(num_steps)
            runs.append((prepared.states(now.clock, now.rows), now.collisions))
        (one, one_met), (many, many_met) = runs
        assert np.array_equal(one, many), name
        assert one_met == many_met, name
        assert (one_met > 0) == (name == "any slots"), name
        plain = prepare(packed, graphs)
        now = plain.run(num_steps)
        assert np.array_equal(plain.states(now.clock, now.rows), many), name
        found[name] = {
            "devices": len(jax.devices()),
            "heard": prepared.border.heard,
            "bytes": prepared.bytes_sent(num_steps),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
