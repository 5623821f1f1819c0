"""A word for a bit of 32 nodes, a word for 32 bits of a node: the same bits either way."""

import jax
import numpy as np
import pytest

from ntkexec.engines.packed import crossing


@pytest.mark.parametrize("num_rows", [1, 32, 40])
def test_rows_become_words_of_nodes_and_rows_again(num_rows):
    rng = np.random.default_rng(num_rows)
    rows = rng.integers(0, 1 << 32, (num_rows, 3), dtype=np.uint32)
    words = np.asarray(jax.jit(crossing.all_by_node)(rows))
    assert words.shape == (-(-num_rows // 32), 96)
    for bit in range(num_rows):
        row = np.unpackbits(rows[bit].view(np.uint8), bitorder="little")
        np.testing.assert_array_equal(words[bit // 32] >> np.uint32(bit % 32) & 1, row)
    back = np.asarray(jax.jit(crossing.all_by_bit)(words))
    np.testing.assert_array_equal(back[:num_rows], rows)
    assert not back[num_rows:].any()


@pytest.mark.parametrize("size", [40, 200])
def test_flagged_values_are_put_together_and_counted(size):
    flags = np.random.default_rng(0).random(96) < 0.7
    values = np.arange(100, 196, dtype=np.int32)

    @jax.jit
    def chosen(values, flags):
        return crossing.chosen(values, crossing.flags_of(flags), size, -1)

    kept, count = chosen(values, flags)
    assert count == flags.sum()
    found = [value for value in kept.tolist() if value >= 0]
    assert len(found) == len(set(found)) == min(size, int(count))
    assert set(found) <= set(values[flags].tolist())
