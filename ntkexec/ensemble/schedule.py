"""Step size, momentum and number of steps, from the spectrum of the train Gram."""

import dataclasses
import math

import numpy as np

from ntkexec.kernel import arccosine_0, arccosine_1

# The edges below are limits for large widths; a finite network may stick out a little.
SAFETY = 1.1


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Gradient descent on half the squared error, summed over pairs and outputs.

    Args:
        learning_rate: eta.
        momentum: of the heavy ball, 0 for plain gradient descent.
        rate: predicted factor of the error in one step, in the long run.
        predicted_steps: until the residual has fallen to the tolerance, for quadratic dynamics.
    """

    learning_rate: float
    momentum: float
    rate: float
    predicted_steps: int


def spectrum(
    num_inputs: int, num_outputs: int, width: int, weight_std: float, bias_std: float = 0.0
) -> tuple[float, float]:
    """Smallest and largest eigenvalue of the network's own NTK on the standard basis.

    At infinite width and without biases they are `NTK_GAP` and `NTK_GAP + NTK_ORTHOGONAL * n0`,
    times `weight_std**4 / n0`; biases correlate the hidden units' inputs and add to the largest.
    At width h the part of the gap that the output weights learn spreads by
    the Marchenko-Pastur edges of an n0 x h matrix; the part that the hidden weights learn, where
    half of the units are active, by those of an outputs x h/2 matrix.
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
    smallest = (
        by_output * max(0, 1 - spread_output) ** 2 + by_hidden * max(0, 1 - spread_hidden) ** 2
    )
    largest = by_output * (1 + spread_output) ** 2 + num_inputs * shared_output
    largest += (by_hidden + num_inputs * shared_hidden) * (1 + spread_hidden) ** 2
    return smallest, largest


def schedule(
    num_inputs: int,
    num_outputs: int,
    width: int,
    *,
    weight_std: float = 1.0,
    bias_std: float = 0.0,
    tolerance: float,
    heavy_ball: bool = True,
) -> Schedule:
    """The optimal step size and momentum for that spectrum.

    Args:
        num_inputs: n0, training pairs.
        num_outputs: outputs of one network.
        width: hidden units of one network.
        weight_std: standard deviation of the weights at initialisation.
        bias_std: likewise of the biases.
        tolerance: residual at which training stops.
        heavy_ball: with momentum; without, the steps grow with the condition number instead of
            its root.

    Source: Polyak 1964; the step size is 4 / (sqrt(L) + sqrt(l))^2, the rate (sqrt(L) - sqrt(l)) /
        (sqrt(L) + sqrt(l)) a step. Without momentum they are 2 / (L + l) and (L - l) / (L + l).
    """
    smallest, largest = spectrum(num_inputs, num_outputs, width, weight_std, bias_std)
    # A width too small for a positive lower edge still gets a step size; training then finds out.
    low, high = max(smallest / SAFETY, 1e-3 * largest), SAFETY * largest
    if heavy_ball:
        root_low, root_high = math.sqrt(low), math.sqrt(high)
        rate = (root_high - root_low) / (root_high + root_low)
        learning_rate, momentum = 4 / (root_high + root_low) ** 2, rate**2
    else:
        rate = (high - low) / (high + low)
        learning_rate, momentum = 2 / (high + low), 0.0
    steps = math.log(1 / tolerance) / -math.log(rate)
    return Schedule(learning_rate, momentum, rate, math.ceil(steps))
