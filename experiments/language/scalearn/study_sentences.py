"""Transfer between real tasks, CoLA, RTE, WNLI, SST-2 and TREC, on hidden states of a real language model.

The states of SmolLM2-135M between its blocks, pooled over a text, are made once and kept; adapters act
on them there. So unlike in the paper what an adapter makes does not reach the next block's attention: a
target's state is the mean over blocks of h_l + sum_s w_sl * a_sl(h_l), see `backbones.KeptStates`.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.data.room import DataMissingError
from experiments.data.texts import Sentence, SentenceSet
from experiments.harness.study import NotMeasured, Trial
from experiments.kits.transformer.encoder import fit_classifier
from experiments.kits.transformer.sentence_states import SIZES, drawn_sentences, states_of
from experiments.language.scalearn.backbones import KeptStates
from experiments.language.scalearn.bank import SourceBank
from experiments.language.scalearn.scaling import AdapterFusion, ScaLearn
from experiments.language.scalearn.study_config import ARMS, ScaConfig
from experiments.language.scalearn.transfer import Examples, Head, Learned, Rates, learn
from ntkexec.errors import MissingExtraError

LAYERS = (8, 15, 22, 30)
"""After which blocks of thirty adapters act."""
PENALTIES = (1.0, 10.0, 100.0, 1000.0)
SOURCE_RATE, REDUCTION, HELD = 3e-4, 16, 0.2
ROOM, LOOK_ROOM = 600, 140
"""Of texts, to which all sets are filled up. Rate and bottleneck, a sixteenth, are the paper's."""


class Task(NamedTuple):
    """A task's states: to learn from, to look at, to test with; as many classes as it has."""

    name: str
    train: Examples
    held: Examples
    test: np.ndarray
    labels: np.ndarray
    classes: int


def sentences(config: ScaConfig, trial: Trial) -> dict[str, Any]:
    """Test scores in points, Matthews' correlation for CoLA and else accuracy; means over targets."""
    if not config.sentences:
        raise NotMeasured(
            "states of a real language model take minutes: measured with --scale standard"
        )
    generator = trial.generator
    tasks = {one.name: one for one in _tasks(config, trial, generator)}
    width, room = tasks[config.sentences[0]].test.shape[-1], max(t.classes for t in tasks.values())
    blocks, names = len(LAYERS), tuple(tasks)
    banks, rows = [], {}
    for done, task in enumerate(tasks.values()):
        trial.report("sources", done, len(tasks))
        bank = SourceBank.initial(
            [task.name], generator, blocks=blocks, width=width, rank=width // REDUCTION
        )
        rates = Rates(mixing=0.0, head=SOURCE_RATE, bank=SOURCE_RATE)
        begun = np.ones((blocks, 1, width), np.float32)
        found = _learned(config, bank, task, begun, ScaLearn(), rates, generator, room, 2)
        banks.append(SourceBank((task.name,), found.bank))
        rows[task.name] = {"single": score(task, found.scores), "probe": _probe(task)}
    bank = SourceBank.joined(banks)
    for done, task in enumerate(tasks.values()):
        trial.report("targets", done, len(tasks))
        for arm in config.arms:
            scaling = ARMS[arm][0]
            if scaling is None:
                mixing: Any = AdapterFusion().initial(generator, blocks, width)
            elif arm == "random":
                number = len(names)
                mixing = generator.normal(1 / number, 1 / number, (1, number, 1)).astype(np.float32)
            else:
                mixing = scaling.initial(generator, blocks, len(names), width)
            rates = config.kept_rates(arm)
            found = _learned(config, bank, task, mixing, scaling, rates, generator, room, 1)
            rows[task.name][arm] = score(task, found.scores)
    arms = ("single", "probe", *config.arms)
    mean = {arm: float(np.mean([row[arm] for row in rows.values()])) for arm in arms}
    return {"targets": rows, "mean": mean}


def score(task: Task, scores: np.ndarray) -> float:
    """In points: Matthews' correlation for CoLA, as GLUE has it, and else accuracy."""
    from sklearn.metrics import matthews_corrcoef

    guessed = np.asarray(scores).argmax(1)
    if task.name == "cola":
        return 100 * float(matthews_corrcoef(task.labels, guessed))
    return 100 * float((guessed == task.labels).mean())


def _learned(
    config: ScaConfig, bank: SourceBank, task: Task, mixing: Any, scaling: ScaLearn | None, rates: Rates,
    generator: np.random.Generator, room: int, times: int,
) -> Learned:  # fmt: skip
    head = Head.initial(generator, bank.sizes[2], task.classes, room=room)
    return learn(
        KeptStates(), None, bank.arrays, mixing, head, _widened(task.train, room), _widened(task.held, room),
        task.test, scaling=scaling, rates=rates, seed=int(generator.integers(2**31)),
        steps=times * config.kept_steps, looks=config.looks, room=ROOM, look_room=LOOK_ROOM,
    )  # fmt: skip


def _widened(examples: Examples, room: int) -> Examples:
    targets = np.asarray(examples.targets)
    return Examples(examples.inputs, np.pad(targets, ((0, 0), (0, room - targets.shape[1]))))


def _probe(task: Task) -> float:
    """Score of a linear probe on the mean of the states, no adapters."""
    rows, held = np.mean(task.train.inputs, 1), np.mean(task.held.inputs, 1)
    labels, truth = (np.argmax(one.targets, 1) for one in (task.train, task.held))
    found = fit_classifier(
        rows, labels, classes=task.classes, strengths=PENALTIES, validation=(held, truth)
    )
    return score(task, found.logits(task.test.mean(1)))


def _tasks(config: ScaConfig, trial: Trial, generator: np.random.Generator) -> list[Task]:
    """All tasks, standardised by what all of them learn from; the same sentences for every seed."""
    folder = None if trial.folder is None else trial.folder.parent / "states"
    read = []
    for done, name in enumerate(config.sentences):
        trial.report("states", done, len(config.sentences))
        data: SentenceSet = trial.load(name)
        parts = [
            drawn_sentences(part, number, seed=0)
            for part, number in zip((data.train, data.test), SIZES[name], strict=True)
        ]
        read.append((name, data, parts, [_states(part, trial, folder) for part in parts]))
    whole = np.concatenate([states[0] for *_, states in read])
    middle, spread = whole.mean(0), whole.std(0) + 1e-6
    found = []
    for name, data, parts, states in read:
        train, test = ((one - middle[None]) / spread[None] for one in states)
        labels, truth = (np.array([one.label for one in part]) for part in parts)
        order = generator.permutation(len(labels))
        held, rest = np.split(order, [int(HELD * len(labels))])
        classes = len(data.labels)
        found.append(
            Task(name, Examples.of(train[rest], labels[rest], classes),
                 Examples.of(train[held], labels[held], classes), test, truth, classes)
        )  # fmt: skip
    return found


def _states(part: tuple[Sentence, ...], trial: Trial, folder: Path | None) -> np.ndarray:
    """Of the chosen blocks, means over tokens, (N, L, D)."""
    try:
        found = states_of(
            part, data=trial.data, folder=folder, layers=LAYERS, pooled="mean", report=trial.report
        )
    except (DataMissingError, MissingExtraError) as reason:
        raise NotMeasured(str(reason)) from None
    return np.stack(found.rows(np.arange(len(part))), 1)
