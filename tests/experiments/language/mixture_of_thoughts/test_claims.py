"""What claims of the mixture say of records that were made up."""

import pytest

from experiments.harness.study import Record
from experiments.language.mixture_of_thoughts.claims import CLAIMS, RESOLUTION
from experiments.language.mixture_of_thoughts.study import STUDIES
from ntkexec.check import Outcome

PEERS = next(claim for claim in CLAIMS if claim.name == "peers")
SPREAD = (-0.01, 0.0, 0.01)


def verdicts(staged, foreign, router_only):
    """Of the claim and of its twin, for three seeds of shares on texts of two problems."""
    records = [
        Record(seed, {"trained": {arm: {"pair": share + off} for arm, share in shares.items()}})
        for seed, (off, *given) in enumerate(zip(SPREAD, staged, foreign, router_only, strict=True))
        for shares in [dict(zip(("staged", "staged_foreign", "router_only"), given, strict=True))]
    ]
    return tuple(Outcome(PEERS, of(records)).verdict for of in (PEERS.measure, PEERS.broken))


def test_peers_need_a_gain_of_which_most_is_lost():
    # Lost is more than three quarters of no gain, and of less than none.
    assert verdicts([0.30, 0.31, 0.29], [0.10] * 3, [0.50] * 3)[0] == "fails"
    assert verdicts([0.50, 0.51, 0.49], [0.10] * 3, [0.50] * 3)[0] == "undecided"
    gain = [0.70, 0.71, 0.69]
    assert verdicts(gain, [0.51] * 3, [0.50] * 3) == ("holds", "fails")
    assert verdicts(gain, [0.65] * 3, [0.50] * 3)[0] == "fails"
    assert verdicts(gain, [0.55] * 3, [0.50] * 3)[0] == "undecided"
    # A gain under one seed, and one of a single text under every seed.
    assert verdicts([0.50, 0.80, 0.50], [0.10] * 3, [0.50] * 3)[0] == "undecided"
    assert verdicts([0.50 + 1 / 600] * 3, [0.10] * 3, [0.50] * 3) == ("undecided", "undecided")


@pytest.mark.parametrize("claim", [one for one in CLAIMS if one.relation == "at least"])
def test_one_text_under_every_seed_decides_nothing(claim):
    config, seeds = STUDIES.config("quick"), STUDIES.num_seeds
    assert (seeds + 1) / config.tests == RESOLUTION
    plain = {"seen": 0.5, "unseen": 0.5, "pair": 0.5}
    arms = ("best", "average", "router_only", "plain", "staged_alone", "staged_foreign")
    for one in (1 / config.tests, -1 / config.tests):
        better = {name: share + one for name, share in plain.items()}
        better["seen"] = plain["seen"] + one / 2
        trained = {**dict.fromkeys(arms, plain), "mixture": better, "staged": better}
        records = [Record(seed, {"trained": trained}) for seed in range(seeds)]
        assert Outcome(claim, claim.measure(records)).verdict == "undecided"
