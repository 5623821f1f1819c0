"""Verdicts: what counts as holding."""

import numpy as np

from ntkexec.check import Check, Measurement, Outcome, carry_out
from ntkexec.errors import MissingExtraError


def outcome(relation="at most", **measured):
    check = Check("name", "claim", "source", "how", 1.0, "theory", lambda: None, relation=relation)
    return Outcome(check, Measurement(**measured))


def test_a_verdict_needs_the_whole_interval_within_the_bound():
    assert outcome(value=1.0).verdict == "holds"
    assert outcome(value=1.1).verdict == "fails"
    assert outcome(value=0.9, interval=(0.8, 1.1)).verdict == "fails"
    assert outcome(value=0.9, interval=(0.8, 1.0)).verdict == "holds"


def test_a_lower_bound_needs_the_whole_interval_above_it():
    assert outcome("at least", value=1.0).verdict == "holds"
    assert outcome("at least", value=0.9).verdict == "fails"
    assert outcome("at least", value=1.1, interval=(0.9, 1.3)).verdict == "fails"
    assert outcome("at least", value=1.1, interval=(1.0, 1.3)).verdict == "holds"


def test_a_value_that_is_not_a_number_never_holds():
    assert outcome(value=np.nan).verdict == "fails"
    assert outcome("at least", value=np.nan).verdict == "fails"
    assert outcome(value=np.nan, interval=(0.0, 0.5)).verdict == "fails"


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
