"""The curves and points of interference say what certificates with shared thresholds say."""

import pytest
from support.certificates import FLIPS, collision

from ntkexec.theory import predictor
from ntkexec.theory.interference import interference_curves


@pytest.mark.parametrize(("kind", "num_matches", "writers"), FLIPS)
def test_a_program_is_certified_exactly_if_all_interference_lies_below_the_curve(
    kind, num_matches, writers
):
    for more in (0, 1):
        found = collision(kind, num_matches, writers + more)
        record = interference_curves(found)
        (curve,) = record["curves"].values()
        assert curve == [
            predictor.capacity(m, writers + more + num_matches - 1)
            for m in range(2, num_matches + 1)
        ]
        below = [b["interference"] < curve[b["m"] - 2] for b in record["bits"]]
        assert all(below) == found.certified == (more == 0)
        assert max(b["interference"] for b in record["bits"]) == writers + more - 1
        assert record["verdict"] == found.verdict()
