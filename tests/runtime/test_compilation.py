"""Compiled code is made once for each shape."""

import jax.numpy as jnp

from ntkexec.runtime import compilation


def double(x):
    return 2 * x


def test_a_shape_is_compiled_once():
    compilation.clear()
    first, seconds, _ = compilation.call(double, jnp.ones(3))
    assert seconds > 0
    assert first.tolist() == [2, 2, 2]
    assert compilation.call(double, jnp.zeros(3))[1] == 0
    assert compilation.call(double, jnp.zeros(4))[1] > 0
