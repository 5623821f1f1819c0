"""The methods compared on images that are there: handwritten digits and generated shapes."""

from typing import Any

import numpy as np

from experiments.harness.experiment import Result, Trial
from experiments.kits import images
from experiments.vision.sgs.config import SgsConfig
from experiments.vision.sgs.layers import Network
from experiments.vision.sgs.training import METHODS, fit, right

# Digits and shapes have the same sizes, and unused outputs, so that nothing is compiled twice.
SIZE, NUM_IMAGES, OUTPUTS = 8, 1797, 10
SHAPE_NOISE = 0.2
MEASURED_ON = 256


def digit_images(config: SgsConfig, generator: np.random.Generator) -> images.Images:
    """Scikit-learn's digits."""
    return images.digits(num_train=config.train_images, generator=generator)


def shape_images(config: SgsConfig, generator: np.random.Generator) -> images.Images:
    """Generated shapes under noise."""
    return images.shapes(
        num_train=config.train_images,
        num_test=NUM_IMAGES - config.train_images,
        size=SIZE,
        noise=SHAPE_NOISE,
        generator=generator,
    )


def digits(config: SgsConfig, trial: Trial) -> Result:
    """Test accuracy of every method on scikit-learn's digits."""
    return _compared(config, trial, digit_images(config, trial.generator))


def shapes(config: SgsConfig, trial: Trial) -> Result:
    """Test accuracy of every method on generated shapes under noise."""
    return _compared(config, trial, shape_images(config, trial.generator))


def _compared(config: SgsConfig, trial: Trial, found: images.Images) -> dict[str, Any]:
    # Half of what is not trained on chooses the learning rate, the other half is the test.
    half = len(found.test) // 2
    folder = trial.folder
    accuracies, rates, losses = {}, {}, {}
    for place, (method, block) in enumerate(METHODS.items()):
        model = Network(config.widths, OUTPUTS, block)
        best = -1.0
        for rate in config.rates:
            state, history = fit(
                model,
                method,
                found,
                key=trial.key,
                rate=rate,
                batch=config.batch,
                num_steps=config.train_steps,
                refresh=config.refresh,
                measured_on=MEASURED_ON,
                checkpoint=folder and folder / f"{method}-{rate}.safetensors",
            )
            # Together, since another number of images would compile anew.
            good = right(model, state, found.test, found.test_labels, batch=len(found.test))
            if good[:half].mean() > best:
                best, rates[method] = float(good[:half].mean()), rate
                accuracies[method] = float(good[half:].mean())
                losses[method] = float(history["loss"][-10:].mean())
        trial.report(method, place + 1, len(METHODS))
    return {
        "accuracy": accuracies,
        "rate": rates,
        "loss": losses,
        "test_images": len(found.test) - half,
    }
