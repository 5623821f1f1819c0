"""Classes as combinations of words: which are seen in training, how often, and which are held out."""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True, eq=False)
class Prompts:
    """Combinations of words, and how they are met.

    Args:
        classes: of each one, which word of each field.
        sizes: words of each field.
        frequencies: share of the objects of training pictures; 0 for those held out.
    """

    classes: Int[np.ndarray, "C F"]
    sizes: tuple[int, ...]
    frequencies: Float[np.ndarray, "C"]

    @property
    def words(self) -> Int[np.ndarray, "C F"]:
        """The classes with all words numbered through."""
        return self.classes + np.cumsum((0, *self.sizes[:-1]))[None].astype(np.int32)

    @property
    def held_out(self) -> Int[np.ndarray, "H"]:
        """Classes that training does not show."""
        return np.flatnonzero(self.frequencies == 0)

    def third(self, which: int) -> Int[np.ndarray, "T"]:
        """Classes of a third of those seen: 0 for the commonest, 2 for the rarest."""
        seen = np.flatnonzero(self.frequencies)
        return np.array_split(seen[np.argsort(-self.frequencies[seen], kind="stable")], 3)[which]

    def drawn(self, parts: int = 100) -> Int[np.ndarray, "n"]:
        """Seen classes, each as often as its share of so many parts says, once at least."""
        seen = np.flatnonzero(self.frequencies)
        return np.repeat(seen, np.maximum(1, np.rint(parts * self.frequencies[seen]).astype(int)))

    def labels(self, attributes: Int[np.ndarray, "N M F2"]) -> Int[np.ndarray, "N M"]:
        """Classes of objects by the numbers of their words; -1 where there is none.

        Args:
            attributes: of each object, of which the first fields are those of classes.
        """
        fields = len(self.sizes)
        places = np.ravel_multi_index(
            tuple(np.maximum(attributes[..., field], 0) for field in range(fields)), self.sizes
        )
        return np.where(attributes[..., 0] < 0, -1, places).astype(np.int32)


def zipf_prompts(
    generator: np.random.Generator, sizes: tuple[int, ...], *, held_out: int, power: float
) -> Prompts:
    """All combinations, some of them held out, the others as frequent as one over their rank to a power.

    Every word is in a combination that is seen. Ranks are drawn.

    Args:
        generator: of what is held out and of ranks.
        sizes: words of each field.
        held_out: combinations.
        power: 0 for classes that are all as frequent.

    Raises:
        ExperimentError: more held out than leave each word in one that is seen.
    """
    classes = np.indices(sizes).reshape(len(sizes), -1).T.astype(np.int32)
    order = generator.permutation(len(classes))
    out: list[int] = []
    seen = np.ones(len(classes), bool)
    for place in order:
        if len(out) == held_out:
            break
        seen[place] = False
        if all((classes[seen] == classes[place]).any(0)):
            out.append(int(place))
        else:
            seen[place] = True
    if len(out) < held_out:
        raise ExperimentError(
            f"of {len(classes)} combinations {held_out} cannot be held out, and every word be seen: "
            f"{len(out)} can"
        )
    frequencies = np.zeros(len(classes))
    ranks = generator.permutation(int(seen.sum())) + 1
    frequencies[seen] = ranks.astype(float) ** -power
    return Prompts(classes, sizes, frequencies / frequencies.sum())


def named_prompts(names: Sequence[str]) -> tuple[tuple[str, ...], Int[np.ndarray, "C F"]]:
    """The words of classes' names, such as those of COCO's and LVIS's files, and each class as words.

    Args:
        names: of the classes; words are runs of letters and digits, in any case.

    Returns:
        All words, sorted; and for each class the numbers of its own, -1 where it has fewer than another.

    Raises:
        ExperimentError: a name without a word, or two of the same words, which no sum can tell apart.
    """
    split = [sorted(set(re.findall(r"[^\W_]+", name.lower()))) for name in names]
    met: dict[tuple[str, ...], str] = {}
    for name, own in zip(names, split, strict=True):
        if not own:
            raise ExperimentError(f"the class {name!r} has no word in its name")
        if tuple(own) in met:
            raise ExperimentError(
                f"the classes {met[tuple(own)]!r} and {name!r} have the same words; rename one"
            )
        met[tuple(own)] = name
    words = tuple(sorted({word for own in split for word in own}))
    number = {word: place for place, word in enumerate(words)}
    classes = np.full((len(split), max(map(len, split), default=0)), -1, np.int32)
    for row, own in enumerate(split):
        classes[row, : len(own)] = [number[word] for word in own]
    return words, classes
