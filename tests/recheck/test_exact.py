"""Sums of products in limbs are what Python's fractions say, and decisions follow from them exactly."""

import math
from fractions import Fraction

import numpy as np
import pytest

from ntkexec.recheck.decisions import FORMATS, check_decisions
from ntkexec.recheck.exact import limb_bits, product, selected, split
from ntkexec.recheck.reading import Rejected


def as_fraction(whole, *place):
    scale = Fraction(2) ** whole.exponent
    return scale * sum(int(limb[place]) << i * whole.bits for i, limb in enumerate(whole.limbs))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spread", [0, 12, 60])
def test_sums_of_products_are_exact(dtype, spread):
    rng = np.random.default_rng([spread, dtype().itemsize])
    rows, units, sums = 5, 7, 6

    def drawn(*shape):
        scales = np.exp2(rng.uniform(-spread, spread, size=shape))
        return (rng.normal(size=shape) * scales * (rng.random(shape) < 0.9)).astype(dtype)

    first, second = drawn(rows, units), drawn(units, 2)
    chosen = rng.random((sums, rows)) < 0.5
    bits = limb_bits(units, rows)
    one, other = split(first, bits), split(second, bits)
    before, sign = selected(chosen.astype(float), one)
    found = product(before, sign > 0, other)
    for s in range(sums):
        exact = [sum(Fraction(float(first[r, u])) for r in range(rows) if chosen[s, r])
                 for u in range(units)]  # fmt: skip
        for u in range(units):
            assert as_fraction(before, s, u) == exact[u]
            assert sign[s, u] == (exact[u] > 0) - (exact[u] < 0)
        for o in range(2):
            wanted = sum(max(exact[u], 0) * Fraction(float(second[u, o])) for u in range(units))
            assert Fraction(2) ** (one.exponent + other.exponent) * int(found[s, o]) == wanted


def test_an_array_of_zeros_has_sums_of_zero():
    whole = split(np.zeros((3, 4)), 20)
    before, sign = selected(np.ones((2, 3)), whole)
    assert not sign.any()
    assert (product(before, sign > 0, split(np.ones((4, 1)), 20)) == 0).all()


def test_numbers_too_far_apart_for_float32_are_refused():
    with pytest.raises(Rejected, match="leave the range"):
        split(np.array([1.0, 2.0**-330]), 20)
    with pytest.raises(Rejected, match="leave the range"):
        split(np.array([2.0**-900]), 20)


# Decisions: one template, one unit, n0 = 1, so that the mean is hidden * output.


def decide(mean, threshold, *, expected=True):
    writes = np.array([[int(expected)]])
    nets = {
        "hidden": np.array([[[1.0]]], np.float32),
        "output": np.array([[[mean]]], np.float32),
    }
    table = np.array([[0.0, threshold]], np.float32).astype(float)
    return check_decisions(table, np.array([[0], [1]]), writes, nets, 1.0)


def test_a_margin_beyond_rounding_is_proven_in_each_format():
    margin, formats = decide(1.0, 0.5)
    assert math.isclose(margin, 0.5)
    assert formats == set(FORMATS)
    margin, formats = decide(0.25, 0.5, expected=False)
    assert math.isclose(margin, 0.25)


def test_a_margin_within_the_rounding_of_coarser_formats_is_said_to_be():
    assert decide(1.0, 0.99)[1] == {"float32", "TF32"}
    assert decide(1.0, 0.999)[1] == {"float32"}


@pytest.mark.parametrize(
    ("mean", "threshold", "expected"),
    [
        (0.5, 0.5, True),
        (0.5, 0.5, False),
        (0.4, 0.5, True),
        (0.6, 0.5, False),
        (0.5 + 1e-7, 0.5, True),
    ],
)
def test_what_is_wrong_or_within_the_rounding_of_float32_is_refused(mean, threshold, expected):
    with pytest.raises(Rejected, match="wrong, or too close"):
        decide(mean, threshold, expected=expected)


def test_without_a_match_the_output_is_zero_which_exceeds_no_threshold_below_zero():
    nets = {name: np.ones((1, 1, 1), np.float32) for name in ("hidden", "output")}
    table = np.array([[-1e-30, 0.5]])
    with pytest.raises(Rejected, match="wrong, or too close"):
        check_decisions(table, np.array([[0], [1]]), np.array([[1]]), nets, 1.0)
