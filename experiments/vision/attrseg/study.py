"""What is trained: a word space, then segmenters by attributes, by their mean and by names alone."""

import dataclasses
import functools
import math
from typing import TypedDict

import jax
import numpy as np

from experiments.harness.study import Studies, Trial
from experiments.kits.costs import num_parameters
from experiments.vision.attrseg import study_exact
from experiments.vision.attrseg.encoders import STRIDE, WordSpace, fit_word_space
from experiments.vision.attrseg.measuring import labelled, mean_iou, overlaps
from experiments.vision.attrseg.phrases import phrase_vectors
from experiments.vision.attrseg.segmenter import AttributeSegmenter, MeanSegmenter
from experiments.vision.attrseg.study_config import QUICK, STANDARD, TINY, AttrsegConfig
from experiments.vision.attrseg.training import Prompts, fit_segmenter
from experiments.vision.attrseg.worlds import (
    FIELD_OF,
    LENGTH,
    MOST,
    PHRASES,
    Families,
    World,
    by_patch,
    described,
    families,
    one_field_off,
    truth_of,
    world,
)

SETS = ("held_out", "wrong_field", "one_each", "another", "seen")
"""Test prompts: classes that training never showed, by all phrases, with one field's of another class, by one
phrase of each field, and each as the next one of its scene is told, which is chance; and classes that
training showed."""
HEADS = 4
HIDDEN = 2
"""Width of perceptrons over the vectors' width."""


Model = AttributeSegmenter | MeanSegmenter


class Segmented(TypedDict):
    """Mean intersection over union of all arms.

    Args:
        miou: by arm and set of `SETS`.
        drop: what a wrong field takes away, by arm.
        parameters: of each model.
        loss: mean of the last fifty steps, by arm; of the word space too.
    """

    miou: dict[str, dict[str, float]]
    drop: dict[str, float]
    parameters: dict[str, int]
    loss: dict[str, float]


def segmenters(config: AttrsegConfig, trial: Trial) -> Segmented:
    """Each arm trained on the same scenes of one world, and tested on scenes of classes held out."""
    made = _Arms(config, trial)
    two = AttributeSegmenter((4, 1), HEADS, HIDDEN * config.width)
    made.tested("two_stages", two)
    if config.ablated:
        made.tested("no_exchange", two, exchange=0.0)
    made.tested("one_stage", as_large(AttributeSegmenter((1,), HEADS), two, config.width))
    mean = as_large(MeanSegmenter(), two, config.width)
    made.tested("mean", mean)
    made.tested("name", mean, by_name=True)
    return made.found


@functools.cache
def _parameters(model: Model, width: int) -> int:
    attributes, pixels = (
        jax.ShapeDtypeStruct((1, number, width), np.float32) for number in (MOST, 1)
    )
    found = jax.eval_shape(
        lambda a, v: model.init(jax.random.key(0), a[None], v), attributes, pixels
    )
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(found))


def as_large(model: Model, other: Model, width: int) -> Model:
    """The model with perceptrons so wide that it has the parameters of the other, but for half of what one
    more unit in each has."""
    wanted = _parameters(other, width)
    counts = [_parameters(dataclasses.replace(model, hidden=each), width) for each in (8, 16)]
    return dataclasses.replace(
        model, hidden=8 + round(8 * (wanted - counts[0]) / (counts[1] - counts[0]))
    )


class _Arms:
    """What all arms of a seed share."""

    def __init__(self, config: AttrsegConfig, trial: Trial) -> None:
        self.config, self.trial, generator = config, trial, trial.generator
        self.found = Segmented(miou={}, drop={}, parameters={}, loss={})
        self.world = world(generator)
        allowed = ~self.world.held_out
        self.train = families(generator, self.world.tuples, allowed, config.scenes)
        self.tests = [
            families(generator, self.world.tuples, chosen, config.tests)
            for chosen in (self.world.held_out, allowed)
        ]
        trial.report("a word space", 0, 4)
        self.space = _word_space(config, self.world, self.train, self.tests, generator)
        self.found["loss"]["words"] = float(self.space.losses[-50:].mean())
        vectors = np.asarray(phrase_vectors(self.space.words, self.world.tokens))
        self.vectors: np.ndarray = vectors
        asked = self.tests[0].classes
        self.wrong, self.field = one_field_off(generator, asked, self.world.tuples)

    def tested(
        self, arm: str, model: Model, *, exchange: float = 1.0, by_name: bool = False
    ) -> None:
        """An arm, trained and tested."""
        config, train = self.config, self.train
        height, width = train.images.shape[1:3]
        number = config.scenes
        rows = np.arange(config.tests)
        found, losses, logits = fit_segmenter(
            model,
            self.space.pixels[:number],
            by_patch(train.masks, STRIDE),
            self._prompts(train.classes, by_name),
            tested=(
                self.space.pixels[number:],
                np.stack([rows + config.tests * (name == "seen") for name in SETS]),
                self._test_prompts(by_name),
            ),
            size=(height, width),
            # The same batches for all arms.
            generator=np.random.default_rng([self.trial.seed, 1]),
            steps=config.steps,
            rate=config.rate,
            exchange=exchange,
        )
        scored = {
            name: _scored(each, self.tests[int(name == "seen")], len(self.world.tuples))
            for name, each in zip(SETS, logits, strict=True)
        }
        self.found["miou"][arm] = scored
        self.found["drop"][arm] = scored["held_out"] - scored["wrong_field"]
        self.found["parameters"][arm] = num_parameters(found["params"])
        self.found["loss"][arm] = float(losses[-50:].mean())
        self.trial.report("segmenters", len(self.found["miou"]), 4 + self.config.ablated)

    def _prompts(self, classes: np.ndarray, by_name: bool) -> Prompts:
        vectors = self.vectors[classes]
        if not by_name:
            return Prompts(vectors, np.ones(vectors.shape[:-1], bool))
        start = len(self.world.vocabulary.words) - len(self.world.tuples)
        vectors = np.broadcast_to(self.space.words[start + classes][..., None, :], vectors.shape)
        return Prompts(vectors, np.broadcast_to(np.arange(MOST) == 0, vectors.shape[:-1]))

    def _test_prompts(self, by_name: bool) -> Prompts:
        held, seen = (self._prompts(each.classes, by_name) for each in self.tests)
        wrong, few = held.attributes, held.present
        # Classes of a scene are all different.
        another = self._prompts(np.roll(self.tests[0].classes, -1, 1), by_name)
        if not by_name:
            off = self.field[..., None] == FIELD_OF
            wrong = np.where(off[..., None], self.vectors[self.wrong], held.attributes)
            few = np.broadcast_to(np.diff(FIELD_OF, prepend=-1) > 0, held.present.shape)
        return Prompts(
            np.stack(
                [held.attributes, wrong, held.attributes, another.attributes, seen.attributes]
            ),
            np.stack([held.present, held.present, few, another.present, seen.present]),
        )


def _word_space(
    config: AttrsegConfig,
    known: World,
    train: Families,
    tests: list[Families],
    generator: np.random.Generator,
) -> WordSpace:
    """Learned from objects of classes that are not held out: phrases of their words, and their names."""
    phrases = [phrase for told in PHRASES.values() for phrase in told]
    names = [
        name
        for name, held in zip(known.decomposition.classes, known.held_out, strict=True)
        if not held
    ]
    of_class = np.zeros((len(known.tuples), len(phrases) + len(names)), bool)
    for number, words in enumerate(known.tuples):
        of_class[number, [phrases.index(phrase) for phrase in described(words)]] = True
    of_class[np.flatnonzero(~known.held_out), len(phrases) + np.arange(len(names))] = True
    regions = by_patch(train.objects, STRIDE)
    return fit_word_space(
        train.images,
        regions.reshape(*regions.shape[:2], -1),
        of_class[train.labels] & (train.labels >= 0)[..., None],
        known.vocabulary.tokens([*phrases, *names], length=LENGTH),
        num_words=len(known.vocabulary.words),
        encoded=np.concatenate([train.images, *(each.images for each in tests)]),
        generator=generator,
        steps=config.word_steps,
        width=config.width,
    )


def _scored(logits: np.ndarray, scenes: Families, num_classes: int) -> float:
    truth = truth_of(scenes)
    total = sum(
        overlaps(labelled(each, numbers=classes), right, num_classes)
        for each, classes, right in zip(logits, scenes.classes, truth, strict=True)
    )
    return mean_iou(np.asarray(total))


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "sets": study_exact.sets,
        "segmenters": segmenters,
    },
    slow=("sets", "segmenters"),
    num_seeds=3,
)
