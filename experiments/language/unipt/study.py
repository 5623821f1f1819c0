"""What is measured: costs of a step, exact statements, transfer from a decoder of letters."""

import functools
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.harness.study import Studies, Trial
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.transformer.decoder import Params, Shape, initial
from experiments.kits.transformer.features import hidden_states
from experiments.kits.transformer.lora import initial_lora
from experiments.kits.transformer.sentence_states import InnerStates
from experiments.kits.transformer.tiny import fit_decoder
from experiments.language.unipt import study_costs
from experiments.language.unipt.fitting import ByLoRA, OnStates, OnTheFly, drawn_order, tuned
from experiments.language.unipt.probing import probed
from experiments.language.unipt.rivals import LadderTuning
from experiments.language.unipt.study_config import UniptConfig
from experiments.language.unipt.study_real import real
from experiments.language.unipt.tuning import ParallelTuning
from ntkexec.runtime.precision import float64

LETTERS = 128
"""Letters are bytes of ASCII; others are read as 0."""
NEWLINE = 10
SHAPE = Shape(blocks=4, width=48, heads=3, key_heads=1, hidden=128, vocabulary=LETTERS)
BATCH, REDUCTION, CLASSES = 16, 2, 6
RATES = {"parallel": 3e-3, "ladder": 1e-3, "lora": 1e-2}
"""Of 1e-3, 3e-3 and 1e-2, by test accuracy on a pilot seed: a ladder fails above, parallel tuning below."""


def costs(config: UniptConfig, trial: Trial) -> dict[str, Any]:
    """Of one training step by arm, and of parallel tuning by depth; the same under every seed."""
    size = (config.share, config.batch, config.places)
    deepest = {
        name: study_costs.counted(name, config.deepest, *size)
        for name in ("parallel", "adapters", "lora", "full")
    }
    depths = [config.deepest * third // 3 for third in (1, 2, 3)]
    grown = [study_costs.counted("parallel", depth, *size)["bytes"] for depth in depths]
    layer = study_costs.per_layer(config.deepest, config.share, config.places)
    cheapest = {
        what: min(deepest[name][what] for name in ("adapters", "lora"))
        for what in ("bytes", "flops")
    }
    return {
        **study_costs.audited(config.share),
        "deepest": deepest,
        "depths": depths,
        "bytes": grown,
        "layers": [one / (layer * config.batch * config.places) for one in grown],
        "share": {what: deepest["parallel"][what] / cheapest[what] for what in cheapest},
        "full": {what: deepest["full"][what] / cheapest[what] for what in cheapest},
    }


def exact(config: UniptConfig, trial: Trial) -> dict[str, float]:
    """How far training from stored states and the order of layers change anything, in float64."""
    generator = trial.generator
    with float64():
        return {**_order(generator), **_equal(generator, config.equal_steps)}


def _order(generator: np.random.Generator) -> dict[str, float]:
    """Outputs with layers and their projections in another order, relative to the largest."""
    layers = [generator.normal(size=(2, 5, width)) for width in (8, 8, 8, 8, 8)]
    real = np.arange(5)[None] < np.array([[5], [3]])
    turned = [2, 0, 3, 1, 4]
    found = {}
    for name, module in (("order", ParallelTuning(3)), ("ladder_order", LadderTuning(3))):
        params = initial_by_numpy(module, generator, layers, real, rules=study_costs.rules(5))
        inner = jax.tree.map(lambda leaf: generator.normal(size=leaf.shape), params["params"])
        moved = dict(inner)
        for to, origin in enumerate(turned):
            for part in ("down", "norm"):
                moved[f"{part}_{to}"] = inner[f"{part}_{origin}"]
        program = jax.jit(module.apply)
        outputs = [
            np.asarray(program({"params": given}, states, real))
            for given, states in ((inner, layers), (moved, [layers[one] for one in turned]))
        ]
        found[name] = float(np.abs(outputs[0] - outputs[1]).max() / np.abs(outputs[0]).max())
    return found


def _equal(generator: np.random.Generator, steps: int) -> dict[str, float]:
    """What is tuned on stored states and on states made at every step, after as many steps each."""
    shape = Shape(blocks=2, width=8, heads=2, key_heads=1, hidden=16, vocabulary=20)
    base = jax.tree.map(np.float64, initial(shape, generator, deviation=0.3))
    backbone = InnerStates(shape, first=0)
    tokens = generator.integers(1, 20, (24, 6)).astype(np.int32)
    real, labels = np.ones(tokens.shape, bool), generator.integers(0, 3, 24)
    states = [np.asarray(one) for one in jax.jit(backbone)(base, tokens)]
    module = ParallelTuning(3)
    params = initial_by_numpy(module, generator, [one[:1] for one in states])
    order = drawn_order(generator, np.arange(24), steps, 8)
    options: dict[str, Any] = {"rate": 1e-2, "tested": np.arange(8)}
    rounded = [one.astype(np.float16).astype(np.float64) for one in states]
    stored, half = (
        tuned(OnStates(module), params, (kind, real), labels, order, **options)[2]
        for kind in (states, rounded)
    )
    flying = tuned(
        OnTheFly(module, backbone), params, (tokens, real), labels, order, frozen=base, **options
    )[2]
    size = np.abs(flying).max()
    return {
        "stored": float(np.abs(stored - flying).max() / size),
        "stored_half": float(np.abs(half - flying).max() / size),
    }


def letters(config: UniptConfig, trial: Trial) -> dict[str, Any]:
    """Accuracy on TREC's questions, in percent, tuned beside and within a decoder of letters."""
    base = _of_letters(trial.dataset("tiny-shakespeare"), config.pretraining, config.letters)
    data = trial.load("trec")
    fixed = np.random.default_rng(0)
    train = [
        data.train[one] for one in fixed.choice(len(data.train), config.questions, replace=False)
    ]
    test = [data.test[one] for one in fixed.choice(len(data.test), config.asked, replace=False)]
    rows = np.array([_bytes(one.text, config.letters) for one in (*train, *test)])
    labels = np.array([one.label for one in (*train, *test)])
    lengths = np.maximum((rows > 0).cumsum(1).argmax(1) + 1, 1)
    states = hidden_states(
        InnerStates(SHAPE, NEWLINE), base, (rows,), block=100, lengths=lengths
    ).layers
    real = np.arange(config.letters)[None] < lengths[:, None]
    generator = trial.generator
    chosen = generator.permutation(config.questions)[: config.questions // 2]
    tested = np.arange(config.questions, len(rows))
    order = drawn_order(generator, chosen, config.steps, BATCH)
    scores = {"probe": probed(states[-1:], real, labels, chosen, tested, CLASSES)}
    scores["probe_all"] = probed(states, real, labels, chosen, tested, CLASSES)
    for name, module in (
        ("parallel", ParallelTuning(CLASSES, REDUCTION)),
        ("ladder", LadderTuning(CLASSES, REDUCTION)),
    ):
        first = [np.zeros((1, *one.shape[1:]), np.float32) for one in states]
        params = initial_by_numpy(module, generator, first, rules=study_costs.rules(len(first)))
        scores[name] = tuned(
            OnStates(module), params, (states, real), labels, order, rate=RATES[name], tested=tested
        )[2]
        trial.report("tuned", len(scores), 5)
    head = generator.normal(size=(SHAPE.width, CLASSES)) * SHAPE.width**-0.5
    params = {
        "lora": initial_lora(SHAPE, generator, rank=4),
        "head": head.astype(np.float32), "bias": np.zeros(CLASSES, np.float32),
    }  # fmt: skip
    scores["lora"] = tuned(
        ByLoRA(SHAPE, NEWLINE), params, (rows, real), labels, order, rate=RATES["lora"], tested=tested,
        frozen=base,
    )[2]  # fmt: skip
    truth = labels[tested]
    return {name: 100 * float((one.argmax(1) == truth).mean()) for name, one in scores.items()}


@functools.cache
def _of_letters(path: Path, steps: int, length: int) -> Params:
    """A decoder of Shakespeare's letters; the same under every seed."""
    text = np.array(_bytes(path.read_text("utf-8", errors="replace"), None))
    starts = np.random.default_rng(0).integers(0, len(text) - length, BATCH * steps)
    tokens = text[starts[:, None] + np.arange(length)[None]]
    params, _ = fit_decoder(
        SHAPE, tokens, np.ones(tokens.shape, bool), seed=0, steps=steps, batch=BATCH, rate=5e-3
    )
    found: Params = params
    return found


def _bytes(text: str, length: int | None) -> list[int]:
    found = [one if one < LETTERS else 0 for one in text.encode("latin-1", errors="replace")]
    return found if length is None else (found + [0] * length)[:length]


STUDIES = Studies(
    configs={
        "quick": UniptConfig(),
        "standard": UniptConfig(real_sets=("cola", "rte", "sst-2", "trec")),
    },
    tiny=UniptConfig(
        deepest=3,
        share=32,
        batch=2,
        places=4,
        equal_steps=3,
        pretraining=2,
        letters=8,
        questions=40,
        asked=20,
        steps=2,
    ),
    functions={"costs": costs, "exact": exact, "letters": letters, "real": real},
    num_seeds=5,
    slow=("costs", "exact", "letters"),
)
