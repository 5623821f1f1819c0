"""A small detector of what words say: picture and words in, a fixed number of boxes with scores out.

Convolutions make tokens at strides 8 and 16; an enhancer lets them see each other and the words; those that
fit a class best become queries; a decoder refines them. A class is the sum of its words, so that a
combination that was never seen has a vector too.

Source: Lu et al., arXiv:2507.17436, of whose base model (Grounding DINO 1.5 Edge, Ren et al.,
    arXiv:2405.10300) this keeps the parts that matter to its decoder, at a size for CPUs.
"""

import dataclasses
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from experiments.kits.initialisation import FLAX, STACK, Rule, initial_by_numpy, zeros
from experiments.vision.dynamic_dino.blocks import DecoderLayer, EnhancerLayer, Head, waves
from experiments.vision.dynamic_dino.splitting import from_dense
from experiments.vision.dynamic_dino.upcycling import upcycle
from ntkexec.errors import ExperimentError

STRIDES = (8, 16)
FFN = ("decoder", STACK, "ffn")
"""Where in its parameters the decoder's feed-forward layers lie, stacked."""
TUNED = (
    "enhancer/stack/words/",
    "enhancer/stack/norm_words/",
    "decoder/stack/ffn/",
    "decoder/stack/head/",
    "head/",
)
"""Where paths begin of what tuning trains: the enhancer's attention to words, the experts, the heads."""


class Detections(NamedTuple):
    """What the queries say, first as tokens, then after each layer of the decoder.

    Args:
        scores: logits of each class.
        boxes: centre x, centre y, width and height, as shares of the picture's side.
    """

    scores: Float[Array, "L+1 B Q C"]
    boxes: Float[Array, "L+1 B Q 4"]


class Stem(nn.Module):
    """Maps at strides 8 and 16, each normalised in groups of 8 channels, so that no statistics are kept.

    Args:
        width: channels of both.
    """

    width: int

    @nn.compact
    def __call__(self, images: Float[Array, "B h w 3"]) -> list[Float[Array, "B h2 w2 d"]]:
        def step(x: Any, channels: int, stride: int) -> Any:
            made = nn.Conv(channels, (3, 3), stride, padding=((1, 1), (1, 1)))(x)
            return nn.relu(nn.GroupNorm(None, group_size=8)(made))

        x: Any = images - 0.5
        for channels in (self.width // 4, self.width // 2, self.width):
            x = step(x, channels, 2)
        x = step(x, self.width, 1)
        return [x, step(x, self.width, 2)]


class Detector(nn.Module):
    """See the module.

    Args:
        words: how many there are.
        width, heads: of all attention; the width is a multiple of 32 and of the heads.
        hidden: units of the decoder's feed-forward layers; the enhancer's have half.
        enhancers, decoders: layers.
        queries: tokens that become queries.
        experts: what `MoEFFN` is given in the decoder, as pairs; without, its layers are dense.
    """

    words: int
    width: int = 64
    heads: int = 4
    hidden: int = 256
    enhancers: int = 2
    decoders: int = 3
    queries: int = 32
    experts: tuple[tuple[str, Any], ...] | None = None

    @nn.compact
    def __call__(
        self,
        images: Float[Array, "B h w 3"],
        classes: Int[Array, "C F"],
        routes: Float[ArrayLike, ""] = 1.0,
        always: Float[ArrayLike, "*B E"] | None = None,
    ) -> Detections:
        """Boxes, and how well each fits each class.

        Args:
            images: RGB from 0 to 1; sides are multiples of 16.
            classes: the numbers of each one's words; -1 where it has fewer.
            routes, always: see `MoEFFN`; of no meaning to dense layers.

        Returns:
            Scores of a class of words that are not there are no numbers, where compiled code cannot refuse.

        Raises:
            ExperimentError: such a class outside of compiled code.
        """
        if not isinstance(classes, jax.core.Tracer):
            check_classes(classes, self.words)
        table = nn.Embed(self.words, self.width, name="words")
        text = nn.LayerNorm(name="norm_words")(table(jnp.arange(self.words)))
        said = jnp.asarray(classes)[..., None]
        vectors = text.at[jnp.maximum(said[..., 0], 0)].get(mode="fill", fill_value=jnp.nan)
        summed = jnp.where(said < 0, 0, vectors).sum(1)
        named = nn.Dense(self.width, name="named")(summed)
        named = nn.LayerNorm(name="norm_named")(named)
        maps = Stem(self.width, name="stem")(images)
        tokens = jnp.concatenate([each.reshape(len(images), -1, self.width) for each in maps], 1)
        anchors = jnp.asarray(anchors_of((images.shape[1], images.shape[2])), tokens.dtype)
        places = nn.Dense(self.width, name="places")(waves(anchors, self.width))[None]
        words = jnp.broadcast_to(text[None], (len(images), *text.shape))
        enhancer = nn.scan(
            EnhancerLayer, {"params": 0}, split_rngs={"params": True}, length=self.enhancers,
            in_axes=(nn.broadcast, nn.broadcast),
        )  # fmt: skip
        tokens, _ = Layers(enhancer, (self.heads, self.hidden // 2), name="enhancer")(
            tokens, places, words
        )
        around = jnp.broadcast_to(anchors[None], (len(images), *anchors.shape))
        scores, boxes = Head(self.width, name="head")(tokens, around, named)
        best = jax.lax.top_k(jax.lax.stop_gradient(scores).max(-1), self.queries)[1][..., None]
        chosen, scores, boxes = (
            jnp.take_along_axis(each, best, 1) for each in (tokens, scores, boxes)
        )
        decoder = nn.scan(
            DecoderLayer, {"params": 0, "start": 0, "intermediates": 0},
            split_rngs={"params": True}, length=self.decoders, in_axes=(nn.broadcast,) * 5,
        )  # fmt: skip
        _, (layer_scores, layer_boxes) = Layers(
            decoder, (self.heads, self.hidden, self.experts), name="decoder"
        )(
            (chosen, jax.lax.stop_gradient(boxes)),
            tokens, places, anchors[:, :2], (words, named), (routes, always),
        )  # fmt: skip
        return Detections(
            jnp.concatenate([scores[None], layer_scores]),
            jnp.concatenate([boxes[None], layer_boxes]),
        )


class Layers(nn.Module):
    """Equal layers after each other, stacked under the name by which their first values are drawn.

    Args:
        scanned: the class that `nn.scan` made.
        given: what it is made with.
    """

    scanned: Any
    given: tuple[Any, ...]

    @nn.compact
    def __call__(self, *inputs: Any) -> Any:
        return self.scanned(*self.given, name=STACK)(*inputs)


def check_classes(classes: Int[ArrayLike, "C F"], words: int) -> None:
    """Refuses classes of words that are not there, whose vectors would be another word's or none.

    Args:
        classes: the numbers of each one's words; -1 where it has fewer.
        words: how many there are.

    Raises:
        ExperimentError: names the number that is no word's.
    """
    given = np.asarray(classes)
    if given.ndim != 2 or given.dtype.kind not in "iu":
        raise ExperimentError(
            f"classes are rows of whole numbers, not {given.dtype} of shape {given.shape}"
        )
    wrong = given[(given < -1) | (given >= words)]
    if wrong.size:
        raise ExperimentError(f"there are {words} words, from 0, and -1 for none; got {wrong[0]}")


def anchors_of(size: tuple[int, int]) -> Float[np.ndarray, "T 4"]:
    """A box around each token's place, twice as wide as its stride.

    Args:
        size: height and width of the picture in pixels.

    Raises:
        ExperimentError: it is no multiple of the largest stride.
    """
    height, width = size
    if height % STRIDES[-1] or width != height:
        raise ExperimentError(
            f"pictures are squares of a multiple of {STRIDES[-1]} pixels, not {height} x {width}"
        )
    found = []
    for stride in STRIDES:
        down, across = (np.mgrid[: height // stride, : width // stride] + 0.5) * stride / height
        side = np.full(down.size, 2 * stride / height)
        found.append(np.stack([across.ravel(), down.ravel(), side, side], 1))
    return np.concatenate(found).astype(np.float32)


def _constant(value: float) -> Rule:
    return lambda generator, shape, fan_in: np.full(shape, value)


RULES = {
    **FLAX,
    "change/kernel": zeros,
    "prior": _constant(-4.0),
    "sharpness": _constant(4.0),
}


def initial_detector(
    detector: Detector, generator: np.random.Generator, *, size: int, classes: int, fields: int
) -> Any:
    """Variables before training, drawn by NumPy; for one of dense layers.

    Args:
        detector: of dense layers.
        generator: of all draws.
        size: of pictures, in pixels.
        classes, fields: how many there are, and words of each.
    """
    images = np.zeros((1, size, size, 3), np.float32)
    given = np.zeros((classes, fields), np.int32)
    return initial_by_numpy(detector, generator, images, given, rules=RULES)


def upcycled(
    detector: Detector,
    variables: Any,
    generator: np.random.Generator,
    *,
    copies: int,
    slices: int,
    gate: str = "scaled",
    router: str = "tied",
) -> tuple[Detector, Any]:
    """The detector with experts in its decoder's place of dense layers, and its variables.

    Args:
        detector, variables: of dense layers.
        generator, copies, slices, gate, router: see `upcycling.upcycle`.
    """
    made = upcycle(
        from_dense(at(variables["params"], FFN), up="up", down="down"),
        generator, copies=copies, slices=slices, gate=gate, router=router,
    )  # fmt: skip
    options = {"copies": copies, "slices": slices, "gate": gate, "anchored": "start" in made}
    grown = dataclasses.replace(detector, experts=tuple(options.items()))
    return grown, grafted(variables, made)


def grafted(variables: Any, made: Any) -> Any:
    """The variables with others in the place of the decoder's feed-forward layers."""
    found = {}
    for collection, inner in made.items():
        tree = {name: dict(leaf) for name, leaf in variables.get(collection, {}).items()}
        decoder = dict(tree.get(FFN[0], {}))
        tree[FFN[0]] = {**decoder, FFN[1]: {**decoder.get(FFN[1], {}), FFN[2]: inner}}
        found[collection] = tree
    return found


def at(tree: Any, path: tuple[str, ...]) -> Any:
    """What lies at a path of a tree."""
    for name in path:
        tree = tree[name]
    return tree
