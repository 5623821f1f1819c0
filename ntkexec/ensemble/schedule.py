"""Step size, momentum and number of steps, from the spectrum of the train Gram."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from ntkexec.theory.kernel import arccosine_0, arccosine_1
from ntkexec.vocabulary import Descent

# The edges below are limits for large widths; a finite network may stick out a little.
SAFETY = 1.1

# Of the automatic descent: the step, as a part of one that ends an error at the bulk's upper edge,
# what a step is multiplied by when the loss has grown, and when not, up to the first.
GENTLE, BACK_OFF, RECOVERY = 0.7, 0.7, 1.05


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Gradient descent on half the squared error, summed over pairs and outputs.

    Args:
        mean_weight: what the error's mean over the training pairs weighs in that sum, by output; 1
            for the plain squared error.
        learning_rate: eta.
        momentum: of the heavy ball, 0 for plain gradient descent.
        rate: predicted factor of the error in one step, in the long run.
        predicted_steps: until the residual has fallen to the tolerance, for quadratic dynamics.
        back_off: what the learning rate is multiplied by after a step that has raised the loss,
            from where it recovers; 1 for a rate that stays.
    """

    learning_rate: float
    momentum: float
    rate: float
    predicted_steps: int
    mean_weight: float = 1.0
    back_off: float = 1.0

    @property
    def most_steps(self) -> int:
        """Steps after which training gives up."""
        return 20 * self.predicted_steps + 200


class Spectrum(NamedTuple):
    """Edges of the eigenvalues of the network's own NTK on the standard basis.

    smallest, bulk: of all but the largest ones.
    largest: of those that belong to the mean over all pairs, one for every output.
    """

    smallest: float
    bulk: float
    largest: float


def edges(
    num_inputs: int, num_outputs: int, width: int, weight_std: float, bias_std: float = 0.0
) -> Spectrum:
    """The spectrum at a finite width.

    At infinite width and without biases the bulk is `NTK_GAP` and the largest eigenvalue
    `NTK_GAP + NTK_ORTHOGONAL * n0`, times `weight_std**4 / n0`; biases correlate the hidden units'
    inputs and add to the largest. At width h the part of the gap that the output weights learn
    spreads by the Marchenko-Pastur edges of an n0 x h matrix; the part that the hidden weights
    learn, where half of the units are active, by those of an outputs x h/2 matrix.
    """
    # Variance of a hidden unit's input, and its correlation between two basis vectors.
    power = weight_std**2 / num_inputs + bias_std**2
    cosine = np.float64(bias_std**2 / power)
    together, similar = float(arccosine_0(cosine)) / 2, float(arccosine_1(cosine)) / 2
    by_output = weight_std**2 * power * (0.5 - similar)
    by_hidden = weight_std**2 * (power / 2 - bias_std**2 * together)
    # What all pairs share, learned by the output weights and bias, and by the hidden biases.
    shared_output = bias_std**2 + weight_std**2 * power * similar
    shared_hidden = weight_std**2 * bias_std**2 * together
    spread_output = math.sqrt(num_inputs / width)
    spread_hidden = math.sqrt(2 * num_outputs / width)
    low_output, low_hidden = (max(0, 1 - s) ** 2 for s in (spread_output, spread_hidden))
    high_output, high_hidden = ((1 + s) ** 2 for s in (spread_output, spread_hidden))
    bulk = by_output * high_output + by_hidden * high_hidden
    return Spectrum(
        smallest=by_output * low_output + by_hidden * low_hidden,
        bulk=bulk,
        largest=bulk + num_inputs * (shared_output + shared_hidden * high_hidden),
    )


def schedule_for(
    num_inputs: int,
    num_outputs: int,
    width: int,
    *,
    weight_std: float = 1.0,
    bias_std: float = 0.0,
    tolerance: float,
    descent: Descent = "auto",
) -> Schedule:
    """The optimal step size and momentum for that spectrum.

    Args:
        num_inputs: n0, training pairs.
        num_outputs: outputs of one network.
        width: hidden units of one network.
        weight_std: standard deviation of the weights at initialisation.
        bias_std: likewise of the biases.
        tolerance: residual at which training stops.
        descent: `plain`, whose steps grow with the condition number of the Gram matrix;
            `heavy-ball`, with momentum and the root of that; `whitened`, the heavy ball on a loss
            in which the error's mean over the pairs weighs less, by the factor by which its
            eigenvalue exceeds all others, so that only the spread of the bulk is left; or `auto`,
            plain descent on that loss with a step that no eigenvalue overshoots, and a smaller one
            whenever the loss has grown. All end where the linearised network interpolates with the
            least change of its weights; but the first three overshoot, which moves finite networks
            out of the regime that the closed forms are about.

    Source: Polyak 1964; the step size is 4 / (sqrt(L) + sqrt(l))^2, the rate (sqrt(L) - sqrt(l)) /
        (sqrt(L) + sqrt(l)) a step. Without momentum they are 2 / (L + l) and (L - l) / (L + l).
    """
    smallest, bulk, largest = edges(num_inputs, num_outputs, width, weight_std, bias_std)
    mean_weight = 1.0
    if descent in ("whitened", "auto"):
        mean_weight, largest = bulk / largest, bulk
    # A width too small for a positive lower edge still gets a step size; training then finds out.
    low, high = max(smallest / SAFETY, 1e-3 * largest), SAFETY * largest
    momentum, back_off = 0.0, 1.0
    if descent == "auto":
        learning_rate, back_off = GENTLE / largest, BACK_OFF
        rate = 1 - learning_rate * low
    elif descent == "plain":
        rate = (high - low) / (high + low)
        learning_rate = 2 / (high + low)
    else:
        root_low, root_high = math.sqrt(low), math.sqrt(high)
        rate = (root_high - root_low) / (root_high + root_low)
        learning_rate, momentum = 4 / (root_high + root_low) ** 2, rate**2
    steps = math.log(1 / tolerance) / -math.log(rate)
    return Schedule(learning_rate, momentum, rate, math.ceil(steps), mean_weight, back_off)
