"""What is measured: exact statements, and a detector whose decoder is tuned to experts and to its rivals."""

from typing import Any

import numpy as np

from experiments.harness.study import Studies, Trial
from experiments.kits.detection.attributes import attribute_scenes
from experiments.kits.detection.detections import unpadded, unpadded_objects
from experiments.kits.detection.precision import average_precision
from experiments.kits.detection.scenes import Scenes
from experiments.vision.dynamic_dino.detector import (
    FFN,
    TUNED,
    Detector,
    at,
    grafted,
    initial_detector,
    upcycled,
)
from experiments.vision.dynamic_dino.prompts import Prompts, zipf_prompts
from experiments.vision.dynamic_dino.routing import co_activation, partners, unpaired
from experiments.vision.dynamic_dino.splitting import from_dense, split_ffn
from experiments.vision.dynamic_dino.study_config import QUICK, STANDARD, TINY, DynamicDinoConfig
from experiments.vision.dynamic_dino.study_exact import algebra, counts, kept, ties
from experiments.vision.dynamic_dino.tuning import (
    LIMIT,
    Findings,
    Mixing,
    Pictures,
    findings,
    fit,
    pictures,
)
from experiments.vision.dynamic_dino.upcycling import experts_of, symmetry, widened

OBJECTS = (1, 4)
ROUTERS = 4
"""Untied ones that are drawn, and whose loss is averaged."""


def tuned(config: DynamicDinoConfig, trial: Trial) -> dict[str, Any]:
    """A dense detector, what upcycling does to it at once, and what tuning makes of it and of its rivals."""
    generator = trial.generator
    prompts = zipf_prompts(
        generator, (config.colours, config.shapes, config.patterns),
        held_out=config.held_out, power=config.zipf,
    )  # fmt: skip
    train, fresh, test = (
        _drawn(prompts, config, generator, number, balanced=balanced)
        for number, balanced in (
            (config.scenes, False), (config.test_scenes, False), (config.test_scenes, True),
        )
    )  # fmt: skip
    detector = Detector(sum(prompts.sizes), config.width, hidden=4 * config.width)
    base = initial_detector(
        detector, generator, size=64, classes=config.num_classes, fields=len(prompts.sizes)
    )
    base, base_losses = fit(
        detector, base, train[1], prompts.words,
        _order(generator, config, config.base_steps), rate=config.base_rate,
    )  # fmt: skip
    trial.report("trained", 1, 4)
    arms = _arms(config, detector, base, generator)
    grown, begun, mixing = arms["tied"]
    before = findings(grown, begun, test[1], prompts.words, mixing=mixing)
    started = {
        name: float(
            np.mean(
                [
                    findings(grown, variables, fresh[1], prompts.words, mixing=mixing).losses
                    for variables in several
                ]
            )
        )
        for name, several in _starts(config, detector, base, begun, generator).items()
    }
    order = _order(generator, config, config.tuned_steps)
    ended, chosen, params = {}, None, {}

    def fitted(variables: Any, mixing: Mixing) -> tuple[Any, np.ndarray]:
        return fit(
            grown, variables, train[1], prompts.words, order,
            rate=config.tuned_rate, mixing=mixing, only=TUNED,
        )  # fmt: skip

    for place, (name, (_, variables, mixing)) in enumerate(arms.items()):
        found, losses = fitted(variables, _by_picture(config, mixing))
        after = findings(grown, found, test[1], prompts.words, mixing=mixing)
        ended[name] = {
            "loss": float(after.losses.mean()), "fitted": float(losses[-10:].mean()),
            **_scores(after, test[0], test[1], prompts),
        }  # fmt: skip
        if name == "tied":
            chosen, params = after.chosen, found["params"]
        trial.report(name, place + 2, 1 + len(arms))
    at_random, _ = fitted(arms["tied"][1], _by_picture(config))
    start = experts_of(at(arms["tied"][1]["params"], FFN))
    return {
        "base": {
            "fitted": float(base_losses[-10:].mean()),
            **_scores(before, test[0], test[1], prompts),
        },
        "start": started,
        "tuned": ended,
        "parameters": _parameters(config),
        **_came_apart(params, at_random["params"], start, config.copies),
        **_paired(np.asarray(chosen), config.copies * config.slices, generator),
    }


def _drawn(
    prompts: Prompts,
    config: DynamicDinoConfig,
    generator: np.random.Generator,
    number: int,
    *,
    balanced: bool,
) -> tuple[Scenes, Pictures]:
    """Scenes of all classes alike, or of those seen by their frequencies; no figure has a border."""
    rows = np.arange(len(prompts.classes)) if balanced else prompts.drawn()
    words = np.concatenate([prompts.classes[rows], np.zeros((len(rows), 1), np.int32)], 1)
    made = attribute_scenes(generator, number, objects=OBJECTS, classes=words, masks=False)
    return made, pictures(made, prompts.labels(np.asarray(made.attributes)))


def _order(generator: np.random.Generator, config: DynamicDinoConfig, steps: int) -> np.ndarray:
    return generator.integers(config.scenes, size=(steps, config.batch)).astype(np.int32)


def _arms(
    config: DynamicDinoConfig, detector: Detector, base: Any, generator: np.random.Generator
) -> dict[str, tuple[Detector, Any, Mixing]]:
    """What is tuned: the mixture, the dense layers as they are, and layers as wide as all experts together.

    All are one program's data: experts are routed, or always on as a dense network.
    """
    number = config.copies * config.slices
    grown, tied = upcycled(detector, base, generator, copies=config.copies, slices=config.slices)
    ffn = from_dense(at(base["params"], FFN), up="up", down="down")
    wide = split_ffn(widened(ffn, generator, copies=config.copies), number)
    router = at(tied["params"], FFN)["router"]
    wider = grafted(base, {"params": {**wide.leaves(), "router": router}})
    first = (np.arange(number) < config.slices).astype(np.float32)
    routed, constant = np.float32(1), np.float32(0)
    return {
        "tied": (grown, tied, Mixing(routed, np.zeros(number, np.float32))),
        "dense": (grown, tied, Mixing(constant, first)),
        "widened": (grown, wider, Mixing(constant, np.ones(number, np.float32))),
    }


def _by_picture(config: DynamicDinoConfig, mixing: Mixing | None = None) -> Mixing:
    """What is on for each picture of a batch: the same, or else one whole copy, pictures in turn.

    Batches are drawn at random, so by turns each copy is given pictures at random. The shape is that of all
    arms, which are one program.
    """
    number = config.copies * config.slices
    if mixing is None:
        turn = np.arange(config.batch)[:, None] % config.copies
        on = turn == np.arange(number)[None] // config.slices
        mixing = Mixing(np.float32(0), on[:, None].astype(np.float32))
    always = np.broadcast_to(mixing.always, (config.batch, 1, number))
    return mixing._replace(always=np.ascontiguousarray(always))


def _starts(
    config: DynamicDinoConfig,
    detector: Detector,
    base: Any,
    tied: Any,
    generator: np.random.Generator,
) -> dict[str, list[Any]]:
    """Variables from which tuning could start: as upcycled, by untied routers, of experts drawn anew."""
    untied = [
        upcycled(
            detector, base, generator, copies=config.copies, slices=config.slices, router="untied"
        )[1]
        for _ in range(ROUTERS)
    ]
    experts = at(tied["params"], FFN)
    fan_in = {"up": config.width, "down": 4 * config.width}
    anew = {
        name: (generator.normal(size=experts[name].shape) * inputs**-0.5).astype(np.float32)
        for name, inputs in fan_in.items()
    }
    return {
        "tied": [tied],
        "untied": untied,
        "random": [grafted(tied, {"params": {**experts, **anew}})],
    }


def _scores(found: Findings, scenes: Scenes, given: Pictures, prompts: Prompts) -> dict[str, float]:
    """Average precision at an overlap of a half, by kind of class; in percent."""
    made = average_precision(
        unpadded(found.boxes, found.scores, found.labels),
        unpadded_objects(scenes.boxes, np.asarray(given.labels)),
        ious=(0.5,), limit=LIMIT, sizes={},
    )  # fmt: skip

    def of(classes: np.ndarray) -> float:
        met = [made.by_class[c] for c in classes if c in made.by_class]
        return 100 * float(np.mean(met)) if met else float("nan")

    common, rare = (of(prompts.third(which)) for which in (0, 2))
    return {"held_out": of(prompts.held_out), "seen": of(np.flatnonzero(prompts.frequencies)),
            "common": common, "rare": rare}  # fmt: skip


def _parameters(config: DynamicDinoConfig) -> dict[str, int]:
    """Of a layer's feed-forward part in each arm; those that a token uses, and in all."""
    width, hidden = config.width, 4 * config.width
    dense = 2 * width * hidden + hidden + width
    router = width * config.copies * config.slices
    return {
        "dense": dense,
        "widened": dense + (config.copies - 1) * (2 * width * hidden + hidden),
        "tied": config.copies * (dense + (config.slices - 1) * width) + router,
        "tied_used": dense + (config.slices - 1) * width + router,
    }


def _came_apart(params: Any, at_random: Any, start: Any, copies: int) -> dict[str, Any]:
    """How far copies are from each other after tuning, in each layer; and if each had pictures at random."""
    found, rival = (
        symmetry(experts_of(at(each, FFN)), copies, start=start) for each in (params, at_random)
    )
    return {
        "distance": found.distance.tolist(), "share": found.share.tolist(),
        "apart": float(found.share.mean()), "apart_at_random": float(rival.share.mean()),
    }  # fmt: skip


def _paired(chosen: np.ndarray, experts: int, generator: np.random.Generator) -> dict[str, Any]:
    """Effective partners of an expert in each layer, over those of the same choices paired by chance."""
    shares, numbers = [], []
    for layer in chosen:
        found = np.nanmean(partners(co_activation(layer, experts)))
        chance = np.nanmean(partners(_distinct(unpaired(layer, generator), experts)))
        numbers.append(float(found))
        shares.append(float(found / chance))
    return {"partners": numbers, "partners_share": shares, "shallow": shares[0], "deep": shares[-1]}


def _distinct(chosen: np.ndarray, experts: int) -> np.ndarray:
    """Co-activation of tokens that took no expert twice, as chance may have it."""
    rows = np.sort(chosen, -1)
    return co_activation(chosen[(np.diff(rows, axis=-1) > 0).all(-1)], experts)


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "algebra": algebra, "kept": kept, "ties": ties, "counts": counts, "tuned": tuned,
    },
    num_seeds=2,
    slow=("algebra", "kept", "tuned"),
)  # fmt: skip
