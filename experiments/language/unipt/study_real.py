"""Transfer from SmolLM2-135M's states, which are made once for all seeds."""

import functools
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.data.room import DataMissingError
from experiments.data.texts import SentenceSet
from experiments.harness.study import NotMeasured, Trial
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.transformer.features import HiddenStates
from experiments.kits.transformer.sentence_states import SIZES, drawn_sentences, states_of
from experiments.language.unipt import study_costs
from experiments.language.unipt.fitting import OnStates, drawn_order, tuned
from experiments.language.unipt.probing import probed
from experiments.language.unipt.rivals import LadderTuning
from experiments.language.unipt.study_config import UniptConfig
from experiments.language.unipt.tuning import ParallelTuning
from ntkexec.errors import MissingExtraError

BATCH, REDUCTION, CLASSES = 16, 8, 6
"""So that the projections are 72 wide; the sets have at most six classes."""
RATES = {"parallel": 3e-3, "ladder": 1e-3}
LENGTHS = {"rte": 64}
"""Tokens of a text; of other sets 32."""


def real(config: UniptConfig, trial: Trial) -> dict[str, Any]:
    """Accuracies in percent by set and arm, and their means over sets."""
    if not config.real_sets:
        raise NotMeasured("transfer from SmolLM2-135M is measured with --scale standard")
    found: dict[str, dict[str, float]] = {}
    for name in config.real_sets:
        data: SentenceSet = trial.load(name)
        try:
            found[name] = _tuned_on(name, data, config, trial)
        except (DataMissingError, MissingExtraError) as reason:
            raise NotMeasured(str(reason)) from None
        trial.report("sets", len(found), len(config.real_sets))
    arms = next(iter(found.values()))
    means = {arm: float(np.mean([one[arm] for one in found.values()])) for arm in arms}
    return {"sets": found, "mean": means}


@functools.lru_cache(maxsize=8)
def _states(
    name: str,
    texts: Any,
    layers: tuple[int, ...],
    length: int,
    data: Path | None,
    folder: Path | None,
) -> HiddenStates:
    return states_of(texts, data=data, folder=folder, layers=layers, pooled="none", length=length)


def _tuned_on(name: str, data: SentenceSet, config: UniptConfig, trial: Trial) -> dict[str, float]:
    train, test = (
        drawn_sentences(part, number, seed=0)
        for part, number in zip((data.train, data.test), SIZES[name], strict=True)
    )
    # Kept beside the seeds' folders, since all seeds need the same.
    folder = None if trial.folder is None else trial.folder.parent
    length = LENGTHS.get(name, 32)
    states = _states(name, (*train, *test), config.real_layers, length, trial.data, folder)
    assert states.lengths is not None
    # All sets of a length have one shape, so that one program serves them.
    alike = [size for one, size in SIZES.items() if LENGTHS.get(one, 32) == length]
    most = max(map(sum, alike))
    layers = tuple(_filled(one, most, length) for one in states.layers)
    real = np.zeros((most, length), bool)
    real[: len(states.lengths)] = np.arange(length)[None] < states.lengths[:, None]
    labels = np.zeros(most, int)
    labels[: len(states.lengths)] = [one.label for one in (*train, *test)]
    generator = np.random.default_rng([trial.seed, len(train), len(test)])
    chosen = generator.permutation(len(train))[: len(train) * 4 // 5]
    tested = np.arange(len(train), len(train) + len(test))
    truth = labels[tested]
    order = drawn_order(generator, chosen, config.real_steps, BATCH)
    scores = {
        "probe": probed(layers[-1:], real, labels, chosen, tested, CLASSES),
        "probe_all": probed(layers, real, labels, chosen, tested, CLASSES),
    }
    first = [np.zeros((1, *one.shape[1:]), np.float32) for one in layers]
    filled = np.resize(tested, max(number for _, number in alike))
    given = tuple(jnp.asarray(one) for one in layers), jnp.asarray(real)
    for arm, module in (
        ("parallel", ParallelTuning(CLASSES, REDUCTION)), ("ladder", LadderTuning(CLASSES, REDUCTION))
    ):  # fmt: skip
        params = initial_by_numpy(module, generator, first, rules=study_costs.rules(len(first)))
        found = tuned(
            OnStates(module), params, given, labels, order, rate=RATES[arm], tested=filled
        )[2]
        scores[arm] = found[: len(tested)]
    majority = np.bincount(labels[chosen], minlength=CLASSES).argmax()
    accuracies = {arm: 100 * float((one.argmax(1) == truth).mean()) for arm, one in scores.items()}
    return {**accuracies, "majority": 100 * float((truth == majority).mean())}


def _filled(layer: np.ndarray, texts: int, places: int) -> np.ndarray:
    made = np.zeros((texts, places, layer.shape[-1]), layer.dtype)
    made[: len(layer), : layer.shape[1]] = layer
    return made
