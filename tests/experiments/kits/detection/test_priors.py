"""Points that predict boxes lie where cells of each level do."""

import numpy as np
import pytest

from experiments.kits.detection.priors import prior_points
from ntkexec.errors import ExperimentError


def test_points_are_the_centres_of_cells_level_by_level():
    found = prior_points((16, 32), (8, 16))
    assert len(found) == 2 * 4 + 1 * 2
    np.testing.assert_array_equal(found.points[:5], [[4, 4], [12, 4], [20, 4], [28, 4], [4, 12]])
    np.testing.assert_array_equal(found.points[8:], [[8, 8], [24, 8]])
    np.testing.assert_array_equal(found.strides, [8] * 8 + [16] * 2)
    corners = prior_points((16, 32), (8, 16), centred=False)
    np.testing.assert_array_equal(corners.points, found.points - found.strides[:, None] / 2)
    assert len(prior_points(64, (8, 16))) == 80


def test_pictures_that_cells_do_not_fill_are_refused():
    with pytest.raises(
        ExperimentError, match="cells of 16 pixels do not fill a picture of 64 x 40"
    ):
        prior_points((64, 40), (8, 16))
    with pytest.raises(ExperimentError, match="without levels"):
        prior_points(64, ())
