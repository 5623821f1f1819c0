"""The T network by its integers, the score by hand, the search within its budget, losses by plain loops."""

import dataclasses
import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.slow_assigners import SLOW, overlap

from experiments.harness.study import Trial
from experiments.kits.convnets.walker import walk_function
from experiments.kits.costs import num_parameters
from experiments.kits.detection.assigners import ASSIGNERS, truths_of
from experiments.kits.detection.fitting import DetectorFit
from experiments.kits.detection.head import Predictions
from experiments.kits.detection.priors import prior_points
from experiments.kits.detection.scenes import Scenes
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.damo_yolo import (
    Architecture,
    Backbone,
    DamoYolo,
    Objective,
    RepGFPN,
    Space,
    Stage,
    Taught,
    channel_distillation,
    entropy,
    entropy_score,
    evolve,
    fused,
    study,
    study_exact,
)
from experiments.vision.damo_yolo.backbone import TINY, focused
from experiments.vision.damo_yolo.distillation import (
    TaughtObjective,
    lesson_variables,
    student_variables,
)
from experiments.vision.damo_yolo.entropy import level_entropies, multiplications
from experiments.vision.damo_yolo.study_config import TINY as TINY_CONFIG
from experiments.vision.damo_yolo.study_config import digit_detector
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64


def shape_of(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def test_the_fused_t_network_has_the_published_parameters_and_strides():
    model, picture = DamoYolo(), shape_of(1, 64, 64, 3)
    variables = jax.eval_shape(lambda x: fused(model.init(jax.random.key(0), x)), picture)
    assert num_parameters(variables["params"]) == 8_473_911
    assert model.strides == (8, 16, 32)
    assert TINY.features == (24, 64, 96, 192, 384)
    found = jax.eval_shape(model.apply, variables, picture)
    assert found.scores_logits.shape == (1, 84, 80)
    assert found.distances_logits.shape == (1, 84, 4, 17)


def test_the_score_of_the_t_network_is_the_sum_by_hand():
    def half_log(*terms):
        return 0.5 * sum(math.log(channels * side**2) for channels, side in terms)

    stem = half_log((12, 3))
    first = stem + half_log((24, 1), (24, 3), (64, 1), (24, 3))
    second = first + half_log((64, 1), (64, 3), (96, 1), (64, 3))
    third = second + half_log((96, 1), (96, 3), (192, 1), (96, 3))
    third += 2 * half_log((192, 1), (152, 3))
    last = third + half_log((192, 1), (192, 3))
    by_hand = [stem, first, second, third, last]
    widths = (24, 64, 96, 192, 384)
    wanted = [level + math.log(width) for level, width in zip(by_hand, widths, strict=True)]
    np.testing.assert_allclose(level_entropies(TINY), wanted, rtol=1e-14)
    score = wanted[2] + wanted[3] + 6 * wanted[4]
    assert entropy_score(TINY) == pytest.approx(score, rel=1e-14)
    with pytest.raises(ExperimentError, match=r"3 weights for 5 strides: .* 2, 4, 8, 16, 32"):
        entropy_score(TINY, (1, 1, 1))


@pytest.mark.parametrize("count", [1, 3, 6])
def test_the_score_weighs_the_deepest_strides_of_any_backbone(count):
    stages = (Stage(16, 8, 1, 1), *[Stage(16, 8, 2, 1)] * (count - 1))
    one = Architecture(16, stages)
    wanted = ((0, 0, 0, 0, 0, 1, 1, 6) if count > 2 else (6,))[-count:]
    assert entropy_score(one) == pytest.approx(np.dot(wanted, level_entropies(one)), rel=1e-14)
    room = Space((1, *[2] * (count - 1)), (8, 16), (16, 32), (8,), (1,), (3,))
    found = evolve(room, np.random.default_rng(0), evaluations=20)
    assert found.value == entropy_score(room.architecture(found.best))


def test_the_measured_entropy_is_the_ports_score_and_no_other(monkeypatch):
    config, trial = dataclasses.replace(TINY_CONFIG, draws=20, stacks=2), Trial("entropy", 0)
    assert abs(study_exact.deviations(config, trial)["linear"]) < 0.05
    for wrong in (lambda found: 0 * found, lambda found: found + 0.1):

        def of(architecture, wrong=wrong):
            return tuple(wrong(np.array(level_entropies(architecture))))

        monkeypatch.setattr(entropy, "level_entropies", of)
        assert abs(study_exact.deviations(config, trial)["linear"]) > 0.05


def test_random_draws_could_find_the_largest_too_where_there_is_little_to_draw(monkeypatch):
    monkeypatch.setattr(study_exact, "ROOM", Space((2, 2), (8,), (8, 64), (8, 64), (1,), (3,)))
    found = study_exact.search(TINY_CONFIG, Trial("search", 0))
    assert found["not_largest"] == found["not_largest_at_random"] == 0


def test_the_record_is_the_same_whether_the_teacher_was_kept_or_not(monkeypatch, tmp_path):
    times = []

    def fit(network, shown, loss, *, variables, **given):
        times.append(network)
        return DetectorFit(variables, np.zeros(12, np.float32))

    leaf = {"params": {"a": np.ones(2, np.float32)}, "batch_stats": {"a": np.ones(2, np.float32)}}
    precision = SimpleNamespace(ap=0.0, ap50=0.0)
    monkeypatch.setattr(study, "fit_detector", fit)
    monkeypatch.setattr(study, "evaluate", lambda *given, **named: precision)
    monkeypatch.setattr(study, "detect", lambda *given, **named: [])
    monkeypatch.setattr(study, "compared", lambda *given: None)
    scenes = Scenes(
        np.zeros((4, 64, 64, 3), np.float32), np.zeros((4, 1, 4)), np.full((4, 1), -1), ("0",)
    )
    monkeypatch.setattr(study, "_scenes", lambda config, generator: (scenes, scenes))
    monkeypatch.setattr(study, "_initial", lambda network, seed, _config: leaf)
    monkeypatch.setattr(study, "student_variables", lambda variables: variables)
    trial = Trial("trained", 0, folder=tmp_path / "seed-0")
    first, second = (study.trained(TINY_CONFIG, trial) for _ in range(2))
    assert first == second
    arms = 2 + len(TINY_CONFIG.rivals)
    assert len(times) == 2 * arms + TINY_CONFIG.rounds


def test_multiplications_by_formula_are_those_of_the_walk_through_the_fused_backbone():
    given = Architecture(8, (Stage(12, 6, 2, 2, 5), Stage(16, 10, 1, 2), Stage(20, 8, 2, 2)))
    model, picture = Backbone(given), shape_of(1, 32, 32, 3)
    variables = jax.eval_shape(lambda x: fused(model.init(jax.random.key(0), x)), picture)
    found = walk_function(model.apply, variables, picture)
    assert found.multiplications == multiplications(given, 32)
    maps = jax.eval_shape(model.apply, variables, picture)
    assert [each.shape[1:] for each in maps] == [(16, 16, 8), (8, 8, 16), (4, 4, 20)]


def test_stages_and_pictures_that_make_no_sense_are_refused():
    for stage in ({"kernel": 4}, {"strides": 3}, {"blocks": 0}):
        with pytest.raises(ExperimentError):
            dataclasses.replace(Stage(8, 8, 2, 1), **stage)
    for name in ("features", "bottleneck", "strides", "blocks", "kernel"):
        for value in (1.0, 8.5, True, "3"):
            with pytest.raises(ExperimentError, match=f"{name} of Stage is a whole number"):
                dataclasses.replace(Stage(8, 8, 2, 1), **{name: value})
    with pytest.raises(ExperimentError, match="stem of Architecture"):
        Architecture(8.0, (Stage(8, 8, 2, 1),))
    student = digit_detector(8)
    for given, said in (
        ((None, student, 1), "a student is a DamoYolo, not None"),
        ((student, "wide", 1), "a teacher is a DamoYolo, not 'wide'"),
        ((student, student, 0), "not 0 and 1"),
        ((student, student, 2.5), "steps of Taught is a whole number"),
        ((student, DamoYolo(), 1), "strides are"),
    ):
        with pytest.raises(ExperimentError, match=said):
            Taught(*given)
    with pytest.raises(ExperimentError, match="multiples of 32"):
        jax.eval_shape(DamoYolo().init, jax.random.key(0), shape_of(1, 48, 64, 3))
    with pytest.raises(ExperimentError, match="three maps become three"):
        jax.eval_shape(RepGFPN((8, 8, 8)).init, jax.random.key(0), [shape_of(1, 4, 4, 8)])


def test_blocks_of_four_pixels_are_channels_column_by_column():
    image = np.arange(16.0).reshape(1, 4, 4, 1)
    assert focused(image)[0, 0, 1].tolist() == [2, 6, 3, 7]


SMALL = Space((2, 2, 2, 2), (8, 16), (16, 32, 64), (8, 16), (1, 2), (3, 5))


def test_without_a_budget_the_search_finds_the_largest_and_with_one_it_keeps_to_it():
    largest = tuple(options[-1] for options in SMALL.choices.options.values())
    free = evolve(SMALL, np.random.default_rng(0), evaluations=2000)
    assert free.best == largest
    assert free.value == max(free.values) == entropy_score(SMALL.architecture(largest))

    def cost(architecture):
        return multiplications(architecture, 64)

    limit = cost(SMALL.architecture(largest)) / 4
    for seed in range(3):
        generator = np.random.default_rng(seed)
        bound = evolve(SMALL, generator, evaluations=300, cost=cost, limit=limit)
        assert all(cost(SMALL.architecture(each)) <= limit for each in bound.candidates)
        drawn = [SMALL.choices.sample(generator) for _ in range(300)]
        within = [SMALL.architecture(each) for each in drawn]
        scores = [entropy_score(each) for each in within if cost(each) <= limit]
        assert bound.value > max(scores)
    for half, said in (
        ({"cost": cost}, "cost needs a limit"),
        ({"limit": 9}, "limit needs a cost"),
    ):
        with pytest.raises(ExperimentError, match=said):
            evolve(SMALL, np.random.default_rng(0), evaluations=3, **half)
    with pytest.raises(ExperimentError, match="smallest backbone"):
        evolve(SMALL, np.random.default_rng(0), evaluations=3, cost=cost, limit=1)


def plain_loss(scores, logits, priors, truths, labels, assign):
    """The objective prior by prior, from probabilities."""
    bins = logits.shape[-1]
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    focal = boxed = weights = taken = 0.0
    for row in range(len(scores)):
        sides = chances[row] @ np.arange(bins) * priors.strides[:, None]
        boxes = np.concatenate([priors.points - sides[:, :2], priors.points + sides[:, 2:]], 1)
        there = labels[row] >= 0
        objects, kinds = truths[row][there], labels[row][there]
        owner, _ = assign(scores[row], boxes, priors.points, priors.strides, objects, kinds)
        for prior, number in enumerate(owner):
            asked = np.zeros(scores.shape[-1])
            if number >= 0:
                box, wanted = boxes[prior], objects[number]
                asked[kinds[number]] = overlap(box, wanted)
                hull = np.maximum(box[2:], wanted[2:]) - np.minimum(box[:2], wanted[:2])
                areas = [np.prod(each[2:] - each[:2]) for each in (box, wanted)]
                union = sum(areas) / (1 + overlap(box, wanted))
                giou = overlap(box, wanted) - (hull.prod() - union) / hull.prod()
                corner = np.concatenate(
                    [priors.points[prior] - wanted[:2], wanted[2:] - priors.points[prior]]
                )
                target = np.clip(corner / priors.strides[prior], 0, bins - 1.1)
                low = np.floor(target).astype(int)
                picked = (
                    chances[row, prior][np.arange(4), low],
                    chances[row, prior][np.arange(4), low + 1],
                )
                spread = -(low + 1 - target) * np.log(picked[0]) - (target - low) * np.log(
                    picked[1]
                )
                weight = scores[row, prior].max()
                boxed += weight * (2 * (1 - giou) + 0.25 * spread.mean())
                weights, taken = weights + weight, taken + 1
            p = scores[row, prior]
            crossed = -asked * np.log(p) - (1 - asked) * np.log(1 - p)
            focal += (crossed * (asked - p) ** 2).sum()
    return focal / max(taken, 1) + boxed / max(weights, 1)


def test_the_objective_is_the_one_by_plain_loops_for_each_assigner():
    generator = np.random.default_rng(4)
    priors = prior_points(32, (8, 16))
    count = len(priors)
    middles, halves = generator.uniform(8, 24, (2, 3, 2)), generator.uniform(3, 8, (2, 3, 2))
    truths = np.concatenate([middles - halves, middles + halves], -1)
    labels = np.array([[0, 2, 1], [1, -1, -1]])
    logits = generator.normal(size=(2, count, 3))
    distances = generator.normal(size=(2, count, 4, 5))
    names = ("align_ota_code", "align_ota_paper")
    several = Objective(tuple(ASSIGNERS[name] for name in names))

    @jax.jit
    def losses(logits, distances, boxes):
        predictions, objects = Predictions(logits, distances), truths_of(boxes, labels)
        return [several(predictions, objects, priors, number) for number in range(2)]

    with float64():
        found = [float(each) for each in losses(logits, distances, truths)]
    scores = 1 / (1 + np.exp(-logits))
    for name, loss in zip(names, found, strict=True):
        wanted = plain_loss(scores, distances, priors, truths, labels, SLOW[name])
        assert loss == pytest.approx(wanted, rel=1e-6)  # points are float32
    assert found[0] != found[1]


def test_channel_distillation_is_the_mean_divergence_over_channels():
    student, teacher = np.random.default_rng(2).normal(size=(2, 2, 3, 4, 5))
    total = 0.0
    for row in range(2):
        for channel in range(5):
            ours, theirs = (
                np.exp(maps[row, ..., channel] / 2) / np.exp(maps[row, ..., channel] / 2).sum()
                for maps in (student, teacher)
            )
            total += (theirs * np.log(theirs / ours)).sum()
    found = channel_distillation(student, teacher, temperature=2.0)
    assert float(found) == pytest.approx(4 * total / 10, rel=1e-5)


def lesson():
    student, teacher = digit_detector(8), digit_detector(16)
    generator, picture = np.random.default_rng(0), np.ones((2, 64, 64, 3), np.float32)
    variables = [initial_by_numpy(each, generator, picture[:1]) for each in (student, teacher)]
    pairs = zip(student.features, teacher.features, strict=True)
    aligning = [generator.normal(size=pair).astype(np.float32) for pair in pairs]
    return Taught(student, teacher, 10), lesson_variables(*variables, aligning), picture


@pytest.mark.slow
def test_a_lesson_keeps_its_teacher_counts_its_steps_and_gives_the_student_back():
    taught, variables, picture = lesson()

    def step(variables, images):
        return taught.apply(
            variables, images, train=True, mutable=["batch_stats", "teacher", "moment"]
        )

    said, changed = jax.eval_shape(step, variables, picture)
    assert said.apart.shape == ()
    assert jax.tree.structure(changed["teacher"]) == jax.tree.structure(variables["teacher"])
    assert changed["moment"]["steps"].shape == ()
    assert taught.strides == (4, 8, 16)
    own = student_variables(variables)
    found = jax.eval_shape(taught.student.apply, own, picture)
    assert found.scores_logits.shape == said.predictions.scores_logits.shape


@pytest.mark.slow
def test_the_share_is_the_weight_of_the_lesson_and_the_teacher_stays():
    taught, variables, picture = lesson()
    picture = np.random.default_rng(3).uniform(size=picture.shape).astype(np.float32)

    @jax.jit
    def step(variables, share):
        return taught.apply(
            variables, picture, share, train=True, mutable=["batch_stats", "teacher", "moment"]
        )

    first, changed = step(variables, 1.0)
    silent, _ = step(variables, 0.0)
    assert float(silent.apart) == 0 < float(first.apart)
    later, _ = step({**variables, **changed, "moment": {"steps": jnp.float32(10)}}, 1.0)
    assert float(changed["moment"]["steps"]) == 1
    assert 0.05 < float(later.apart) / float(first.apart) < 0.2  # a tenth, of almost the same maps
    jax.tree.map(np.testing.assert_array_equal, changed["teacher"], variables["teacher"])


def test_a_training_looks_at_the_assigners_of_the_loss_of_a_lesson():
    both = ASSIGNERS["align_ota_code"], ASSIGNERS["sim_ota"]
    assert TaughtObjective(Objective(both)).assigners == both
