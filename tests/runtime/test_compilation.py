"""Compiled code is made once for each shape."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np

from ntkexec.runtime import compilation
from ntkexec.runtime.precision import float64


def double(x):
    return 2 * x


def test_a_shape_is_compiled_once():
    compilation.clear()
    first, seconds, _ = compilation.call(double, jnp.ones(3))
    assert seconds > 0
    assert first.tolist() == [2, 2, 2]
    assert compilation.call(double, jnp.zeros(3))[1] == 0
    assert compilation.call(double, jnp.zeros(4))[1] > 0


def test_the_code_that_was_not_called_for_longest_makes_room(monkeypatch):
    compilation.clear()
    monkeypatch.setattr(compilation, "MAX_COMPILED", 2)

    def compiles(size):
        return compilation.call(double, np.ones(size, np.float32))[1] > 0

    assert [compiles(size) for size in (1, 2, 1)] == [True, True, False]
    # The third takes the place of the second, since the first was called again.
    assert [compiles(size) for size in (3, 1, 2)] == [True, False, True]
    assert len(compilation._compiled) == 2


def half(x):
    return x * jnp.ones((), jnp.bfloat16)


ALIKE = {
    "float32": np.float32(1),
    "float16": np.float16(1),
    "int32": np.int32(1),
    "uint32": np.uint32(1),
    "bool": np.bool_(True),
    "a weak float": jnp.asarray(1.0),
    "a strong float": jnp.asarray(1.0, jnp.float32),
    "a number": 1.0,
    "a whole number": 1,
    "one of one": np.ones(1, np.float32),
}


def test_values_of_other_types_never_share_code():
    compilation.clear()
    for _ in range(2):
        for value in ALIKE.values():
            found, _, _ = compilation.call(half, value)
            expected = jax.jit(half)(value)
            assert (found.dtype, found.weak_type) == (expected.dtype, expected.weak_type)
            assert found.shape == expected.shape


def test_weak_types_matter():
    weak, strong = (
        compilation.call(half, ALIKE[f"a {kind} float"])[0] for kind in ("weak", "strong")
    )
    assert weak.dtype != strong.dtype


def half_of(x, *, by):
    return x / by


def test_options_of_other_types_never_share_code():
    whole, half = (
        compilation.call(half_of, np.int32(1), by=by)[0].dtype for by in (2, np.float16(2))
    )
    assert whole != half


def zeros(x):
    return x + jnp.zeros(())


def test_code_for_numbers_of_64_bits_is_its_own():
    x = np.ones(3, np.float32)
    narrow, _, _ = compilation.call(zeros, x)
    with float64():
        wide, _, _ = compilation.call(zeros, x)
    assert (narrow.dtype, wide.dtype) == (np.float32, np.float64)
    assert compilation.call(zeros, x)[0].dtype == np.float32


def test_arrays_divided_otherwise_never_share_code():
    """Code compiled for one division of an array refuses others."""
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = subprocess.run(
        [sys.executable, "-c", SHARDED], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[False, True, True, False]\n"


SHARDED = """
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from ntkexec.runtime import compilation
mesh = Mesh(np.asarray(jax.devices()), ("x",))
def double(x):
    return 2 * x
def on(spec):
    return jax.device_put(np.arange(4.0), NamedSharding(mesh, spec))
compilation.call(double, on(PartitionSpec("x")))
found = [on(PartitionSpec("x")), on(PartitionSpec()), np.arange(4.0), np.arange(4.0)]
print([compilation.call(double, x)[1] > 0 for x in found])
"""
