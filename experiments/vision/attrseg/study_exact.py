"""What holds of every drawn segmenter, in double precision: attributes are a set, classes do not meet."""

import functools
from typing import Any, TypedDict

import jax
import numpy as np

from experiments.harness.study import Trial
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.attrseg.segmenter import RULES, AttributeSegmenter, Segmentation
from experiments.vision.attrseg.study_config import AttrsegConfig
from ntkexec.runtime.precision import float64

CLASSES, SLOTS, PIXELS, WIDTH = 3, 20, 16, 16
"""Of the drawn segmenters; attributes are padded to twenty."""
FEW = 5
"""Attributes that are repeated four times, which fills the slots."""

SOON = {"xla_backend_optimization_level": 0}
"""Asked of XLA for programs that run once or a few times: they are compiled in half the time."""


class Sets(TypedDict):
    """Largest deviations of logits over the largest logit, each with what makes it large."""

    order: float
    order_with_places: float
    padding: float
    padding_as_present: float
    repeated: float
    one_repeated: float
    shares: float
    shares_over_attributes: float
    others: float
    others_shared: float
    pixels: float
    pixels_with_places: float


@functools.partial(jax.jit, static_argnums=0, compiler_options=SOON)
def _apply(model: Any, variables: Any, attributes: Any, pixels: Any, present: Any) -> Segmentation:
    found: Segmentation = model.apply(variables, attributes, pixels, present)
    return found


def sets(config: AttrsegConfig, trial: Trial) -> Sets:
    """Everything that a seed can refute of one drawn segmenter and of one whose classes share pixels."""
    with float64():
        return _Drawn(trial.generator).measured()


class _Drawn:
    """A segmenter with random variables, and random attributes of three classes."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator
        self.attributes = generator.normal(size=(CLASSES, SLOTS, WIDTH))
        self.pixels = generator.normal(size=(PIXELS, WIDTH))
        self.places = generator.normal(size=(SLOTS, WIDTH)), generator.normal(size=(PIXELS, WIDTH))
        model = AttributeSegmenter(hidden=2 * WIDTH)
        given = initial_by_numpy(model, generator, self.attributes, self.pixels, rules=RULES)
        # Biases and scales at no special value.
        self.variables = jax.tree.map(
            lambda leaf: leaf + 0.1 * generator.uniform(size=leaf.shape), given
        )

    def said(
        self, attributes: Any, number: int, pixels: Any = None, *, shared: bool = False
    ) -> Any:
        """Of the first attributes, so many, of each class."""
        model = AttributeSegmenter(hidden=2 * WIDTH, shared=shared)
        present = np.broadcast_to(np.arange(SLOTS) < number, (CLASSES, SLOTS))
        shown = self.pixels if pixels is None else pixels
        found = _apply(model, self.variables, attributes, shown, present)
        return jax.tree.map(np.asarray, found)

    def measured(self) -> Sets:
        order, order_with = self._order()
        padding, as_present = self._padding()
        repeated, one = self._repeated()
        shares, over = self._shares()
        others = [self._others(shared=shared) for shared in (False, True)]
        pixels, pixels_with = self._pixels()
        return {
            "order": order,
            "order_with_places": order_with,
            "padding": padding,
            "padding_as_present": as_present,
            "repeated": repeated,
            "one_repeated": one,
            "shares": shares,
            "shares_over_attributes": over,
            "others": others[0],
            "others_shared": others[1],
            "pixels": pixels,
            "pixels_with_places": pixels_with,
        }

    def _order(self) -> tuple[float, float]:
        """The same attributes in another order; with a code of its place added to each."""
        moved = self.attributes[:, self.generator.permutation(SLOTS)]
        codes = (0.0, self.places[0])
        one, other = (
            _off(self.said(moved + code, SLOTS), self.said(self.attributes + code, SLOTS))
            for code in codes
        )
        return one, other

    def _padding(self) -> tuple[float, float]:
        """Two fillings behind 1 to 20 attributes; as if they were attributes."""
        worst, present = 0.0, 0.0
        for number in range(1, SLOTS + 1):
            filled = []
            for scale in (1.0, 1e6):
                given = scale * self.generator.normal(size=self.attributes.shape)
                given[:, :number] = self.attributes[:, :number]
                filled.append(given)
            one, other = (self.said(given, number) for given in filled)
            worst = max(worst, _off(one, other))
            if number < SLOTS:
                present = max(present, _off(self.said(filled[0], SLOTS), one))
        return worst, present

    def _repeated(self) -> tuple[float, float]:
        """Each of five attributes four times, and the first one sixteen times."""
        plain = self.said(self.attributes, FEW)
        every = np.tile(self.attributes[:, :FEW], (1, SLOTS // FEW, 1))
        first = np.concatenate(
            [self.attributes[:, :FEW], np.repeat(self.attributes[:, :1], SLOTS - FEW, 1)], 1
        )
        return _off(self.said(every, SLOTS), plain), _off(self.said(first, SLOTS), plain)

    def _shares(self) -> tuple[float, float]:
        """From 1: sums of shares over clusters. From convex means: the means. From plain ones: the last."""
        first, last = self.said(self.attributes, SLOTS).stages
        columns = np.abs(first.shares.sum(-2) - 1).max()
        weights = first.shares / first.shares.sum(-1, keepdims=True)
        assert weights.min() >= 0
        convex = np.abs(weights @ first.members - first.means).max() / np.abs(first.means).max()
        plain = last.members.mean(-2, keepdims=True)
        mean = np.abs(last.means - plain).max() / np.abs(plain).max()
        mean = max(mean, np.abs(last.shares - 1).max())
        # What a softmax over the attributes would give the clusters.
        over = np.abs(weights.sum(-2) - 1).max()
        return float(max(columns, convex, mean)), float(over)

    def _others(self, *, shared: bool) -> float:
        """The first class, where the others have other attributes."""
        changed = self.attributes.copy()
        changed[1:] = self.generator.normal(size=changed[1:].shape)
        found = [
            self.said(given, SLOTS, shared=shared).logits[:1]
            for given in (changed, self.attributes)
        ]
        return float(np.abs(found[0] - found[1]).max() / np.abs(found[1]).max())

    def _pixels(self) -> tuple[float, float]:
        """Logits of pixels in another order; with a code of its place added to each."""
        order = self.generator.permutation(PIXELS)
        found = []
        for code in (0.0, self.places[1]):
            moved = self.said(self.attributes, SLOTS, self.pixels[order] + code).logits
            plain = self.said(self.attributes, SLOTS, self.pixels + code).logits[..., order]
            found.append(float(np.abs(moved - plain).max() / np.abs(plain).max()))
        return found[0], found[1]


def _off(one: Segmentation, other: Segmentation) -> float:
    return float(np.abs(one.logits - other.logits).max() / np.abs(other.logits).max())
