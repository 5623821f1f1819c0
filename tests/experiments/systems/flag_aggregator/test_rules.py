"""Rivals are what they are defined to be, and attacks do what they say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.gradients import WORKERS, drawn

from experiments.systems.flag_aggregator.attacks import ATTACKS
from experiments.systems.flag_aggregator.rules import ROBUST, RULES
from ntkexec.errors import ExperimentError


@jax.jit
def by_rules(rows):
    return {name: rule(rows, 1) for name, rule in RULES.items()}


@jax.jit
def by_attacks(rows, faulty):
    return {name: attack(rows, faulty, jax.random.key(0)) for name, attack in ATTACKS.items()}


def by_definition(name, x, f):
    """Rivals as loops over coordinates and subsets."""
    p, n = x.shape
    near = lambda values, centre, k: np.mean(sorted(values, key=lambda v: abs(v - centre))[:k])  # noqa: E731
    trimmed = [np.mean(sorted(x[:, j])[f : p - f]) for j in range(n)]
    if name == "trimmed mean":
        return trimmed
    if name == "median":
        return np.median(x, 0)
    if name == "MeaMed":
        return [near(x[:, j], np.median(x[:, j]), p - f) for j in range(n)]
    if name == "Phocas":
        return [near(x[:, j], trimmed[j], p - f) for j in range(n)]

    def krum(left):
        def score(i):
            return sum(
                sorted(np.sum((x[i] - x[k]) ** 2) for k in left if k != i)[
                    : max(len(left) - f - 2, 1)
                ]
            )

        return sorted(left, key=score)

    if name == "Multi-Krum":
        return x[krum(range(p))[: p - f - 2]].mean(0)
    left, chosen = list(range(p)), []
    while len(chosen) < p - 2 * f:
        chosen.append(krum(left)[0])
        left.remove(chosen[-1])
    picked = x[chosen]
    return [near(picked[:, j], np.median(picked[:, j]), p - 4 * f) for j in range(n)]


@pytest.mark.parametrize("seed", [2, 3])
def test_rivals_are_what_they_are_defined_to_be(seed):
    gradients = drawn(seed, length=5).astype(np.float32)
    found = by_rules(gradients)
    for name in set(ROBUST) - {"geometric median"}:
        expected = by_definition(name, gradients, 1)
        np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=1e-6, err_msg=name)
    # Eight steps leave little of the sum of distances that a step to any side could still save.
    sums = lambda point: np.linalg.norm(gradients - point, axis=1).sum()  # noqa: E731
    centre = np.asarray(found["geometric median"])
    assert sums(centre) < min(sums(centre + step) for step in (*0.1 * np.eye(5), *-0.1 * np.eye(5)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_whom_no_numbers_come_from_a_rule_that_resists_is_not_moved_by(bad):
    gradients = drawn(2, length=5).astype(np.float32)
    gradients[3, 2] = bad
    others = np.delete(gradients, 3, 0)
    for name, result in by_rules(gradients).items():
        if name == "mean":
            continue
        assert np.isfinite(result).all(), name
        if name in ROBUST:
            assert (others.min(0) <= result).all(), name
            assert (result <= others.max(0)).all(), name


def test_every_rule_gives_back_what_all_agree_on_and_refuses_too_few():
    same = np.tile(np.float32([[3, 4, 0, 0, 0]]), (WORKERS, 1))
    for name, found in by_rules(same).items():
        # Flags give the sum of the directions over the dimension, 4, and 1 where a line is taken.
        length = {"flag": 7 / 4, "flag, a line": 7, "flag by gap": 7, "normalised mean": 1}.get(
            name, 5
        )
        np.testing.assert_allclose(found, length * np.array([0.6, 0.8, 0, 0, 0]), rtol=1e-5)
    for name in ("trimmed mean", "Multi-Krum", "Bulyan"):
        with pytest.raises(ExperimentError, match=r"needs .* workers or more, and there are 7"):
            RULES[name](same, 4)


def test_attacks_touch_the_faulty_alone_and_do_what_they_say():
    gradients, faulty = jnp.asarray(drawn(length=4000), jnp.float32), jnp.arange(WORKERS) >= 5
    honest = gradients[:5]
    sent = by_attacks(gradients, faulty)
    for found in sent.values():
        np.testing.assert_array_equal(found[:5], honest)
    wrong = {name: np.asarray(found[5:]) for name, found in sent.items()}
    np.testing.assert_array_equal(wrong["none"], gradients[5:])
    np.testing.assert_array_equal(wrong["reverse"], -10 * gradients[5:])
    # A tenth is lost, up to four deviations.
    assert abs((wrong["drop"] == 0).mean() - 0.1) < 4 * np.sqrt(0.09 / 8000)
    np.testing.assert_allclose(wrong["IPM"], np.tile(-0.1 * honest.mean(0), (2, 1)), atol=1e-5)
    # 7 workers, 2 of them faulty: 4 - 2 supporters are needed, so z leaves 3 of 5 below.
    moved = (honest.mean(0) - wrong["ALIE"][0]) / honest.std(0)
    np.testing.assert_allclose(moved, 0.2533, atol=1e-3)
    assert wrong["random"].min() >= 0
    assert abs(wrong["random"].mean() - 0.5) < 0.02
    lengths = np.linalg.norm(wrong["Gaussian"], axis=1)
    np.testing.assert_allclose(lengths, np.linalg.norm(gradients[5:], axis=1), rtol=1e-5)


@pytest.mark.slow
def test_attacks_see_a_tree_as_one_row_of_numbers():
    rows, faulty = jnp.asarray(drawn(length=15), jnp.float32), jnp.arange(WORKERS) >= 5
    tree = {"a": rows[:, :3], "b": rows[:, 3:].reshape(WORKERS, 4, 3)}
    for name, attack in ATTACKS.items():
        sent = attack(tree, faulty, jax.random.key(0))
        expected = attack(rows, faulty, jax.random.key(0))
        np.testing.assert_array_equal(sent["a"], expected[:, :3], err_msg=name)
        np.testing.assert_array_equal(sent["b"].reshape(WORKERS, 12), expected[:, 3:])
