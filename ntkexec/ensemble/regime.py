"""Signs that training left the regime that the closed forms are about."""

import math
from collections.abc import Sequence

import numpy as np

from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.training import plan_for
from ntkexec.ensemble.weights import Weights
from ntkexec.program.problem import LearningProblem, Stack

# Outputs that rise higher than this, relative to their targets, on the way there.
HIGHEST_PEAK = 1.3
# Steps taken, relative to the steps predicted.
MOST_STEPS = 2


def peak(weights: Sequence[Weights]) -> float | None:
    """How high the outputs that are to be 1 rose in training, relative to that: the mean over the
    members, in the component where it is largest; None if nothing was measured."""
    found = [float(w.peak.mean(axis=0).max()) for w in weights if w.peak is not None]
    return max(found) if found else None


def alarm(
    problem: LearningProblem, config: EnsembleConfig, weights: Sequence[Weights]
) -> str | None:
    """What was wrong with the training, in a sentence; None if nothing was.

    An untrained network's random outputs fade while it learns, and lift some outputs above their
    targets; the highest is allowed four standard deviations of that.
    """
    if not config.descended:
        return None
    for stack, trained in zip(problem.stacks, weights, strict=True):
        where = (
            f"{stack.num_inputs} templates, {stack.num_outputs} output(s), width {config.width}, "
            f"{config.descent} descent"
        )
        cure = (
            "try --descent auto" if config.descent != "auto" else f"try --width {2 * config.width}"
        )
        if trained.peak is not None:
            excess = trained.peak.mean(axis=0) - HIGHEST_PEAK - _noise(problem, config, stack)
            if not excess.max() <= 0:
                return (
                    f"training overshot: outputs rose to {trained.peak.mean(axis=0).max():.2f} times "
                    f"their targets ({HIGHEST_PEAK} is the most that is safe; {where}); the networks "
                    f"left the regime that certificates are about; {cure}"
                )
        predicted = plan_for(config, stack).predicted_steps
        if trained.steps.max() > MOST_STEPS * predicted:
            return (
                f"training took {int(trained.steps.max())} steps where {predicted} were predicted "
                f"({where}): the networks may have left the regime that certificates are about; {cure}"
            )
    return None


def _noise(problem: LearningProblem, config: EnsembleConfig, stack: Stack) -> np.ndarray:
    """Four standard deviations of the mean over members of an output's mean before training, for
    the bit with the fewest writers, by component."""
    if config.draw == "antisymmetric":
        return np.zeros(len(stack.components))
    writers = problem.targets(stack).sum(axis=1)
    fewest = np.where(writers > 0, writers, np.inf).min(axis=1)
    scale = config.weight_std**4 / (2 * stack.num_inputs) + config.bias_std**2 * (
        config.weight_std**2 / 2 + 1
    )
    several = math.sqrt(2 * math.log(stack.num_outputs)) + 4 / math.sqrt(config.members)
    return several * np.sqrt(scale / fewest)
