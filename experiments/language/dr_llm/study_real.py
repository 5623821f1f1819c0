"""A real decoder's thirty blocks: paths of questions searched by likelihood, routers taught, both tested."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.data.carried import load_carried
from experiments.data.room import DataMissingError
from experiments.data.texts import Question, QuestionSet
from experiments.harness.study import NotMeasured, Trial
from experiments.kits.transformer.grading import asked, wilson
from experiments.kits.transformer.keeping import kept
from experiments.kits.transformer.weights import Pretrained, pretrained
from experiments.language.dr_llm.packed import Packed, Walker, pack, room_of
from experiments.language.dr_llm.paths import Counts
from experiments.language.dr_llm.router import (
    WINDOWS,
    fit_routers,
    initial_routers,
    scores_of,
    window_weights,
)
from experiments.language.dr_llm.search import (
    Search,
    Searched,
    as_published,
    in_lockstep,
    label_of,
    tree_search,
)
from experiments.language.dr_llm.study_config import DrLlmConfig
from ntkexec.errors import MissingExtraError

MODEL, TAUGHT, LABELS = "smollm2-135m", "arc-easy", "dr-llm-labels"
SETS = {"arc-easy": 64, "arc-challenge": 64, "piqa": 64, "boolq": 24}
"""Sets of questions, and the tokens of a row; longer questions are left out."""
GROUP = 32
"""Questions that are searched together; the states of all their blocks are held."""


class Asked(NamedTuple):
    """Questions as tokens.

    Args:
        packed: rows of prompts with all choices.
        answers: the right choices.
        fitting: the share of the questions looked at that are short enough.
    """

    packed: Packed
    answers: np.ndarray
    fitting: float


def real(config: DrLlmConfig, trial: Trial) -> dict[str, Any]:
    """Search and routing on the real decoder: labels are searched once, routers and tests are the seed's."""
    if not config.real:
        raise NotMeasured("the real decoder is measured with --scale standard")
    sets: dict[str, QuestionSet] = {name: trial.load(name) for name in SETS}
    model = _model(trial)
    order = (generator := np.random.default_rng(0)).permutation(len(sets[TAUGHT].train))
    train = _asked(model, [sets[TAUGHT].train[i] for i in order], SETS[TAUGHT], config.real)
    labels = _labels(config, trial, model, train, generator)
    given = (labels["windows"].astype(np.float32), labels["lengths"], labels["labels"])
    begun = initial_routers(model.shape, trial.generator)
    trial.report("training routers", 0, 1)
    routers = fit_routers(begun, *given, seed=trial.seed, steps=config.real_steps)
    result: dict[str, Any] = {"search": told(labels, train.packed.choices)}
    pooled: dict[str, list[np.ndarray]] = {}
    taught = {question.text for question in sets[TAUGHT].train}
    for name, length in SETS.items():
        trial.report("testing", len(result), len(SETS))
        order = trial.generator.permutation(len(sets[name].test))
        drawn = untaught([sets[name].test[i] for i in order], taught)
        test = _asked(model, drawn, length, config.real_tests)
        found = _tested(model, routers, test, trial.generator)
        for arm, values in found.items():
            pooled.setdefault(arm, []).append(values)
        result[name] = _summary(found, test)
    arc = {arm: np.concatenate(values[:2]) for arm, values in pooled.items()}
    others = {arm: np.concatenate(values[2:]) for arm, values in pooled.items()}
    return {**result, "arc": _summary(arc), "others": _summary(others)}


def _model(trial: Trial) -> Pretrained:
    try:
        return pretrained(load_carried(MODEL, trial.data))
    except (DataMissingError, MissingExtraError) as reason:
        raise NotMeasured(str(reason)) from None


def untaught(questions: Sequence[Question], taught: Collection[str]) -> list[Question]:
    """Those whose text is not among these: a few of the test sets are training questions of ARC-Easy."""
    return [question for question in questions if question.text not in taught]


def _asked(model: Pretrained, questions: Sequence[Question], length: int, number: int) -> Asked:
    """The first questions that are short enough, so many of them."""
    prompts: list[list[int]] = []
    choices: list[list[list[int]]] = []
    answers: list[int] = []
    seen = 0
    for question in questions:
        if len(prompts) == number:
            break
        seen += 1
        before, several = asked(question)
        prompt = model.tokens(before).tolist()
        ends = [model.tokens(one).tolist() for one in several]
        if room_of(prompt, ends) <= length and all(ends):
            prompts.append(prompt)
            choices.append(ends)
            answers.append(question.answer)
    fitting = len(prompts) / max(seen, 1)
    return Asked(pack(prompts, choices, length), np.array(answers), fitting)


def _labels(
    config: DrLlmConfig,
    trial: Trial,
    model: Pretrained,
    train: Asked,
    generator: np.random.Generator,
) -> dict[str, np.ndarray]:
    """What was searched, the same for all seeds: kept beside their results."""
    folder = None if trial.folder is None else trial.folder.parent
    made_from = labels_from(config, model.params, train)
    return kept(
        folder, LABELS, made_from, lambda: _searched(config, trial, model, train, generator)
    )


def labels_from(config: DrLlmConfig, params: Any, train: Asked) -> dict[str, Any]:
    """All that decides what labels are: the very weights and tokens too, whatever their names."""
    packed = train.packed
    return {
        "model": MODEL,
        "weights": _fingerprint(params),
        "set": TAUGHT,
        "questions": _fingerprint([packed.tokens, packed.place, packed.owner, train.answers]),
        "number": config.real,
        "evaluations": config.real_evaluations,
        "decoys": config.decoys,
    }


def _fingerprint(tree: Any) -> str:
    """Twelve digits that name arrays by their places, types, shapes and values."""
    found = hashlib.sha256()
    for where, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        array = np.ascontiguousarray(leaf)
        found.update(f"{where} {array.dtype} {np.shape(leaf)}\n".encode())
        found.update(array.data.cast("B") if array.size else b"")
    return found.hexdigest()[:12]


def decoy_rows(right: np.ndarray, choices: np.ndarray, most: int) -> np.ndarray:
    """The first questions, so many, with a target for a decoy: answered wrongly, and a third choice left.

    Args:
        right: whether each question is answered rightly with all blocks.
        choices: of each question.
        most: at most so many.
    """
    return np.flatnonzero(~right & (choices > 2))[:most]


def _searched(
    config: DrLlmConfig,
    trial: Trial,
    model: Pretrained,
    train: Asked,
    generator: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Labels by search, what routers read along them, and whether wrong answers can be searched as well."""
    walker = Walker(model.params, model.shape, train.packed)
    blocks, number = model.shape.blocks, len(train.packed)
    found: list[Searched] = []
    base = np.zeros(number, int)
    decoyed: list[bool] = []
    for start in range(0, number, GROUP):
        trial.report("searching paths of questions", start, number)
        rows = list(range(start, min(start + GROUP, number)))
        known: dict[Any, np.ndarray] = {}
        scores = walker.along(rows, [(1,) * blocks] * len(rows), keep=known.__setitem__)
        base[rows] = [int(one.argmax()) for one in scores]

        def search(own: list[int], wanted: np.ndarray, known: Any = known) -> list[Searched]:
            def evaluate(places: Sequence[int], paths: Sequence[Counts]) -> list[bool]:
                these = [own[place] for place in places]
                scored = walker.along(these, paths, known=known)
                return [int(o.argmax()) == wanted[r] for o, r in zip(scored, these, strict=True)]

            return in_lockstep([_tree(config, blocks, generator) for _ in own], evaluate)

        found += search(rows, train.answers)
        # Another wrong choice than the decoder's own: as good a target, if what is found is chance.
        until = slice(rows[-1] + 1)
        right = base[until] == train.answers[until]
        wrong = decoy_rows(right, train.packed.choices[until], config.decoys).tolist()
        wrong = [row for row in wrong if row >= start]
        decoy = np.full(number, -1)
        for row in wrong:
            others = set(range(train.packed.choices[row])) - {base[row], train.answers[row]}
            decoy[row] = generator.choice(sorted(others))
        decoyed += [any(one.right.values()) for one in search(wrong, decoy)] if wrong else []
    labels = [label_of(one) for one in found]
    labelled = [row for row, label in enumerate(labels) if label is not None]
    paths = np.array([labels[row] for row in labelled])
    return {
        "base": base == train.answers,
        "found": np.array([any(one.right.values()) for one in found]),
        "evaluations": np.array([len(one.right) for one in found]),
        "decoyed": np.array(decoyed, bool),
        "labels": paths,
        "lengths": train.packed.starts[labelled],
        "windows": _windows(walker, labelled, paths).astype(np.float16),
        "calls": np.array([walker.calls, walker.wanted]),
        "fitting": np.array(train.fitting),
    }


def _tree(config: DrLlmConfig, blocks: int, generator: np.random.Generator) -> Search:
    own = np.random.default_rng(int(generator.integers(2**32)))
    return tree_search(blocks, config.real_evaluations, generator=own, stop=as_published)


def _windows(walker: Walker, rows: Sequence[int], paths: np.ndarray) -> np.ndarray:
    """What every block's router reads where labels drive the path, (N, L, W, D)."""
    size = walker.packed.tokens.shape[1]
    read = []

    def obey(block: int, hidden: np.ndarray, own: np.ndarray) -> np.ndarray:
        weights = np.asarray(window_weights(walker.packed.starts[own], size)[0])
        read.append(np.einsum("bwt,btd->bwd", weights, hidden))
        return paths[:, block]

    walker.decided(rows, obey)
    return np.stack(read, 1)


def _tested(
    model: Pretrained, routers: Any, test: Asked, generator: np.random.Generator
) -> dict[str, np.ndarray]:
    """Question by question: whether each arm is right, and how many blocks routing ran."""
    walker = Walker(model.params, model.shape, test.packed)
    rows, blocks = list(range(len(test.packed))), model.shape.blocks

    def right(scores: Sequence[np.ndarray]) -> np.ndarray:
        return np.array([one.argmax() for one in scores]) == test.answers

    full = walker.along(rows, [(1,) * blocks] * len(rows))
    scores, decisions = walker.decided(rows, obeying(routers, walker.packed))
    # The same number of blocks for each question, drawn anew.
    order = np.argsort(generator.random(decisions.shape), 1)
    whole, rest = np.divmod(decisions.sum(1), blocks)
    drawn = whole[:, None] + (order < rest[:, None])
    random = walker.along(rows, [tuple(one) for one in drawn.tolist()])
    return {
        "full": right(full),
        "routed": right(scores),
        "random": right(random),
        "layers": decisions.sum(1),
        "changed": (decisions != 1).sum(1),
    }


def obeying(routers: Any, packed: Packed) -> Callable[[int, np.ndarray, np.ndarray], np.ndarray]:
    """What `Walker.decided` asks: each block's router on the means of a prompt's windows."""

    @jax.jit
    def scores(own: Any, hidden: Any, lengths: Any) -> Any:
        weights, counted = window_weights(lengths, hidden.shape[1], windows=WINDOWS)
        return scores_of(own, jnp.einsum("bwt,btd->bwd", weights, hidden), counted)

    def decide(block: int, hidden: np.ndarray, rows: np.ndarray) -> np.ndarray:
        own = jax.tree.map(lambda leaf: leaf[block], routers)
        return np.asarray(scores(own, hidden, packed.starts[rows])).argmax(-1)

    return decide


def _summary(found: dict[str, np.ndarray], test: Asked | None = None) -> dict[str, Any]:
    """Means, and 95 % intervals over questions."""
    arms = ("full", "routed", "random")
    result: dict[str, Any] = {arm: float(found[arm].mean()) for arm in arms}
    number = len(found["full"])
    for arm in arms:
        result[f"{arm}_interval"] = list(wilson(int(found[arm].sum()), number))
    gain = found["routed"].astype(float) - found["full"]
    reach = 1.96 * gain.std() / number**0.5
    result["gain_interval"] = [float(gain.mean() - reach), float(gain.mean() + reach)]
    result["layers"] = float(found["layers"].mean())
    result["changed"] = float(found["changed"].mean())
    result["questions"] = number
    return result if test is None else {**result, "fitting": test.fitting}


def told(labels: dict[str, np.ndarray], choices: np.ndarray) -> dict[str, Any]:
    """Of the search: what it corrected, what it led astray just as well, what it saved and what it cost.

    Args:
        labels: as they were searched.
        choices: of each question that was searched.
    """
    base, found, decoyed = labels["base"], labels["found"], labels["decoyed"]
    both = decoy_rows(base, choices, len(decoyed))
    paths = labels["labels"]
    return {
        "base": float(base.mean()),
        "oracle": float(found.mean()),
        "wrong": int((~base).sum()),
        "corrected": float(found[~base].mean()),
        "decoyed": float(decoyed.mean()),
        # Question by question, of those that were searched for both: whether each target was met.
        "targets": {"right": found[both].astype(int), "decoy": decoyed.astype(int)},
        "label_layers": float(paths.sum(1).mean()),
        "label_counts": np.bincount(paths.ravel(), minlength=3).tolist(),
        "evaluations": float(labels["evaluations"].mean()),
        "calls": int(labels["calls"][0]),
        "calls_without_sharing": int(labels["calls"][1]),
        "fitting": float(labels["fitting"]),
    }
