"""What is measured: exact statements, transfer between tasks on strings, and on real sentences."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy.stats import spearmanr

from experiments.harness.study import Studies, Trial
from experiments.language.scalearn import study_exact
from experiments.language.scalearn.backbones import AdaptedEncoder
from experiments.language.scalearn.bank import SourceBank
from experiments.language.scalearn.scaling import AdapterFusion, ScaLearn
from experiments.language.scalearn.study_config import ARMS, ScaConfig
from experiments.language.scalearn.study_sentences import sentences
from experiments.language.scalearn.study_strings import (
    SMALL,
    TARGETS,
    TASKS,
    balanced,
    pretrained_encoder,
)
from experiments.language.scalearn.transfer import (
    Examples,
    Head,
    Learned,
    Rates,
    learn,
    told_by_source,
)
from experiments.language.scalearn.worth import influence, newton_start, quadratic

SOURCE_RATE = 0.01


class Task(NamedTuple):
    """A task's examples, and the classes of its test strings."""

    train: Examples
    held: Examples
    test: np.ndarray
    labels: np.ndarray

    def accuracy(self, scores: Any) -> float:
        return float((np.asarray(scores).argmax(1) == self.labels).mean())


class Sources(NamedTuple):
    """All tasks of a seed, with their adapters after stage one, heads, and accuracies."""

    tasks: dict[str, Task]
    bank: SourceBank
    heads: dict[str, Head]
    single: dict[str, float]
    params: Any


def learned_sources(config: ScaConfig, trial: Trial, generator: np.random.Generator) -> Sources:
    """Stage one: each task learns adapters and a head of its own on the frozen encoder."""
    params, _ = pretrained_encoder(
        config.shape, length=config.length, strings=4096, steps=config.pretraining
    )
    tasks, banks, heads, single = {}, [], {}, {}
    for done, name in enumerate(TASKS):
        trial.report("sources", done, len(TASKS))
        number = config.few if name in SMALL else config.many
        rest = config.held + config.tests
        strings, labels = balanced(generator, name, number + rest, config.length)
        cut = (number, number + config.held)
        (train, held, test), (y, y_held, truth) = (np.split(x, cut) for x in (strings, labels))
        task = Task(Examples.of(train, y, 2), Examples.of(held, y_held, 2), test, truth)
        bank = SourceBank.initial(
            [name], generator, blocks=config.blocks, width=config.width, rank=config.rank
        )
        rates = Rates(mixing=0.0, head=SOURCE_RATE, bank=SOURCE_RATE)
        found = _learned(
            config, params, bank, task, np.ones((config.blocks, 1, config.width)), ScaLearn(), rates,
            generator, config.source_steps,
        )  # fmt: skip
        tasks[name], heads[name] = task, found.head
        banks.append(SourceBank((name,), found.bank))
        single[name] = task.accuracy(found.scores)
    return Sources(tasks, SourceBank.joined(banks), heads, single, params)


def on_strings(config: ScaConfig, trial: Trial) -> dict[str, Any]:
    """Test accuracies in percent, means over small tasks, by what is combined and how; and `_worth`."""
    generator = trial.generator
    sources = learned_sources(config, trial, generator)
    sizes = sources.bank.sizes
    found: dict[str, Any] = {"sources": sources.single, "targets": {}, "sums": {}}
    for done, target in enumerate(TARGETS):
        trial.report("targets", done, len(TARGETS))
        task, row = sources.tasks[target], {"single": 100 * sources.single[target]}
        for arm in config.arms:
            scaling = ARMS[arm][0]
            if scaling is None:
                mixing: Any = AdapterFusion().initial(generator, sizes[0], sizes[2])
            elif arm == "random":
                mixing = generator.normal(1 / sizes[1], 1 / sizes[1], (1, sizes[1], 1))
            else:
                mixing = scaling.initial(generator, *sizes)
            made = _learned(
                config, sources.params, sources.bank, task, mixing, scaling, config.rates(arm),
                generator, config.steps,
            )  # fmt: skip
            row[arm] = 100 * task.accuracy(made.scores)
            if arm == "scalearn":
                found["sums"][target] = float(made.mixing.sum(1).mean())
        found["targets"][target] = row
    rows = found["targets"].values()
    arms = ("single", *config.arms)
    mean = {arm: float(np.mean([row[arm] for row in rows])) for arm in arms}
    return {**found, "mean": mean, "worth": _worth(config, sources)}


def _worth(config: ScaConfig, sources: Sources) -> dict[str, Any]:
    """One factor a source by Gauss-Newton, and losses without each source: foretold, and learned anew.

    The target is the first small task, its head that of its own adapter. The start is made on what the
    task learned from; influence is that on as many test strings.
    """
    target = TARGETS[0]
    task, head, number = sources.tasks[target], sources.heads[target], len(sources.bank.names)
    given = (AdaptedEncoder(config.shape), sources.params, sources.bank.arrays, head)

    def told(rows: Any, kept: np.ndarray | float = 1.0) -> Any:
        def masked(factors: Any) -> Any:
            scores, slopes = told_by_source(*given, rows, factors * kept)
            return scores, np.asarray(slopes) * kept

        return masked

    start = np.full(number, 2 / number)
    half = min(config.held, config.few)
    learned = np.concatenate([task.train.inputs[:half], task.held.inputs[:half]])
    targets = np.concatenate([task.train.targets[:half], task.held.targets[:half]])
    begun, further = (
        newton_start(told(learned), start, targets, ridge=0.1, largest=2.0, steps=steps)
        for steps in (1, 4)
    )
    own = (np.array(sources.bank.names) == target).astype(float)
    accuracy = {
        name: 100 * task.accuracy(told(task.test)(jnp.asarray(factors, jnp.float32))[0])
        for name, factors in (
            ("start", start),
            ("newton", begun),
            ("newton_further", further),
            ("own", own),
        )
    }
    rows = task.test[: 2 * half]
    truth = np.eye(2)[task.labels[: 2 * half]]
    steps: dict[str, Any] = {"ridge": 1e-3, "steps": 6, "largest": 2.0}
    best = newton_start(told(rows), further, truth, **steps)
    whole = quadratic(told(rows), best, truth, loss="cross-entropy").value
    foretold, anew = influence(told(rows), best, truth, ridge=1e-3), []
    removed = []
    for source in range(number):
        kept = (np.arange(number) != source).astype(np.float32)
        alone = told(rows, kept)
        removed.append(quadratic(alone, best, truth, loss="cross-entropy").value - whole)
        without = newton_start(alone, best * kept, truth, **steps)
        anew.append(quadratic(alone, without, truth, loss="cross-entropy").value - whole)
    return {
        **accuracy, "factors": dict(zip(sources.bank.names, best.tolist(), strict=True)),
        "foretold": foretold.retrained.tolist(), "retrained": anew,
        "foretold_removed": foretold.removed.tolist(), "removed": removed,
        "agreement": float(spearmanr(foretold.retrained, anew).statistic),
        "agreement_removed": float(spearmanr(foretold.removed, removed).statistic),
        "agreement_by_size": float(spearmanr(np.abs(best), anew).statistic),
        "opposed": float(spearmanr(-foretold.retrained, anew).statistic),
    }  # fmt: skip


def _learned(
    config: ScaConfig, params: Any, bank: SourceBank, task: Task, mixing: Any,
    scaling: ScaLearn | None, rates: Rates, generator: np.random.Generator, steps: int,
) -> Learned:  # fmt: skip
    head = Head.initial(generator, config.width, 2, room=2)
    if scaling is not None:
        mixing = np.asarray(mixing, np.float32)
    return learn(
        AdaptedEncoder(config.shape), params, bank.arrays, mixing, head, task.train, task.held, task.test,
        scaling=scaling, rates=rates, seed=int(generator.integers(2**31)), steps=steps,
        looks=config.looks, room=max(config.many, config.few, config.tests),
    )  # fmt: skip


STUDIES = Studies(
    configs={
        "quick": ScaConfig(),
        "standard": ScaConfig(
            steps=160, source_steps=320, arms=tuple(ARMS), sentences=("cola", "rte", "wnli", "sst-2", "trec")
        ),
    },
    tiny=ScaConfig(
        blocks=2, width=8, rank=2, length=6, pretraining=2, many=40, few=20, held=10, tests=20,
        source_steps=2, steps=2, looks=1, kept_steps=1,
    ),
    functions={
        "nesting": study_exact.nesting,
        "counts": study_exact.counts,
        "planted": study_exact.planted,
        "transfer": on_strings,
        "sentences": sentences,
    },
    num_seeds=4,
    slow=("planted", "transfer"),
)  # fmt: skip
