"""Fields: every number of their range has bits of its own, and nothing else fits."""

import numpy as np
import pytest

from ntkexec.errors import LayoutError
from ntkexec.program.fields import MAX_WORD_BITS, Code, OneHot, Word
from ntkexec.program.layout import Layout


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8])
def test_a_code_holds_every_value_and_none_and_refuses_what_is_none_of_them(size):
    layout = Layout((Code("place", size),))
    values = np.arange(-1, size)
    states = layout.pack(size + 1, {"place": values})
    assert layout.num_bits == len(f"{size:b}")
    assert not states[0].any()
    assert len(np.unique(states, axis=0)) == size + 1
    np.testing.assert_array_equal(layout.unpack(states)["place"], values)
    with pytest.raises(LayoutError, match=f"holds -1 to {size - 1}"):
        layout.pack(1, {"place": size})
    if size + 1 < 2**layout.num_bits:
        with pytest.raises(LayoutError, match=f"code 'place' has {size} values"):
            layout.unpack(np.ones((1, layout.num_bits), bool))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("num_bits", [1, 2, 5])
def test_a_word_holds_exactly_the_numbers_of_its_range(num_bits, signed):
    layout = Layout((Word("x", num_bits, signed),))
    low, high = (
        (-(2 ** (num_bits - 1)), 2 ** (num_bits - 1) - 1) if signed else (0, 2**num_bits - 1)
    )
    numbers = np.arange(low, high + 1)
    states = layout.pack(len(numbers), {"x": numbers})
    assert len({tuple(state) for state in states.tolist()}) == 2**num_bits
    np.testing.assert_array_equal(layout.unpack(states)["x"], numbers)
    for outside in (low - 1, high + 1):
        with pytest.raises(LayoutError, match=f"value {outside} .* holds {low} to {high}"):
            layout.pack(1, {"x": outside})


@pytest.mark.parametrize("signed", [False, True])
def test_the_longest_word_keeps_its_extreme_numbers(signed):
    word = Word("x", MAX_WORD_BITS, signed)
    numbers = np.array(word.value_range)
    layout = Layout((word,))
    np.testing.assert_array_equal(layout.unpack(layout.pack(2, {"x": numbers}))["x"], numbers)


def test_a_one_hot_field_holds_its_choices_and_none_of_them():
    layout = Layout((OneHot("colour", 3),))
    states = layout.pack(4, {"colour": np.array([-1, 0, 1, 2])})
    np.testing.assert_array_equal(states, [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(layout.unpack(states)["colour"], [-1, 0, 1, 2])
