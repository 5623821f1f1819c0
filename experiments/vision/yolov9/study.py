"""What is measured: exact statements and information elsewhere; here detectors trained with each branch."""

from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.harness.study import Studies, Trial
from experiments.kits.detection.assigners import task_aligned
from experiments.kits.detection.criterion import DetectionLoss
from experiments.kits.detection.digits import digit_glyphs, digit_scenes
from experiments.kits.detection.drawing import compared
from experiments.kits.detection.fitting import (
    SCENE_SIZES,
    adamw,
    detect,
    evaluate,
    fit_detector,
    objects_of,
)
from experiments.kits.detection.precision import average_precision
from experiments.kits.detection.scenes import Scenes
from experiments.kits.detection.weights import kept_weights
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.yolov9.guidance import (
    WEIGHT,
    GuidedLoss,
    ProgrammableGradient,
    without_auxiliary,
)
from experiments.vision.yolov9.network import GELAN, initial_rules, small_plan
from experiments.vision.yolov9.study_config import QUICK, STANDARD, TINY, YoloConfig
from experiments.vision.yolov9.study_exact import counts, fusion, inverse, paths
from experiments.vision.yolov9.study_information import gradients, information

SHARE = 7 / 9
"""Of scikit-learn's digits, what training scenes show; the others are for testing."""
PICTURED, SHOWN = "integrated", 4
"""Whose detections are drawn beside the truth, and of how many scenes."""
SHARES = {"none": 0.0, "deep": 0.0, "integrated": 1.0}
"""Of an integrated branch in what the auxiliary head reads, by arm that is trained with such a network."""
LOSS = GuidedLoss(DetectionLoss(task_aligned, classes=2.0, least=0.8))
"""The published assigner for each head. Classes weigh more than as published, and points with an object are
asked for a score of 0.8, however bad their boxes: small networks else learn boxes long before classes."""


class Detectors(TypedDict):
    """By auxiliary branch, of the main detector alone: precision on new scenes (also `untrained`), the whole
    loss of the first and the last tenth of the steps; and some new scenes with what was found in them."""

    ap50: dict[str, float]
    ap: dict[str, float]
    first: dict[str, float]
    last: dict[str, float]
    shown: dict[str, Any]


def flat_adamw(rate: optax.Schedule) -> optax.GradientTransformation:
    """The kit's AdamW on all parameters as one vector: one update to compile, not one for each array."""
    return optax.flatten(adamw(rate))


def detectors(config: YoloConfig, trial: Trial) -> Detectors:
    """One main network, one draw of its variables and one order of scenes, trained with each branch."""
    generator = trial.generator
    glyphs = digit_glyphs().first(config.classes)
    shown, others = glyphs.split(round(SHARE * len(glyphs.labels)), generator)
    scenes, tested = (
        digit_scenes(generator, count, config.size, config.objects, config.pixels, glyphs=glyphs)
        for count, glyphs in ((config.train_scenes, shown), (config.test_scenes, others))
    )
    plan, seed = (
        small_plan(config.width, config.classes, config.levels),
        int(generator.integers(2**32)),
    )
    main, rules = GELAN(plan), initial_rules(plan, config.size)
    example = jax.ShapeDtypeStruct((config.batch, config.size, config.size, 3), np.float32)
    first = initial_by_numpy(main, generator, example, rules=rules)
    untrained = evaluate(main, first, tested)
    parts: dict[str, Any] = {"untrained": {"ap50": untrained.ap50, "ap": untrained.ap}}
    for done, kind in enumerate(config.arms):
        trial.report(f"detector with {kind}", done, len(config.arms))

        def trained(kind: str = kind) -> dict[str, Any]:
            # Alone is with a branch that weighs nothing, and deep supervision one that is bypassed: all
            # three are one program.
            shared = kind in SHARES
            model = ProgrammableGradient(plan, "integrated" if shared else kind)
            drawn = initial_by_numpy(model, np.random.default_rng(seed), example, rules=rules)
            fit = fit_detector(
                model,
                scenes,
                LOSS,
                generator=np.random.default_rng(seed),
                steps=config.steps,
                batch=config.batch,
                rate=config.rate,
                optimiser=flat_adamw,
                fields={"share": np.float32(SHARES[kind])} if shared else None,
                given=jnp.float32(WEIGHT if kind != "none" else 0),
                variables={name: {**tree, "main": first[name]} for name, tree in drawn.items()},
            )
            alone = without_auxiliary(fit.variables)
            kept_weights(trial.folder, kind, {"kind": kind}, lambda: alone)
            return {**_judged(main, alone, tested, kind), **_ends(fit.losses)}

        parts[kind] = trial.kept(f"detector with {kind}", trained)

    def of(name: str) -> dict[str, float]:
        return {kind: part[name] for kind, part in parts.items() if name in part}

    shown_scenes = parts[PICTURED]["shown"] if PICTURED in parts else {}
    return Detectors(
        ap50=of("ap50"), ap=of("ap"), first=of("first"), last=of("last"), shown=shown_scenes
    )


def _judged(main: GELAN, variables: Any, tested: Scenes, kind: str) -> dict[str, Any]:
    """Precision on scenes of other digits, and of the pictured detector some scenes."""
    boxes = detect(main, variables, tested.images)
    precision = average_precision(boxes, objects_of(tested), sizes=SCENE_SIZES)
    shown = {"shown": compared(tested, boxes, most=SHOWN)} if kind == PICTURED else {}
    return {"ap50": precision.ap50, "ap": precision.ap, **shown}


def _ends(losses: np.ndarray) -> dict[str, float]:
    """Mean losses of the first and the last tenth of the steps."""
    tenth = max(1, len(losses) // 10)
    return {"first": float(losses[:tenth].mean()), "last": float(losses[-tenth:].mean())}


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "counts": counts,
        "fusion": fusion,
        "paths": paths,
        "inverse": inverse,
        "information": information,
        "gradients": gradients,
        "detectors": detectors,
    },
    num_seeds=2,
    slow=("paths", "gradients", "detectors"),
)
