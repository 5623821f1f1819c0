"""Does a fusion of several models see what it may not, and does it need its peers at all?

A *fusion* is any function of several models' tokens that gives one model's logits: hidden states may be
exchanged between blocks, caches merged, outputs averaged. `causality_report` changes tokens that an
output must not depend on (later ones of the model that reads on, later ones of a peer, padding, those of
models that are not active, other texts of the batch) and tells which outputs moved, and by how much.

```python
import numpy as np
from experiments.kits.transformer.latent import causality_report


def fused(streams, real):  # two models' earlier tokens are counted; the peer is one token ahead
    own, peer = (np.eye(5)[one] * known[..., None] for one, known in zip(streams, real, strict=True))
    return np.cumsum(own, 1) + np.roll(np.cumsum(peer, 1), -1, 1)


generator = np.random.default_rng(0)
streams = np.repeat(generator.integers(5, size=(1, 4, 8)), 2, axis=0)  # (models, texts, tokens)
report = causality_report(fused, streams, vocabulary=5, generator=generator)
print(report.leaks())  # ('peers_later',): the mask of the model's own segment is right
print(report)  # all of it, with where the largest change was, and how many cuts were tried
```

Later tokens are changed after every place of a text, one place after another, or of a longer text after
`MOST_CUTS` random ones: a fusion that works in chunks shows nothing where a chunk ends.

Whether a gain is the peers' at all is asked by `peers.swap_report`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Bool, Int

from experiments.kits.transformer.peers import Fusion, Masks, Streams, checked_streams
from ntkexec.errors import ExperimentError

FORBIDDEN = ("later", "peers_later", "padding", "inactive", "neighbours")
ALLOWED = ("earlier", "peers_earlier")
MOST_CUTS = 64
"""How many places later tokens are changed after by default, one place after another."""


class Movement(NamedTuple):
    """What changing some tokens did to the outputs that were looked at.

    Args:
        most: the largest change of a number; infinite if one was no number before or after alone.
        tried: outputs that were looked at, summed over changes; 0 means that nothing was tried.
        where: model whose token was changed, text and place of the output that moved most.
    """

    most: float = 0.0
    tried: int = 0
    where: tuple[int, int, int] | None = None


@dataclasses.dataclass(frozen=True)
class CausalityReport:
    """What moved a fusion's outputs.

    Args:
        later: tokens of the reader itself, after what the output may see.
        peers_later: the same of one peer alone.
        padding: tokens that the masks call padding.
        inactive: tokens of models that are not active for the text.
        neighbours: all of other texts of the batch.
        earlier, peers_earlier: tokens that may be seen, and that a fusion worth its name does see.
        cuts: how many of the places up to which outputs may see were places after which later tokens were
            changed.
        places: how many of them there are.
    """

    later: Movement
    peers_later: Movement
    padding: Movement
    inactive: Movement
    neighbours: Movement
    earlier: Movement
    peers_earlier: Movement
    cuts: int = 0
    places: int = 0

    @property
    def scale(self) -> float:
        """The largest change by what may be seen, beside which leaks are judged."""
        return max(self.earlier.most, self.peers_earlier.most)

    def leaks(self, *, tolerance: float = 1e-5) -> tuple[str, ...]:
        """Of `FORBIDDEN`, what moved outputs by more than this part of what may move them.

        Where outputs become no numbers when they may, whatever moves at all is a leak. What was not tried,
        for want of padding or of a second text, is not told: see `Movement.tried`; nor what later tokens
        do after a place that was not tried: see `cuts`.

        Raises:
            ExperimentError: what may be seen moved nothing either, so that silence says nothing.
        """
        if not self.scale > 0:
            raise ExperimentError("no token moves this fusion's outputs, so nothing can be told")
        most = tolerance * self.scale if np.isfinite(self.scale) else 0.0
        return tuple(name for name in FORBIDDEN if getattr(self, name).most > most)

    def ignored(self, *, tolerance: float = 1e-5) -> tuple[str, ...]:
        """Of `ALLOWED`, what was tried and moved nothing: peers that are not listened to, for one."""
        found = {name: getattr(self, name) for name in ALLOWED}
        return tuple(
            name for name, one in found.items()
            if one.tried and one.most <= tolerance * self.scale
        )  # fmt: skip

    def __str__(self) -> str:
        lines = ["changed         moved       tried  most at (model, text, place)"]
        for name in (*FORBIDDEN, *ALLOWED):
            one: Movement = getattr(self, name)
            lines.append(f"{name:14}  {one.most:<10.3g}  {one.tried:5}  {one.where or '-'}")
        lines.append(f"later tokens were changed after {self.cuts} of {self.places} places")
        return "\n".join(lines)


def causality_report(
    fusion: Fusion,
    streams: Sequence[Int[ArrayLike, "B T_m"]] | Int[ArrayLike, "M B T"],
    *,
    vocabulary: int | Sequence[int],
    generator: np.random.Generator,
    reader: int | Int[ArrayLike, "B"] = 0,
    real: Sequence[Bool[ArrayLike, "B T_m"]] | None = None,
    active: Bool[ArrayLike, "B M"] | None = None,
    places: Sequence[Int[ArrayLike, "B T_m"]] | None = None,
    reads: Int[ArrayLike, "B T"] | None = None,
    prompt: int | Int[ArrayLike, "B"] = 0,
    cuts: Sequence[int] | int | None = None,
) -> CausalityReport:
    """Which outputs move when tokens are changed that they may see, and that they may not.

    The fusion is called about `cuts * models + 3 * models + 4` times, and up to twice as often where texts
    have several readers, with arrays of the same shapes, so one that is compiled is compiled once. A change
    replaces every token that it concerns by another one.

    Args:
        fusion: deterministic; called as `fusion(streams, real)`. It gives an output for every token of its
            reader, (B, T, V), or (B, T, 1) for a number; what has other outputs needs `reads`, such as
            (B, 1, V) for one row a text. Two axes, (B, T), need it as well: they could be (B, V).
        streams: tokens by model; models with other tokenizers have other numbers of them.
        vocabulary: tokens that there are, of each model or of all.
        generator: draws the changed tokens.
        reader: the model, one for all texts or one a text, whose continuation the logits are.
        real: which tokens are no padding; by default all. Where there are as many outputs as the reader has
            tokens, or more, those at its padding are not looked at.
        active: which models take part in a text; by default all.
        places: where each token ends in the text, in any unit that models share, such as characters;
            by default its number, from 1.
        reads: up to where each output may see; by default up to where the reader's token of the same number
            ends.
        prompt: what ends up to here may be seen by all outputs, such as what a router has read.
        cuts: places after which tokens are changed, one place after another; or how many of those up to which
            outputs may see: all if there are no more, otherwise as many random ones. By default `MOST_CUTS`.

    Raises:
        ExperimentError: shapes that do not fit; outputs of which it cannot be told what they read; a cut that
            comes before all of it; a fusion that answers differently when it is asked again.
    """
    case = _Case.of(fusion, streams, vocabulary, generator, reader, real, active)
    if not np.array_equal(case.before, case.ask(case.streams), equal_nan=True):
        raise ExperimentError(
            "the fusion answers differently to the same tokens: fix what it draws"
        )
    texts = len(case.before)
    at = [
        np.broadcast_to(np.arange(1, one.shape[1] + 1), one.shape) if places is None
        else np.asarray(places[model])
        for model, one in enumerate(case.streams)
    ]  # fmt: skip
    seen = np.broadcast_to(np.asarray(prompt), (texts,))[:, None]
    if any(one.shape != tokens.shape for one, tokens in zip(at, case.streams, strict=True)):
        raise ExperimentError(
            f"places of shapes {[one.shape for one in at]} are not those of the tokens"
        )
    limit = _limits(case, at, reads)
    ends = np.unique(limit[case.looked])
    tried = _cuts(ends, MOST_CUTS if cuts is None else cuts, generator)
    found: dict[str, list[Movement]] = {name: [] for name in (*FORBIDDEN, *ALLOWED)}
    everything = [np.ones_like(known) for known in case.real]
    for model, known in enumerate(case.real):
        taking, is_reader = case.active[:, model], case.reader == model
        for cut in tried:
            after = known & taking[:, None] & (at[model] > np.maximum(cut, seen))
            for name, rows in (("later", is_reader), ("peers_later", ~is_reader)):
                found[name].append(case.moved({model: after & rows[:, None]}, limit <= cut, model))
        everywhere = np.ones((texts, 1), bool)
        found["padding"].append(case.moved({model: ~known}, everywhere, model))
        absent = everything[model] & ~taking[:, None]
        found["inactive"].append(case.moved({model: absent}, everywhere, model))
        for name, rows in (("earlier", is_reader), ("peers_earlier", ~is_reader)):
            before = known & (taking & rows)[:, None]
            found[name].append(case.moved({model: before}, everywhere, model))
    for half in (np.arange(texts) % 2 == 0, np.arange(texts) % 2 == 1):
        others = {model: all_ & half[:, None] for model, all_ in enumerate(everything)}
        found["neighbours"].append(case.moved(others, ~half[:, None], -1))
    return CausalityReport(
        **{name: _together(several) for name, several in found.items()},
        cuts=int(np.isin(ends, tried).sum()),
        places=len(ends),
    )


@dataclasses.dataclass(frozen=True)
class _Case:
    """A fusion with what it is asked, and what it answered before anything was changed."""

    fusion: Fusion
    streams: Streams
    real: Masks
    active: Bool[np.ndarray, "B M"]
    reader: Int[np.ndarray, "B"]
    vocabulary: tuple[int, ...]
    generator: np.random.Generator
    before: np.ndarray
    looked: Bool[np.ndarray, "B T"]

    @classmethod
    def of(
        cls, fusion: Fusion, streams: Any, vocabulary: Any, generator: np.random.Generator,
        reader: Any, real: Any, active: Any,
    ) -> "_Case":  # fmt: skip
        given, masks = checked_streams(streams, real)
        texts, models = len(given[0]), len(given)
        sizes = np.broadcast_to(np.asarray(vocabulary), (models,))
        reads = np.broadcast_to(np.asarray(reader), (texts,))
        takes = np.ones((texts, models), bool) if active is None else np.asarray(active)
        if (sizes < 2).any() or takes.shape != (texts, models) or takes.dtype != bool:
            raise ExperimentError(
                f"vocabularies of {sizes.tolist()} and active models of shape {takes.shape} do not fit "
                f"{texts} texts of {models} models; a token needs another one to become"
            )
        for tokens, size in zip(given, sizes, strict=True):
            if tokens.size and (tokens.min() < 0 or tokens.max() >= size):
                raise ExperimentError(
                    f"tokens from {tokens.min()} to {tokens.max()} are not all of {size}"
                )
        if (reads < 0).any() or (reads >= models).any():
            raise ExperimentError(f"readers {reads.tolist()} are not all of {models} models")
        before = np.asarray(fusion(given, masks))
        if before.ndim < 2 or len(before) != texts:
            raise ExperimentError(f"logits of shape {before.shape} are not of {texts} texts")
        looked = np.ones(before.shape[:2], bool)
        for row, model in enumerate(reads):
            known = masks[model][row]
            if len(known) <= before.shape[1]:
                looked[row, : len(known)] = known
        whole = tuple(int(size) for size in sizes)
        return cls(fusion, given, masks, takes, reads, whole, generator, before, looked)

    def ask(self, streams: Streams) -> np.ndarray:
        return np.asarray(self.fusion(streams, self.real))

    def moved(
        self, changed: dict[int, Bool[np.ndarray, "B T_m"]], told: Bool[np.ndarray, "B #T"], model: int
    ) -> Movement:  # fmt: skip
        """What the outputs that are told do when these tokens become others."""
        told = self.looked & told
        # A text none of whose tokens changes says nothing, unless it is its neighbours that do.
        if model >= 0:
            told = told & changed[model].any(1)[:, None]  # type: ignore[index] # of two axes
        if not told.any() or not any(where.any() for where in changed.values()):
            return Movement()
        streams = list(self.streams)
        for number, where in changed.items():
            size = self.vocabulary[number]
            others = (streams[number] + self.generator.integers(1, size, size=where.shape)) % size
            streams[number] = np.where(where, others, streams[number]).astype(streams[number].dtype)
        after = self.ask(tuple(streams))
        with np.errstate(invalid="ignore"):
            change = np.abs(after.astype(np.float64) - self.before)
        same = (after == self.before) | (np.isnan(after) & np.isnan(self.before))
        change = np.where(same, 0.0, np.where(np.isnan(change), np.inf, change))
        most = change.reshape(*told.shape, -1).max(-1, initial=0.0)
        most = np.where(told, most, -1.0)
        row, place = np.unravel_index(int(most.argmax()), most.shape)
        return Movement(float(most[row, place]), int(told.sum()), (model, int(row), int(place)))


def _limits(case: _Case, at: Sequence[np.ndarray], reads: Any) -> Int[np.ndarray, "B T"]:
    """Up to where each output may see."""
    shape = case.before.shape
    if reads is not None:
        given = np.asarray(reads)
        if len(shape) == 2 and given.shape[-1:] != shape[1:]:
            raise ExperimentError(
                f"outputs of shape {shape} with `reads` of {given.shape}: are their {shape[1]} numbers of "
                f"one place a text? Then give (texts, 1, {shape[1]})"
            )
        try:
            return np.broadcast_to(given, shape[:2])
        except ValueError:
            raise ExperimentError(
                f"`reads` of shape {given.shape} are not of (texts, outputs) {shape[:2]}"
            ) from None
    lengths = sorted({at[model].shape[1] for model in case.reader})
    if len(shape) == 2 or lengths != [shape[1]]:
        raise ExperimentError(
            f"of outputs of shape {shape} it cannot be told what each may see, where readers have {lengths} "
            "tokens: give (texts, tokens, numbers) with one for every token of the reader, or `reads`, up to "
            "where each of (texts, outputs, numbers) may see; (texts, 1, numbers) if there is one a text"
        )
    return np.stack([at[model][row] for row, model in enumerate(case.reader)])


def _cuts(
    ends: Int[np.ndarray, " places"], given: Sequence[int] | int, generator: np.random.Generator
) -> list[int]:
    """Places after which tokens are changed: of those up to which outputs may see, or as they are given."""
    if isinstance(given, int | np.integer):
        if given < 1:
            raise ExperimentError(f"{given} cuts try nothing")
        several = len(ends) > given
        drawn = generator.choice(ends, given, replace=False) if several else ends
        return np.sort(drawn).tolist()
    early = [one for one in given if not len(ends) or one < ends[0]]
    if early:
        raise ExperimentError(
            f"cuts {early} come before all that outputs may see, the least of which ends at "
            f"{ends[0] if len(ends) else 'no place'}"
        )
    return [int(one) for one in given]


def _together(several: Sequence[Movement]) -> Movement:
    most = max(several, key=lambda one: (one.most, one.tried), default=Movement())
    return Movement(most.most, sum(one.tried for one in several), most.where)
