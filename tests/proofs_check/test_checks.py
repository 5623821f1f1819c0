"""Every statement of proofs_check holds, and its broken variant is noticed."""

import dataclasses

import pytest

from ntkexec.check import carry_out
from proofs_check import registry

CHECKS = list(registry.checks().values())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_the_statement_holds(check):
    outcome = carry_out(check, "quick")
    assert outcome.verdict == "holds", outcome.measurement


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_broken_variant_is_noticed(check):
    assert check.broken is not None
    outcome = carry_out(dataclasses.replace(check, measure=check.broken), "quick")
    assert outcome.verdict == "fails", outcome.measurement
