"""What a detector without anchors predicts at each point: scores of classes, and distances to four sides."""

import dataclasses
import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.kits.convnets.layers import ConvBN
from experiments.kits.detection.boxes import distances_to_boxes
from experiments.kits.detection.losses import expected_distance
from experiments.kits.detection.priors import Priors
from ntkexec.errors import ExperimentError


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """Of all points of a batch of pictures, in the order of `priors.prior_points`.

    Args:
        scores_logits: of each class by itself, before the sigmoid.
        distances_logits: to the left, upper, right and lower side, each as a distribution over 0 to
            bins - 1 strides, before the softmax.
    """

    scores_logits: Float[Array, "b p c"]
    distances_logits: Float[Array, "b p 4 bins"]


def decoded(predictions: Predictions, priors: Priors) -> Float[Array, "b p 4"]:
    """Predicted boxes, corners in pixels: means of the distributions, off the points.

    Raises:
        ExperimentError: there are more or fewer points than predictions.
    """
    found = predictions.distances_logits.shape[1]
    if found != len(priors):
        raise ExperimentError(
            f"{found} points of each picture are predicted, and there are {len(priors)}: strides or "
            "sizes of both differ"
        )
    distances = expected_distance(predictions.distances_logits)
    strides, points = jnp.asarray(priors.strides), jnp.asarray(priors.points)
    return distances_to_boxes(points[None], distances * strides[None, :, None])


class DecoupledHead(nn.Module):
    """Classes and distances of each level by branches of their own.

    Args:
        classes: number of them.
        bins: of a distance: the farthest side is `bins - 1` strides away.
        width: channels of a branch.
        depth: convolutions of a branch before its last, pointwise one.
        start: probability of each class before training: most points show nothing, and so begin.
    """

    classes: int
    bins: int = 8
    width: int = 32
    depth: int = 1
    start: float = 0.01

    @nn.compact
    def __call__(
        self, levels: Sequence[Float[Array, "b h w c"]], *, train: bool = False
    ) -> Predictions:
        shift = np.float32(math.log(self.start / (1 - self.start)))
        scores, distances = [], []
        for number, features in enumerate(levels):
            found = {}
            for branch, outputs in (("scores", self.classes), ("distances", 4 * self.bins)):
                x = features
                for place in range(self.depth):
                    name = f"{branch}_{number}_{place}"
                    x = ConvBN(self.width, activation=nn.silu, name=name)(x, train=train)
                found[branch] = nn.Dense(outputs, name=f"{branch}_{number}_last")(x)
            number_of, points = len(features), math.prod(features.shape[1:3])
            scores.append(found["scores"].reshape(number_of, points, self.classes) + shift)
            distances.append(found["distances"].reshape(number_of, points, 4, self.bins))
        return Predictions(jnp.concatenate(scores, 1), jnp.concatenate(distances, 1))
