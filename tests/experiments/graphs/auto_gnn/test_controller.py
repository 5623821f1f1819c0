"""The controller keeps its best, moves one encoder at a time, and its gradient is the right one."""

import dataclasses
import math

import jax
import numpy as np
import pytest

from experiments.graphs.auto_gnn import ArchitectureSpace, Controller, search
from experiments.graphs.auto_gnn.controller import rcnas
from experiments.graphs.auto_gnn.searching import RCNAS
from experiments.graphs.auto_gnn.space import OPTIONS
from experiments.kits.search.ledger import Ledger
from experiments.kits.search.methods import METHODS, score, softmax
from ntkexec.errors import ExperimentError

SPACE = ArchitectureSpace()
SETTINGS = {"hidden": 8, "learning_rate": 0.02}


def controller(seed=0, **changed):
    generator = np.random.default_rng(seed)
    first = SPACE.choices.sample(generator)
    made = Controller.start(SPACE, first, 0.0, generator, **SETTINGS)
    return dataclasses.replace(made, **changed), generator


def test_the_policy_gradient_is_the_gradient_of_the_mean_reward_whatever_the_baseline():
    # By enumeration over the seven attentions; each part is summed, nothing is drawn.
    generator = np.random.default_rng(0)
    for _ in range(20):
        logits, rewards = generator.normal(size=(2, 7))
        chances = softmax(logits)
        wanted = chances * (rewards - chances @ rewards)  # of sum_a p_a R_a, by hand
        for baseline in (0.0, -3.0, float(chances @ rewards)):
            found = sum(
                chances[a] * (rewards[a] - baseline) * score(logits, np.array(a)) for a in range(7)
            )
            np.testing.assert_allclose(found, wanted, atol=1e-12)
        # A baseline that already holds the reward it is taken from is no baseline.
        late = sum(
            chances[a]
            * (rewards[a] - (0.95 * 1.0 + 0.05 * rewards[a]))
            * score(logits, np.array(a))
            for a in range(7)
        )
        np.testing.assert_allclose(late, 0.95 * wanted, atol=1e-12)


def test_a_reward_above_the_baseline_makes_its_choice_likelier_in_its_own_encoder_alone():
    made, generator = controller()
    made = dataclasses.replace(made, baselines=dict.fromkeys(made.baselines, 0.0))
    proposal = made.propose(generator)
    before = made.distribution(proposal.kind)[range(2), proposal.places]
    for sign in (1, -1):
        # The best one's score is lowered with the reward's sign, so that the best stays what it is.
        level = dataclasses.replace(made, value=10.0, baselines={
            **made.baselines, proposal.kind: -5.0 - sign})  # fmt: skip
        after = level.learn(proposal, 5.0)
        assert after.best == made.best
        others = [kind for kind in made.encoders if kind != proposal.kind]
        assert all(after.encoders[kind] is made.encoders[kind] for kind in others)
        assert all(after.moments[kind] is made.moments[kind] for kind in others)
        chances = after.distribution(proposal.kind)[range(2), proposal.places]
        assert sign * np.log(chances / before).sum() > 0
        # What `learn` says of the new logits is what the new encoder says.
        fresh = dataclasses.replace(after, known={})
        np.testing.assert_allclose(fresh.distribution(proposal.kind)[range(2), proposal.places],
                                   chances, rtol=1e-5)  # fmt: skip


def test_entropies_are_within_their_bounds_and_no_option_ever_dies():
    made, generator = controller()
    for _ in range(5):
        wild = {
            kind: jax.tree.map(lambda p: 50 * generator.normal(size=p.shape).astype(p.dtype), each)
            for kind, each in made.encoders.items()
        }
        one = dataclasses.replace(made, encoders=wild, known={})
        for kind, entropy in one.entropies().items():
            number = len(OPTIONS[kind])
            assert 0 <= entropy <= 2 * math.log(number) + 1e-12
            least = math.exp(-5) / (number - 1 + math.exp(-5))
            chances = one.distribution(kind)
            assert chances.shape == (2, number)
            assert chances.min() >= least * (1 - 1e-6)
            np.testing.assert_allclose(chances.sum(1), 1, rtol=1e-12)


def test_argmax_guidance_begins_with_the_kind_of_most_options():
    made, _ = controller()
    blank = {
        kind: each._replace(head=0 * each.head, head_bias=0 * each.head_bias)
        for kind, each in made.encoders.items()
    }
    made = dataclasses.replace(made, encoders=blank, known={})
    entropies = made.entropies()
    for kind, options in OPTIONS.items():
        assert entropies[kind] == pytest.approx(2 * math.log(len(options)), rel=1e-12)
    assert made.guide("argmax")["activation"] == 1
    assert made.guide("softmax")["activation"] == pytest.approx(64 / 211, rel=1e-12)
    assert made.guide("uniform")["activation"] == pytest.approx(1 / 6, rel=1e-12)


def test_the_best_never_falls_and_its_successor_differs_in_one_kind():
    made, generator = controller(3)
    value = float(np.random.default_rng(1).normal())
    made = dataclasses.replace(made, value=value)
    scores = np.random.default_rng(2)
    for _ in range(40):
        proposal = made.propose(generator)
        old, new = (SPACE.architecture(each) for each in (made.best, proposal.candidate))
        differing = {
            kind
            for a, b in zip(old, new)
            for kind in OPTIONS
            if getattr(a, kind) != getattr(b, kind)
        }
        assert differing <= {proposal.kind}
        found = float(scores.normal())
        after = made.learn(proposal, found)
        assert after.value == max(made.value, found)
        assert after.best == (proposal.candidate if found > made.value else made.best)
        made = after


def test_one_search_runs_every_method_and_pays_for_what_it_sees():
    small = ArchitectureSpace(options={**OPTIONS, "hidden": (16,), "activation": ("relu",)})

    def evaluate(architecture):
        return float(sum(layer.heads for layer in architecture))

    for method in METHODS:
        found = search(evaluate, method, 8, generator=np.random.default_rng(0), space=small)
        assert len(found.values) == 8 == found.distinct
        assert evaluate(small.architecture(found.best)) == found.value
    with pytest.raises(ExperimentError, match="'annealing' is none of rcnas"):
        search(evaluate, "annealing", generator=np.random.default_rng(0))
    # The same shapes as above, so nothing is compiled anew.
    ledger = Ledger(lambda candidate: evaluate(SPACE.architecture(candidate)), 20)
    found = rcnas(SPACE, ledger, np.random.default_rng(0), **SETTINGS)
    assert (np.diff(found.best_so_far) >= 0).all()
    assert set(RCNAS) == {"rcnas", "rcnas uniform", "rcnas argmax"}
    fixed = ArchitectureSpace(options={kind: of[:1] for kind, of in OPTIONS.items()})
    with pytest.raises(ExperimentError, match="nothing to propose"):
        Controller.start(fixed, fixed.choices.decode(0), 0.0, np.random.default_rng(0))


@pytest.mark.slow
def test_a_controller_learns_which_action_pays_at_a_raised_rate_and_hardly_at_the_paper_s():
    chances = {}
    for rate in (0.02, 3.5e-4):
        generator = np.random.default_rng(0)
        first = SPACE.choices.sample(generator)
        made = Controller.start(SPACE, first, 10.0, generator, learning_rate=rate)
        for _ in range(400):  # the best one's score is out of reach, so only encoders change
            proposal = made.propose(generator)
            pays = proposal.kind == "attention" and proposal.places[0] == 2
            made = made.learn(proposal, float(pays))
        chances[rate] = float(made.distribution("attention")[0, 2])
    assert chances[0.02] > 0.5
    assert 1 / 7 < chances[3.5e-4] < 0.25  # from 1 / 7
