"""What is trained: experts of single views and their fusion on pairs of CIFAR's pictures and made fakes."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from experiments.data.formats.cifar import PictureSet
from experiments.data.room import load
from experiments.harness.study import Studies, Trial
from experiments.kits.convnets.fitting import fit
from experiments.kits.images import standardised
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.alei import study_exact, study_real
from experiments.vision.alei.detector import Detector, Params, assembled
from experiments.vision.alei.forgeries import FORGERIES
from experiments.vision.alei.layers import RULES, VisionTransformer
from experiments.vision.alei.study_config import QUICK, STANDARD, TINY, AleiConfig
from experiments.vision.alei.study_pictures import (
    SEEN,
    accuracies,
    cross_picked,
    fakes,
    middle,
    unseen_mean,
)
from experiments.vision.alei.training import EXPERT, FUSION, detect, fit_parts
from experiments.vision.alei.views import VIEWS, views_of

NAMES = tuple(VIEWS)
WITHOUT: Mapping[str, Mapping[str, float]] = {
    "no-cross": {"cross": 0.0},
    "no-adapter": {"adapter": 0.0},
    "no-selection": {"selection": 0.0},
}
"""Parts that are left out one at a time, in training too."""


class Detected(TypedDict):
    """Accuracies of all arms.

    Args:
        accuracy: balanced, at a probability of one half, by arm and forgery.
        unseen: their mean over the forgeries that were not trained on, by arm.
        picked: the same mean where half of the test pictures picked a view for each forgery and the other
            half judged; `fixed` where they picked one view for all.
        picks: for each forgery the view that all test pictures pick.
        selection: what the router gives each view, by forgery and for real pictures.
        backbone: accuracy of the backbone on CIFAR's classes.
    """

    accuracy: dict[str, dict[str, float]]
    unseen: dict[str, float]
    picked: float
    fixed: float
    picks: dict[str, str]
    selection: dict[str, list[float]]
    backbone: float


def detectors(config: AleiConfig, trial: Trial) -> Detected:
    """Detectors trained on one forgery and tested on nine; the backbone is one for all seeds."""
    given: PictureSet = trial.load("cifar-10-sample")
    backbone, told = _backbone(config, trial.data)
    made = _Arms(config, trial, given, backbone)
    singles = {name: made.expert([name], place) for place, name in enumerate(NAMES)}
    copies = [singles["rgb"]] + [made.expert(["rgb"], len(NAMES) + i) for i in range(1, len(NAMES))]
    for name in NAMES:
        made.tested(name, singles[name], [name])
    # Fused arms have had both stages; so have these.
    probe = made.expert(["rgb"], 0, lora=0.0)
    made.tested("probe", made.expert(["rgb"], 0, probe, lora=0.0), ["rgb"], lora=0.0)
    made.tested("rgb-lora", made.expert(["rgb"], 0, singles["rgb"]), ["rgb"])
    start = made.start(NAMES, list(singles.values()))
    made.tested("late", start, NAMES, selection=0.0)
    made.tested("alei", made.fused(NAMES, start), NAMES)
    made.tested("spread", made.fused(NAMES, start, term=-0.1), NAMES)
    same = ["rgb"] * len(NAMES)
    made.tested("rgb-fourfold", made.fused(same, made.start(same, copies)), same)
    for name, switches in WITHOUT.items() if config.parts else ():
        made.tested(name, made.fused(NAMES, start, **switches), NAMES, **switches)
    return made.result(told)


class _Arms:
    """What all arms of a seed share: pictures, fakes and views; and what they said."""

    def __init__(
        self, config: AleiConfig, trial: Trial, given: PictureSet, backbone: Params
    ) -> None:
        self.config, self.trial, self.backbone = config, trial, backbone
        train, tested = fakes(given, trial, train=config.train_pairs, test=config.test_pairs)
        shown = [train["real"], train[SEEN], np.concatenate(list(tested.values()))]
        self.seen = {name: self._scaled(name, shown) for name in NAMES}
        self.said: dict[str, np.ndarray] = {}
        self.chosen: np.ndarray | None = None

    def _scaled(self, name: str, shown: Sequence[np.ndarray]) -> list[np.ndarray]:
        """A view of each part, with mean 0 and deviation 1 on the first two, which are trained on."""
        found = [views_of(middle(part, self.config.size), [name])[:, 0] for part in shown]
        known = np.concatenate(found[:2])
        return [((part - known.mean()) / known.std()).astype(np.float32) for part in found]

    def views(self, names: Sequence[str]) -> list[np.ndarray]:
        """Real pictures and fakes to train on, and pictures to test with, in these views."""
        return [np.stack([self.seen[name][part] for name in names], 1) for part in range(3)]

    def model(self, views: int) -> Detector:
        return Detector(_shape(self.config), views)

    def start(self, names: Sequence[str], singles: Sequence[Params]) -> Params:
        """The whole detector before the second stage."""
        return assembled(self._drawn(names, 100), singles)

    def _drawn(self, names: Sequence[str], place: int) -> Params:
        model, generator = self.model(len(names)), np.random.default_rng([self.trial.seed, place])
        example = np.zeros((1, len(names), self.config.size, self.config.size, 3), np.float32)
        drawn = initial_by_numpy(model, generator, example, rules=RULES)["params"]
        return {**drawn, "backbone": self.backbone}

    def expert(
        self, names: Sequence[str], place: int, params: Params | None = None, **switches: float
    ) -> Params:
        """The first stage of a view, or another round of it."""
        config = self.config
        begun = self._drawn(names, place) if params is None else params
        return self._fitted(
            names, begun, EXPERT, config.expert_steps, config.expert_rate, place, 0.0, switches
        )

    def fused(
        self, names: Sequence[str], params: Params, *, term: float = 0.1, **switches: float
    ) -> Params:
        """The second stage."""
        config = self.config
        return self._fitted(
            names, params, FUSION, config.fusion_steps, config.fusion_rate, 100, term, switches
        )

    def _fitted(
        self,
        names: Sequence[str],
        params: Params,
        parts: tuple[str, ...],
        steps: int,
        rate: float,
        place: int,
        term: float,
        switches: Mapping[str, float],
    ) -> Params:
        real, fake, _ = self.views(names)
        found, _ = fit_parts(
            self.model(len(names)), params, real, fake, parts=parts, steps=steps, rate=rate, term=term,
            batch=self.config.batch, seed=self.trial.seed * 1000 + place, switches=_switches(names, switches),
        )  # fmt: skip
        return found

    def tested(self, arm: str, params: Params, names: Sequence[str], **switches: float) -> None:
        """What an arm says of all test pictures."""
        found = detect(
            self.model(len(names)), params, self.views(names)[2], _switches(names, switches)
        )
        self.said[arm] = np.asarray(found.probability).reshape(len(FORGERIES) + 1, -1)
        if arm == "alei":
            self.chosen = np.asarray(found.selection)
        self.trial.report("arms", len(self.said), 10 + self.config.parts * len(WITHOUT))

    def result(self, backbone: float) -> Detected:
        accuracy = {arm: accuracies(said) for arm, said in self.said.items()}
        picked, fixed = cross_picked({name: self.said[name] for name in NAMES})
        assert self.chosen is not None
        shares = self.chosen.reshape(len(FORGERIES) + 1, -1, len(NAMES)).mean(1)
        return {
            "accuracy": accuracy,
            "unseen": {arm: unseen_mean(found) for arm, found in accuracy.items()},
            "picked": picked,
            "fixed": fixed,
            "picks": {
                kind: max(NAMES, key=lambda name: accuracy[name][kind]) for kind in FORGERIES
            },
            "selection": dict(zip(("real", *FORGERIES), shares.tolist(), strict=True)),
            "backbone": backbone,
        }


def _switches(names: Sequence[str], given: Mapping[str, float]) -> dict[str, float]:
    """All of them, so that leaving out a part is no other program."""
    every = ("lora",) if len(names) == 1 else ("cross", "adapter", "selection")
    return {**dict.fromkeys(every, 1.0), **given}


def _shape(config: AleiConfig) -> VisionTransformer:
    return VisionTransformer(width=config.width, blocks=config.blocks)


@functools.lru_cache(maxsize=1)
def _backbone(config: AleiConfig, data: Path | None) -> tuple[Params, float]:
    """A transformer trained on CIFAR's classes, and how well it tells them."""
    given = load("cifar-10-sample", data)
    train, test = (middle(x / 255, config.size) for x in (given.train, given.test))
    found = fit(
        _shape(config),
        standardised(train, given.train_labels, test, given.test_labels, given.num_classes),
        generator=np.random.default_rng(0),
        steps=config.backbone_steps,
        rules=RULES,
    )
    params: dict[str, Any] = found.variables["params"]
    return {name: part for name, part in params.items() if name != "classifier"}, found.test


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "views": study_exact.doubled_pictures,
        "bayar": study_exact.bayar,
        "algebra": study_exact.algebra,
        "selection": study_exact.selection,
        "detectors": detectors,
        "pretrained": study_real.pretrained,
    },
    slow=("algebra", "detectors"),
)
