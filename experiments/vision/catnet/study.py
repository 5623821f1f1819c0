"""What is measured: identities and costs, and small detectors that differ in one module."""

from typing import Literal, TypedDict

from experiments.harness.study import Studies, Trial
from experiments.kits.detection.detections import unpadded_objects
from experiments.kits.detection.fitting import SCENE_SIZES
from experiments.kits.detection.precision import average_precision
from experiments.kits.detection.top_view import top_view_scenes
from experiments.vision.catnet.arms import matched, parameters_of
from experiments.vision.catnet.study_config import QUICK, STANDARD, TINY, CatnetConfig
from experiments.vision.catnet.study_exact import (
    costs_of,
    fusion,
    identities_of_context,
    identities_of_regions,
)
from experiments.vision.catnet.training import SUPPRESSIONS, fit, look

KINDS: tuple[Literal["box", "mask"], ...] = ("box", "mask")


class ModulesResult(TypedDict):
    """By detector: AP50 of boxes and masks by each suppression, as `mask_hard`, and AP; AP of masks by size;
    parameters and widths."""

    ap50: dict[str, dict[str, float]]
    ap: dict[str, dict[str, float]]
    by_size: dict[str, dict[str, float]]
    parameters: dict[str, int]
    widths: dict[str, int]


def modules(config: CatnetConfig, trial: Trial) -> ModulesResult:
    """Detectors of equal parameters, trained on the same top-view scenes in the same order."""
    scenes = top_view_scenes(trial.generator, config.train_scenes + config.test_scenes)
    train, test = scenes[: config.train_scenes], scenes[config.train_scenes :]
    truth = unpadded_objects(test.boxes, test.labels, test.masks)
    result: ModulesResult = {"ap50": {}, "ap": {}, "by_size": {}, "parameters": {}, "widths": {}}
    strides = tuple(4 * 2**place for place in range(config.levels))
    for place, arm in enumerate(config.arms):
        trial.report(arm, place, len(config.arms))
        network = matched(arm, config.width, stages=config.stages, strides=strides)
        trained = fit(
            network, train, generator=trial.generator, steps=config.steps, batch=config.batch
        )
        found = look(network, trained.variables, test.images)
        result["parameters"][arm], result["widths"][arm] = parameters_of(network), network.width
        result["ap50"][arm], result["ap"][arm] = {}, {}
        for suppression in SUPPRESSIONS:
            for kind in KINDS:
                by_size = (suppression, kind) == ("hard", "mask")
                scored = average_precision(
                    found[suppression], truth, kind=kind, sizes=SCENE_SIZES if by_size else {}
                )
                result["ap50"][arm][f"{kind}_{suppression}"] = scored.ap50
                result["ap"][arm][f"{kind}_{suppression}"] = scored.ap
                if by_size:
                    # A size of which there is no object has none.
                    told = {n: v for n, v in scored.by_size.items() if v == v}
                    result["by_size"][arm] = told
    trial.report("detectors", len(config.arms), len(config.arms))
    return result


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "context": identities_of_context,
        "fusion": fusion,
        "regions": identities_of_regions,
        "costs": costs_of,
        "modules": modules,
    },
    num_seeds=2,
    slow=("fusion", "costs", "modules"),
)
