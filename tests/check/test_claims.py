"""Verdicts: what counts as holding."""

import numpy as np
import pytest

from ntkexec.check import COLOURS, Check, Measurement, Outcome, carry_out, counts, in_words
from ntkexec.errors import MissingExtraError


def outcome(relation="at most", bound=1.0, **measured):
    check = Check(
        "name", "claim", "source", "how", bound, "theory", lambda: None, relation=relation
    )
    return Outcome(check, Measurement(**measured))


def test_a_verdict_needs_the_whole_interval_within_the_bound():
    assert outcome(value=1.0).verdict == "holds"
    assert outcome(value=1.1).verdict == "fails"
    assert outcome(value=0.9, interval=(0.8, 1.0)).verdict == "holds"
    assert outcome(value=1.2, interval=(1.1, 1.3)).verdict == "fails"


def test_a_lower_bound_needs_the_whole_interval_above_it():
    assert outcome("at least", value=1.0).verdict == "holds"
    assert outcome("at least", value=0.9).verdict == "fails"
    assert outcome("at least", value=0.8, interval=(0.7, 0.9)).verdict == "fails"
    assert outcome("at least", value=1.1, interval=(1.0, 1.3)).verdict == "holds"


@pytest.mark.parametrize("relation", ["at most", "at least"])
@pytest.mark.parametrize("value", [0.9, 1.0, 1.1])
def test_an_interval_that_contains_the_bound_decides_nothing(relation, value):
    found = outcome(relation, value=value, interval=(0.8, 1.2))
    assert found.verdict == "undecided"
    assert found.to_data()["verdict"] == "undecided"


def test_rounding_refutes_nothing_and_more_than_rounding_does():
    # 0.1 + 0.2 - 0.3 is not 0, and 0.7 + 0.2 + 0.1 not 1.
    assert outcome(value=0.1 + 0.2 - 0.3, bound=0.0).verdict == "holds"
    assert outcome("at least", value=0.7 + 0.2 + 0.1).verdict == "holds"
    assert outcome("at least", value=0.9, interval=(0.7 + 0.2 + 0.1, 1.2)).verdict == "holds"
    assert outcome(value=1e6 * (1 + 1e-15), bound=1e6).verdict == "holds"
    for bound in (0.0, 1e-6, 1.0):
        assert outcome(value=bound + 1e-14, bound=bound).verdict == "fails"
        assert outcome("at least", value=bound - 1e-14, bound=bound).verdict == "fails"
    assert outcome(value=1.0, bound=0.0).verdict == "fails"


def test_verdicts_are_counted_each_by_itself():
    found = [
        outcome(value=0.5),
        outcome(value=2.0),
        outcome(value=1.0, interval=(0.5, 1.5)),
        outcome(value=1.0, interval=(0.5, 1.5)),
        outcome(reason="no GPU here"),
    ]
    assert counts(found) == {"holds": 1, "fails": 1, "undecided": 2, "not measured": 1}
    assert in_words(found) == "1 holds, 1 fails, 2 undecided, 1 not measured"
    assert COLOURS.keys() == counts(found).keys()


def test_a_value_that_is_not_a_number_never_holds():
    assert outcome(value=np.nan).verdict == "fails"
    assert outcome("at least", value=np.nan).verdict == "fails"
    assert outcome(value=np.nan, interval=(0.0, 0.5)).verdict == "fails"
    assert outcome(value=0.5, interval=(np.nan, 0.5)).verdict == "fails"
    assert outcome(value=0.5, interval=(0.0, np.nan)).verdict == "fails"


def test_what_was_not_measured_is_neither_right_nor_wrong():
    assert outcome(reason="no GPU here").verdict == "not measured"


def test_without_an_extra_nothing_is_measured():
    def measure(_):
        raise MissingExtraError("needs matplotlib")

    found = carry_out(Check("name", "claim", "source", "how", 1.0, "theory", measure), None)
    assert found.verdict == "not measured"
    assert found.to_data()["reason"] == "needs matplotlib"


def test_the_log_names_a_check_before_it_runs_and_its_verdict_after(caplog):
    def measure(_):
        assert caplog.messages == ["name ..."]
        return Measurement(0.5)

    with caplog.at_level("INFO", "ntkexec"):
        carry_out(Check("name", "claim", "source", "how", 1.0, "theory", measure), None)
    assert caplog.messages[1].startswith("name: holds, ")
