"""What is measured: exact statements elsewhere; here detectors of digits, by assigner and by teacher."""

from typing import Any, TypedDict

import jax.numpy as jnp
import numpy as np

from experiments.harness.study import Studies, Trial
from experiments.kits.detection.assigners import ASSIGNERS
from experiments.kits.detection.digits import digit_glyphs, digit_scenes
from experiments.kits.detection.drawing import compared
from experiments.kits.detection.fitting import SCENE_SIZES, detect, evaluate, fit_detector
from experiments.kits.detection.scenes import Scenes
from experiments.kits.detection.weights import kept_weights
from experiments.kits.initialisation import initial_by_numpy, lecun_normal
from experiments.vision.damo_yolo.distillation import (
    Taught,
    TaughtObjective,
    lesson_variables,
    student_variables,
)
from experiments.vision.damo_yolo.objective import Objective
from experiments.vision.damo_yolo.study_config import (
    CLASSES,
    QUICK,
    STANDARD,
    TINY,
    DamoYoloConfig,
    digit_detector,
)
from experiments.vision.damo_yolo.study_exact import (
    alignment,
    conflicts,
    counts,
    deviations,
    fusion,
    search,
    shifts,
)

OWN = "align_ota_code"
"""The assigner of the released code, with which teacher and student are trained."""
WEIGHTS = "detector"
"""By which the teacher's weights are kept and found."""
SHOWN = 4
"""Scenes on the page."""


class TrainedResult(TypedDict):
    """By arm: average precisions on held-out scenes, and the last losses of what every run trains, so not of
    the teacher, whose weights are kept; the arms are assigners, `untrained`, `teacher` and `taught`. Scenes
    as the teacher sees them.
    """

    ap50: dict[str, float]
    ap: dict[str, float]
    loss: dict[str, float]
    scenes: Any


def trained(config: DamoYoloConfig, trial: Trial) -> TrainedResult:
    """One small detector with each assigner, one trained longer, and one taught by that.

    All begin with the same weights and see the same pictures in the same order; where the teacher is
    another network, it begins with its own.
    """
    shown, held_out = _scenes(config, trial.generator)
    start, order = (int(seed) for seed in trial.generator.integers(2**32, size=2))
    student, teacher = digit_detector(config.width), digit_detector(config.teacher_width)
    names = (OWN, *config.rivals)
    objective = Objective(tuple(ASSIGNERS[name] for name in names), least=config.least)
    found: TrainedResult = {"ap50": {}, "ap": {}, "loss": {}, "scenes": None}
    arms = [*names, "teacher", "taught"]

    def fitted(name: str, network: Any, loss: Any, variables: Any, **given: Any) -> Any:
        trial.report(name, arms.index(name), len(arms))
        fit = fit_detector(
            network,
            shown,
            loss,
            generator=np.random.default_rng(order),
            steps=config.steps,
            batch=config.batch,
            rate=config.rate,
            variables=variables,
            **given,
        )
        if name != "teacher":
            found["loss"][name] = float(np.mean(fit.losses[-10:]))
        return fit.variables

    def judged(name: str, network: Any, variables: Any) -> None:
        precision = evaluate(network, variables, held_out, sizes=SCENE_SIZES)
        found["ap50"][name], found["ap"][name] = precision.ap50, precision.ap

    first = _initial(student, start, config)
    judged("untrained", student, first)
    variables = {}
    for number, name in enumerate(names):
        variables[name] = fitted(name, student, objective, first, given=jnp.int32(number))
        judged(name, student, variables[name])
    same = config.width == config.teacher_width

    def taught_on() -> Any:
        at = variables[OWN] if same else _initial(teacher, start, config)
        for _ in range(config.rounds):
            at = fitted("teacher", teacher, objective, at, given=jnp.int32(0))
        return at

    known = kept_weights(trial.folder, WEIGHTS, {"seed": trial.seed}, taught_on)
    judged("teacher", teacher, known)
    seen = detect(teacher, known, held_out.images[:SHOWN], score=0.3)
    found["scenes"] = compared(held_out[:SHOWN], seen)
    lesson = Taught(student, teacher, config.steps)
    at = lesson_variables(first, known, _aligning(student, teacher, start))
    loss = TaughtObjective(objective)
    at = fitted("taught", lesson, loss, at, given=jnp.int32(0))
    judged("taught", student, student_variables(at))
    return found


def _scenes(config: DamoYoloConfig, generator: np.random.Generator) -> tuple[Scenes, Scenes]:
    """To train on and, with digits of which none was shown, to test with."""
    shown, held_out = digit_glyphs().split(1400, generator)
    train, test = (
        digit_scenes(generator, count, config.size, config.objects, config.pixels, glyphs=glyphs)
        for count, glyphs in ((config.scenes, shown), (config.tested, held_out))
    )
    return train, test


def _initial(network: Any, seed: int, config: DamoYoloConfig) -> Any:
    example = np.zeros((1, config.size, config.size, 3), np.float32)
    return initial_by_numpy(network, np.random.default_rng(seed), example)


def _aligning(student: Any, teacher: Any, seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng([seed, CLASSES])
    pairs = zip(student.features, teacher.features, strict=True)
    return [lecun_normal(generator, pair, pair[0]).astype(np.float32) for pair in pairs]


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "fusion": fusion,
        "counts": counts,
        "entropy": deviations,
        "search": search,
        "alignment": alignment,
        "conflicts": conflicts,
        "shifts": shifts,
        "trained": trained,
    },
    slow=("trained",),
    num_seeds=3,
)
