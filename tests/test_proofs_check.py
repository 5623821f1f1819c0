"""Every statement of proofs_check holds, and every measurement notices a wrong theory."""

import numpy as np
import pytest

import proofs_check
from ntkexec import kernel
from ntkexec.certificate import Certificate
from ntkexec.check import Check, Measurement, Outcome, carry_out
from proofs_check import gram_spectrum, interference, kernels, padding


@pytest.mark.parametrize("check", proofs_check.CHECKS, ids=lambda check: check.name)
def test_the_statement_holds(check):
    outcome = carry_out(check, "quick")
    assert outcome.verdict == "holds", outcome.measurement


def test_a_wrong_kernel_is_caught(monkeypatch):
    right = kernel.arccosine_1
    monkeypatch.setattr(kernel, "arccosine_1", lambda u: right(u) * (1 + 1e-9))
    assert carry_out(kernels.CHECK, "quick").verdict == "fails"


def test_a_wrong_eigenvalue_is_caught(monkeypatch):
    monkeypatch.setattr(kernel, "NTK_GAP", kernel.NTK_GAP * (1 + 1e-9))
    assert carry_out(gram_spectrum.CHECK, "quick").verdict == "fails"


def test_a_criterion_that_is_too_loose_is_caught(monkeypatch):
    right = interference.predictor.capacity
    monkeypatch.setattr(interference.predictor, "capacity", lambda m, n0: right(m, n0) + 1)
    assert carry_out(interference.INSIDE, "quick").verdict == "fails"


def test_a_criterion_that_is_too_strict_is_caught(monkeypatch):
    right = interference.predictor.capacity
    monkeypatch.setattr(interference.predictor, "capacity", lambda m, n0: right(m, n0) - 1)
    assert carry_out(interference.OUTSIDE, "quick").verdict == "fails"


def test_too_little_padding_is_caught(monkeypatch):
    right = padding.padding_needed
    monkeypatch.setattr(padding, "padding_needed", lambda certificate: right(certificate) - 1)
    assert carry_out(padding.CHECK, "quick").verdict == "fails"


def test_a_threshold_above_the_smallest_one_is_caught(monkeypatch):
    right = Certificate.thresholds.func
    monkeypatch.setattr(Certificate, "thresholds", property(lambda self: 2.1 * right(self)))
    assert carry_out(interference.INSIDE, "quick").verdict == "fails"


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
