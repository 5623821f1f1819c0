"""A world of figures: phrases of colours, shapes, patterns and borders, invented names, look-alikes."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from experiments.kits.detection.attributes import FIELDS, all_classes, attribute_scenes
from experiments.vision.attrseg.decomposition import Decomposition, decompose
from experiments.vision.attrseg.phrases import Vocabulary, padded_tokens
from ntkexec.errors import ExperimentError

PHRASES: Mapping[str, tuple[str, ...]] = {
    "red": ("red", "crimson", "scarlet", "ruby coloured"),
    "green": ("green", "emerald", "olive", "grass coloured"),
    "blue": ("blue", "navy", "azure", "sea coloured"),
    "yellow": ("yellow", "golden", "amber", "lemon coloured"),
    "purple": ("purple", "violet", "mauve", "plum coloured"),
    "orange": ("orange", "tangerine", "rust coloured", "carrot coloured"),
    "disc": ("disc", "round", "circular", "coin shaped"),
    "square": ("square", "four equal sides", "upright corners", "box shaped"),
    "triangle": ("triangle", "three sides", "three corners", "wedge shaped"),
    "plus": ("plus", "four arms", "notched corners", "cross shaped"),
    "ring": ("ring", "annular", "open middle", "hoop shaped"),
    "diamond": ("diamond", "rhombic", "standing on a corner", "kite shaped"),
    "plain": ("plain", "uniform", "unpatterned", "one shade"),
    "striped": ("striped", "banded", "barred", "with lines"),
    "checked": ("checked", "chequered", "tiled", "like a chessboard"),
    "dotted": ("dotted", "spotted", "speckled", "with points"),
    "no": ("borderless", "no outline", "bare rim"),
    "dark": ("dark border", "black outline", "dark rim"),
    "light": ("light border", "white outline", "light rim"),
}
"""Of each word of the scenes' fields; a class has those of its four words, fifteen in all."""
MOST = 15
FIELD_OF = np.repeat(np.arange(4), [4, 4, 4, 3])
"""The field of each of a class's phrases."""
LENGTH = 4
"""Words of a phrase, at most."""
FAMILY = 4
"""Classes that a scene is drawn from, and asked for."""
Tuples = Int[np.ndarray, "c 4"]


def described(words: Sequence[int]) -> tuple[str, ...]:
    """The fifteen phrases of a class, in the order of the fields."""
    pairs = zip(FIELDS.values(), words, strict=True)
    return tuple(phrase for known, word in pairs for phrase in PHRASES[known[word]])


def invented_names(generator: np.random.Generator, number: int) -> tuple[str, ...]:
    """Words of two syllables that mean nothing, none twice and none a word of the phrases."""
    syllables = ["".join(parts) for parts in itertools.product("bdfgklmnprtvz", "aeiou")]
    taken = set(Vocabulary.of(itertools.chain(*PHRASES.values())).words)
    both = ("".join(parts) for parts in itertools.product(syllables, repeat=2))
    every = [name for name in both if name not in taken]
    if number > len(every):
        raise ExperimentError(f"there are {len(every)} invented names, not {number}")
    return tuple(every[at] for at in generator.permutation(len(every))[:number])


@dataclasses.dataclass(frozen=True, eq=False)
class World:
    """All classes with names, and which of them are never seen in training.

    Args:
        tuples: words of each class.
        decomposition: phrases by name, in the same order.
        held_out: the classes that training never shows.
        vocabulary: words of all phrases, then all names.
        tokens: of each class's phrases.
    """

    tuples: Tuples
    decomposition: Decomposition
    held_out: Bool[np.ndarray, "c"]
    vocabulary: Vocabulary
    tokens: Int[np.ndarray, "c 15 w"]


def world(generator: np.random.Generator, *, held_out: float = 0.4) -> World:
    """All classes, named anew, and a share of them held out at random."""
    tuples = all_classes()
    names = invented_names(generator, len(tuples))
    words = dict(zip(names, tuples, strict=True))
    found = decompose(
        names, lambda name: described(words[name]), most=MOST, note="a table of figures"
    )
    vocabulary = Vocabulary.of([*itertools.chain(*PHRASES.values()), *names])
    tokens, _ = padded_tokens(vocabulary, found.attributes, most=MOST, length=LENGTH)
    chosen = generator.permutation(len(tuples)) < round(held_out * len(tuples))
    return World(tuples, found, chosen, vocabulary, tokens)


@dataclasses.dataclass(frozen=True, eq=False)
class Families:
    """Scenes of look-alikes: each is drawn from a few classes that share two or three of four fields.

    Args:
        images: of the scenes.
        classes: the few classes of each, of which not all need be there.
        masks: of each of these classes.
        objects: mask of each object; empty where there is none.
        labels: class of each object, -1 where there is none.
    """

    images: Float[np.ndarray, "n h w 3"]
    classes: Int[np.ndarray, "n k"]
    masks: Bool[np.ndarray, "n k h w"]
    objects: Bool[np.ndarray, "n m h w"]
    labels: Int[np.ndarray, "n m"]


def families(
    generator: np.random.Generator, tuples: Tuples, allowed: Bool[np.ndarray, "c"], number: int
) -> Families:
    """Scenes of classes that are allowed; each has a first class and three that differ from it in one or
    two fields."""
    distance = (tuples[:, None] != tuples[None]).sum(-1)
    near = (distance > 0) & (distance <= 2) & allowed
    firsts = generator.choice(np.flatnonzero(allowed & (near.sum(1) >= FAMILY - 1)), number)
    classes = np.zeros((number, FAMILY), int)
    scenes = []
    for row, first in enumerate(firsts):
        others = generator.choice(np.flatnonzero(near[first]), FAMILY - 1, replace=False)
        classes[row] = generator.permutation([first, *others])
        scenes.append(attribute_scenes(generator, 1, classes=tuples[classes[row]]))
    places = np.concatenate([each.labels for each in scenes])
    objects = np.concatenate([each.masks for each in scenes if each.masks is not None])
    objects = objects & (places >= 0)[..., None, None]
    of_class = places[:, None] == np.arange(FAMILY)[None, :, None]
    masks = (of_class[..., None, None] & objects[:, None]).any(2)
    labels = np.where(places >= 0, np.take_along_axis(classes, np.maximum(places, 0), 1), -1)
    return Families(
        np.concatenate([each.images for each in scenes]), classes, masks, objects, labels
    )


def one_field_off(
    generator: np.random.Generator, classes: Int[np.ndarray, "n k"], tuples: Tuples
) -> tuple[Int[np.ndarray, "n k"], Int[np.ndarray, "n k"]]:
    """For each class that a scene is asked for, a class that differs in one field alone, and the field.

    None of these is asked for in the scene itself, and none is there twice: a prompt that has a wrong
    field is not the right one of its neighbour.

    Args:
        generator: of fields and words.
        classes: that each scene is asked for.
        tuples: of `all_classes`.
    """
    sizes = tuples.max(0) + 1
    found, field = np.array(classes), np.zeros(classes.shape, int)
    again = np.ones(len(classes), bool)
    while again.any():
        words = tuples[classes[again]]
        which = generator.integers(len(sizes), size=words.shape[:-1])
        more = 1 + (generator.random(which.shape) * (sizes[which] - 1)).astype(int)
        moved = (words + more[..., None] * (np.arange(len(sizes)) == which[..., None])) % sizes
        found[again] = np.ravel_multi_index(tuple(np.moveaxis(moved, -1, 0)), tuple(sizes))
        field[again] = which
        together = np.sort(np.concatenate([classes, found], 1), 1)
        again = (np.diff(together) == 0).any(1)
    return found, field


def by_patch(masks: Bool[np.ndarray, "*n h w"], side: int) -> Float[np.ndarray, "*n a b"]:
    """The share of each patch that a mask covers."""
    *lead, height, width = masks.shape
    cut = masks.reshape(*lead, height // side, side, width // side, side)
    return cut.mean((-3, -1), dtype=np.float32)


def truth_of(scenes: Families) -> Int[np.ndarray, "n h w"]:
    """The class of each pixel, -1 where there is none."""
    best = scenes.masks.argmax(1)
    found = np.take_along_axis(scenes.classes, best.reshape(len(best), -1), 1).reshape(best.shape)
    return np.where(scenes.masks.any(1), found, -1)
