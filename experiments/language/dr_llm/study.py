"""What is measured: searches and routers on tiny decoders, then a real decoder's blocks."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.harness.study import Studies, Trial
from experiments.kits.transformer import tasks
from experiments.kits.transformer.decoder import Params, Shape, logits, run
from experiments.kits.transformer.tasks import Examples, joined
from experiments.kits.transformer.tiny import fit_decoder
from experiments.language.dr_llm.paths import Counts, all_counts, answers_of_all, right_along
from experiments.language.dr_llm.router import fit_routers, initial_routers, route
from experiments.language.dr_llm.search import (
    Search,
    Searched,
    as_published,
    in_lockstep,
    label_of,
    released_search,
    tree_search,
    uniform_edits,
)
from experiments.language.dr_llm.study_config import FULL, QUICK, STANDARD, TINY, DrLlmConfig
from experiments.language.dr_llm.study_real import real

LENGTH = 16


def tiny_decoder(config: DrLlmConfig, trial: Trial, *, drop: float) -> dict[str, Any]:
    """One tiny decoder, trained with blocks dropped or not: its paths, searches of them, and routers."""
    shape, generator = _shape(config), trial.generator
    trial.report("training a decoder", 0, 4)
    learned = _mixture(generator, 3000, (1, 6), unseen=True)
    params, losses = fit_decoder(
        shape, learned.tokens, learned.counted, seed=trial.seed, steps=config.steps, batch=32,
        rate=5e-3, drop=drop,
    )  # fmt: skip
    trial.report("searching paths", 1, 4)
    labelled = _mixture(generator, config.examples, (1, 4))
    known = _Known(params, shape, labelled, answers_of_all(params, shape, labelled))
    # Searches are compared on plain decoders alone, where claims look.
    compared = {} if drop else _searches(config, known, generator)
    trial.report("training routers", 2, 4)
    taught_by = known.searched(
        [
            tree_search(
                shape.blocks, config.labelling, stop=as_published,
                generator=np.random.default_rng(int(one)),
            )
            for one in generator.integers(2**32, size=config.examples)
        ]
    )  # fmt: skip
    labels = [label_of(one) for one in taught_by]
    taught = _routers(config, trial, known, labels)
    trial.report("routing", 3, 4)
    tests = {
        "same": _mixture(generator, config.examples, (1, 4)),
        "deeper": tasks.modular_composition(
            generator, config.examples, (5, 6), modulus=3, length=LENGTH
        ),
        "unseen": tasks.addition(generator, config.examples, modulus=8, length=LENGTH),
    }
    base = known.table[:, _number((1,) * shape.blocks)]
    found = np.array([label is not None for label in labels])
    lengths = [sum(label) for label in labels if label is not None]
    return {
        "loss": float(losses[-50:].mean()),
        "search": compared,
        "base": float(base.mean()),
        "oracle": float(found.mean()),
        "label_layers": float(np.mean(lengths)) if lengths else float(shape.blocks),
        "label_counts": _label_counts(labels, shape),
        **{
            name: _arms(params, shape, taught, test, known, generator)
            for name, test in tests.items()
        },
    }


class _Known:
    """A decoder's answers along all paths of single and double blocks; others are run when asked for."""

    def __init__(self, params: Params, shape: Shape, examples: Examples, table: np.ndarray) -> None:
        self.params, self.shape, self.examples, self.table = params, shape, examples, table

    def evaluate(self, rows: Any, paths: Any) -> list[bool]:
        beyond = [place for place, path in enumerate(paths) if max(path) > 2]
        found = np.array(
            [
                place not in beyond and self.table[row, _number(path)]
                for place, (row, path) in enumerate(zip(rows, paths, strict=True))
            ]
        )
        if beyond:
            counts = np.ones((len(self.examples), self.shape.blocks), np.int32)
            for place in beyond:
                counts[rows[place]] = paths[place]
            right = right_along(self.params, self.shape, self.examples, counts)
            found[beyond] = right[[rows[place] for place in beyond]]
        return [bool(one) for one in found]

    def searched(self, searches: list[Search]) -> list[Searched]:
        return in_lockstep(searches, self.evaluate)

    @functools.cached_property
    def shortest(self) -> np.ndarray:
        """Of every example, the length of its shortest right path; -1 where none is right."""
        lengths = all_counts(self.shape.blocks).sum(1)
        found = np.where(self.table, lengths[None], 10**6).min(1)
        return np.where(self.table.any(1), found, -1)


def _searches(config: DrLlmConfig, known: _Known, generator: np.random.Generator) -> dict[str, Any]:
    """How often each search finds a path as short as the shortest, where there is one."""
    blocks, budget = known.shape.blocks, config.evaluations
    some = np.flatnonzero(known.shortest >= 0)
    seeds = generator.integers(2**32, size=(3, len(known.examples)))
    kinds: dict[str, Any] = {"tree": tree_search}
    kinds["uniform"], kinds["released"] = uniform_edits, released_search
    result: dict[str, Any] = {"possible": len(some) / len(known.examples)}
    for (name, kind), own in zip(kinds.items(), seeds, strict=True):
        found = known.searched(
            [kind(blocks, budget, generator=np.random.default_rng(int(one))) for one in own]
        )
        short = [found[row].shortest() == known.shortest[row] for row in some]
        result[name] = {
            "shortest": float(np.mean(short)),
            "right": float(np.mean([any(one.right.values()) for one in found])),
            "evaluations": float(np.mean([len(one.right) for one in found])),
            "nodes": float(np.mean([len(one.children) for one in found])),
            "branched": int(sum(number > 1 for one in found for number in one.children)),
            "branching": float(np.mean([one.branching for one in found])),
        }
    return result


def _routers(
    config: DrLlmConfig, trial: Trial, known: _Known, labels: list[Counts | None]
) -> dict[str, Any]:
    """Routers taught by the labels: with the focal loss and class weights, and by plain cross-entropy."""
    shape, examples = known.shape, known.examples
    wanted = np.array([label or (1,) * shape.blocks for label in labels])
    begun = initial_routers(shape, trial.generator, hidden=32)
    read = route(known.params, shape, begun, examples.tokens, examples.start, given=wanted).windows
    told = np.flatnonzero([label is not None for label in labels])
    if not len(told):
        return {"focal": begun, "plain": begun}
    # As many rows whatever was labelled, so that one program teaches all.
    rows = np.resize(told, len(labels))
    given = (np.asarray(read)[rows], examples.start[rows], wanted[rows])
    options: dict[str, Any] = {"seed": trial.seed, "steps": config.router_steps, "rate": 3e-3}
    return {
        "focal": fit_routers(begun, *given, **options),
        "plain": fit_routers(begun, *given, gamma=0.0, beta=None, **options),
    }


def _arms(
    params: Params,
    shape: Shape,
    routers: dict[str, Any],
    test: Examples,
    known: _Known,
    generator: np.random.Generator,
) -> dict[str, float]:
    """Accuracy of routing and of its rivals, which run as many blocks on average."""
    blocks, number = shape.blocks, len(test)

    def right(counts: Any) -> np.ndarray:
        return right_along(params, shape, test, counts)

    found: dict[str, float] = {"full": float(right(np.ones((number, blocks))).mean())}
    for name in ("plain", "focal"):
        decisions = np.asarray(
            route(params, shape, routers[name], test.tokens, test.start).decisions
        )
        found[name] = float(right(decisions).mean())
        found[f"{name}_layers"] = float(decisions.sum(1).mean())
    layers = found["focal_layers"]
    found["shuffled"] = float(right(generator.permutation(decisions)).mean())
    found["random"] = float(right(_random(generator, number, blocks, layers)).mean())
    found["fixed"] = _fixed(right, known, layers)
    found["exit"] = float(right(_exits(params, shape, test, layers)).mean())
    return found


def _random(generator: np.random.Generator, number: int, blocks: int, layers: float) -> np.ndarray:
    """Random blocks skipped, or repeated where more than all are to run, `layers` on average."""
    sizes = np.full(number, int(layers))
    sizes[: round((layers - int(layers)) * number)] += 1
    order = np.argsort(generator.random((number, blocks)), 1)
    whole, rest = np.divmod(generator.permutation(sizes), blocks)
    return whole[:, None] + (order < rest[:, None])


def _fixed(right: Any, known: _Known, layers: float) -> float:
    """Of the one path per length that is best on the labelled examples, mixed to this mean length."""
    counts = all_counts(known.shape.blocks)
    lengths, score = counts.sum(1), known.table.mean(0)
    shorter = int(layers)
    best = [
        counts[int(np.where(lengths == length, score, -1).argmax())]
        for length in (shorter, shorter + 1)
    ]
    share = layers - shorter
    ends = [float(right(np.tile(one, (len(known.examples), 1))).mean()) for one in best]
    return (1 - share) * ends[0] + share * ends[1]


def _exits(params: Params, shape: Shape, test: Examples, layers: float) -> np.ndarray:
    """Each text leaves after the first block whose answer is sure enough; how sure is set by `layers`."""
    sure = np.asarray(_sureness(params, shape, test.tokens, test.start))
    depth = np.arange(1, shape.blocks + 1)
    best, gap = np.full(len(test), shape.blocks), np.inf
    for threshold in np.quantile(sure, np.linspace(0, 1, 101)):
        enough = np.column_stack([sure[:, :-1] >= threshold, np.ones(len(test), bool)])
        taken = depth[enough.argmax(1)]
        if abs(taken.mean() - layers) < gap:
            best, gap = taken, abs(taken.mean() - layers)
    return (np.arange(shape.blocks)[None] < best[:, None]).astype(int)


@functools.partial(jax.jit, static_argnames="shape")
def _sureness(params: Params, shape: Shape, tokens: Any, start: Any) -> jax.Array:
    """The largest probability of an answer's first token after each block, (N, L)."""
    inner = run(params, shape, tokens, keep=True).inner
    assert inner is not None
    last = jnp.take_along_axis(inner, (start - 1)[None, :, None, None], 2)[1:, :, 0]
    return jax.nn.softmax(logits(params, shape, last), -1).max(-1).T


def _mixture(
    generator: np.random.Generator, number: int, hops: tuple[int, int], *, unseen: bool = False
) -> Examples:
    """Half compositions, and lists to copy and numbers to compare; with sums, which routers never see."""
    copies, pairs = number // 4, number - number // 2 - number // 4
    parts = [
        tasks.modular_composition(generator, number // 2, hops, modulus=3, length=LENGTH),
        tasks.copying(generator, copies, items=3, length=LENGTH),
        tasks.comparison(generator, pairs, symbols=8, length=LENGTH),
    ]
    if unseen:
        parts.append(tasks.addition(generator, number // 4, modulus=8, length=LENGTH))
    return joined(*parts)


def _label_counts(labels: list[Counts | None], shape: Shape) -> list[int]:
    told = np.array([label for label in labels if label is not None], int).reshape(-1, shape.blocks)
    return np.bincount(told.ravel(), minlength=3).tolist()


def _number(path: Counts) -> int:
    """A path's place among `all_counts`."""
    return functools.reduce(lambda total, times: 3 * total + times, path, 0)


def _shape(config: DrLlmConfig) -> Shape:
    return Shape(config.blocks, config.width, 4, 2, 2 * config.width, tasks.VOCABULARY)


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD, "full": FULL},
    tiny=TINY,
    functions={
        "plain": functools.partial(tiny_decoder, drop=0.0),
        "dropped": functools.partial(tiny_decoder, drop=0.1),
        "real": real,
    },
    num_seeds=4,
    slow=("plain", "dropped"),
)
