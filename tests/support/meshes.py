"""Functions that tests run in processes with several devices."""

import os
import pathlib
import sys
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from experiments.kits.mesh.collectives import collectives_of, total_bytes


def echo(*arguments):
    return {
        "arguments": arguments,
        "devices": len(jax.devices()),
        "processes": jax.process_count(),
        "flags": os.environ["XLA_FLAGS"],
        "pid": os.getpid(),
    }


def programs_with_known_bytes():
    """By name, what each program moves, on eight devices, and what came out of one of them."""
    line = Mesh(np.array(jax.devices()), ("worker",))
    plane = Mesh(np.array(jax.devices()).reshape(2, 4), ("row", "column"))
    chain = [(i, i + 1) for i in range(7)]

    def looped(x):  # [1, 40]
        def inner(x, _):
            return lax.psum(x, "worker") / 8, None

        def outer(x, _):
            return lax.scan(inner, lax.ppermute(x, "worker", chain), None, length=3)[0], None

        return lax.scan(outer, x, None, length=5)[0]

    def crossed(x):  # [1, 8] of [2, 32]
        across = lax.all_gather(x, "column", axis=1, tiled=True)
        down = lax.psum_scatter(across, "row", scatter_dimension=1, tiled=True)
        return lax.all_to_all(down, "column", 1, 1, tiled=True)

    def on(mesh, function, spec, shape):
        divided = jax.shard_map(function, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
        return jax.jit(divided).lower(jax.ShapeDtypeStruct(shape, "float32")).compile()

    rows, both = P("worker"), P("row", "column")
    made = {
        "looped": on(line, looped, rows, (8, 40)),
        "crossed": on(plane, crossed, both, (2, 32)),
        "uneven": on(line, lambda x: lax.psum(x, "worker"), rows, (8, 13)),
        "alone": on(line, jnp.sin, rows, (8, 4)),
    }
    found = {name: collectives_of(one) for name, one in made.items()}
    # Between processes nobody sees the whole of an array.
    total = jax.jit(
        jax.shard_map(lambda x: lax.psum(x, "worker"), mesh=line, in_specs=rows, out_specs=P())
    )
    ones = jax.make_array_from_callback(
        (8, 3), jax.NamedSharding(line, rows), lambda place: np.ones((8, 3), "float32")[place]
    )
    return {
        "bytes": {name: total_bytes(one) for name, one in found.items()},
        "times": sorted(one.times for one in found["looped"]),
        "total": total(ones),
    }


def tells_and_waits(folder):
    part = pathlib.Path(folder) / "part"
    part.write_text(str(os.getpid()))
    part.rename(part.with_name("pid"))
    time.sleep(600)


def leaves_a_thread():
    threading.Thread(target=time.sleep, args=[600]).start()
    return 1


def ends():
    os._exit(0)


def fails():
    print("about to")
    raise ArithmeticError("this went wrong")


def one_fails():
    """Where the other waits for it."""
    if jax.process_index() == 1:
        sys.exit("the second gave up")
    return programs_with_known_bytes()
