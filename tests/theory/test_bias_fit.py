"""The fitted bound of the bias: against trained networks, and where it says nothing."""

import math

import pytest

from ntkexec.errors import CertificateError
from ntkexec.theory import bias_fit, predictor
from ntkexec.vocabulary import DESCENTS
from proofs_check.fixtures import width_cells as measured


# The one that is the default; the others on demand.
@pytest.mark.parametrize(
    "descent",
    [pytest.param(one, marks=() if one == "auto" else pytest.mark.slow) for one in DESCENTS],
)
def test_the_bound_covers_networks_that_it_was_not_fitted_to(descent):
    for num_inputs, writers in ((16, 12), (64, 64)):
        for cell in measured.measure(
            num_inputs, writers, 1024, (2, 8, 16), descent=descent, members=12, seed=77
        ):
            found = bias_fit.bias_bound(num_inputs, cell.num_matches, 1024, descent)
            assert found.covered
            assert abs(cell.bias) - 4 * cell.error < found.value
            assert found.value == pytest.approx(
                bias_fit.FITS[descent][0].constant * math.sqrt(num_inputs * cell.num_matches / 1024)
            )
            assert "not a theorem" in found.source
    # The twin: a network of many outputs, where it would be false, is not covered by it.
    found = bias_fit.bias_bound(64, 16, 1024, descent, num_outputs=2)
    assert not found.covered
    assert math.isnan(found.value)


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"num_outputs": 16}, "networks of 16 outputs"),
        ({"weight_std": 1.5}, "weight_std 1.5"),
        ({"num_inputs": 512}, "512 templates, the fit is over 2 to 256"),
        ({"width": 100}, "width 100, the fit is over 512 to 8192"),
        ({"width": 512, "num_inputs": 200}, "at least 4 for each template"),
        ({"width": 1 << 20}, "width 1048576"),
    ],
    ids=str,
)
def test_outside_its_range_the_bound_says_nothing(changes, reason):
    given = {"num_inputs": 64, "num_matches": 8, "width": 1024, "descent": "auto"} | changes
    found = bias_fit.bias_bound(**given)
    assert not found.covered
    assert math.isnan(found.value)
    assert found.source.startswith("not covered: ")
    assert reason in found.source


def test_without_interference_there_is_no_bias_at_any_width():
    for matches in (0, 1):
        found = bias_fit.bias_bound(4096, matches, 3, "auto", num_outputs=90)
        assert (found.value, found.covered) == (0.0, True)


@pytest.mark.parametrize("num_inputs, num_matches", [(8, 2), (64, 63), (128, 16)])
@pytest.mark.parametrize("share", [0.05, 0.2])
def test_the_width_needed_is_the_least_that_the_bound_allows(num_inputs, num_matches, share):
    alpha, beta = predictor.coefficients(num_matches, num_inputs)
    bias = share * float(alpha - beta)
    found = bias_fit.width_needed(num_inputs, num_matches, bias, "auto")
    if found.covered:
        bound = bias_fit.bias_bound(num_inputs, num_matches, found.value, "auto")
        assert bound.covered
        assert bound.value <= bias
        less = found.value - 1
        assert less < max(512, 4 * num_inputs) or (
            bias_fit.bias_bound(num_inputs, num_matches, less, "auto").value > bias
        )
    else:
        assert found.value > 8192
        assert "not covered: width" in found.source
    other = bias_fit.width_needed(num_inputs, num_matches, bias, "auto", num_outputs=4)
    assert (other.value, other.covered) == (0, False)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: bias_fit.width_needed(8, 2, 0.0, "auto"), "must be positive, not 0"),
        (lambda: bias_fit.width_needed(8, 2, math.nan, "auto"), "must be positive, not nan"),
        (lambda: bias_fit.bias_bound(8, 9, 512, "auto"), "9 of 8 templates cannot match"),
        (lambda: bias_fit.bias_bound(8, 2, 512, "steep"), "descent is auto, .* not 'steep'"),
    ],
)
def test_nonsense_is_refused_by_name(call, message):
    with pytest.raises(CertificateError, match=message):
        call()
