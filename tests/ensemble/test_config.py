"""Options of an ensemble: out of range they are refused by name."""

import math
import re

import pytest

from ntkexec.ensemble import EnsembleConfig
from ntkexec.errors import EnsembleError


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"members": 0}, "members must be at least 1, got 0"),
        ({"members": -3}, "members must be at least 1, got -3"),
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"weight_std": 0.0}, "weight_std must be positive, got 0.0"),
        ({"weight_std": -1.0}, "weight_std must be positive"),
        ({"weight_std": math.nan}, "weight_std must be positive, got nan"),
        ({"bias_std": -0.1}, "bias_std cannot be negative, got -0.1"),
        ({"bias_std": math.nan}, "bias_std cannot be negative, got nan"),
        ({"tolerance": 0.0}, "tolerance must lie between 0 and 1, got 0.0"),
        ({"tolerance": 1.0}, "tolerance must lie between 0 and 1"),
        ({"tolerance": math.nan}, "tolerance must lie between 0 and 1"),
        ({"precision": "float16"}, "precision is float32 or float64, got 'float16'"),
        ({"seed": -1}, "seed must lie between 0 and"),
        ({"seed": 1 << 32}, "seed must lie between 0 and"),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused(wrong, message):
    with pytest.raises(EnsembleError, match=re.escape(message)):
        EnsembleConfig(**{"members": 1} | wrong)


def test_the_extreme_options_are_accepted():
    EnsembleConfig(members=1, width=1, weight_std=1e-3, bias_std=0.0, seed=0, tolerance=0.999)
    EnsembleConfig(members=1, seed=(1 << 32) - 1, precision="float64")
