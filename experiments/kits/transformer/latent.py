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
print(report)  # all of it, with where the largest change was
```

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
    """

    later: Movement
    peers_later: Movement
    padding: Movement
    inactive: Movement
    neighbours: Movement
    earlier: Movement
    peers_earlier: Movement

    @property
    def scale(self) -> float:
        """The largest change by what may be seen, beside which leaks are judged."""
        return max(self.earlier.most, self.peers_earlier.most)

    def leaks(self, *, tolerance: float = 1e-5) -> tuple[str, ...]:
        """Of `FORBIDDEN`, what moved outputs by more than this part of what may move them.

        Where outputs become no numbers when they may, whatever moves at all is a leak. What was not tried,
        for want of padding or of a second text, is not told: see `Movement.tried`.

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
    cuts: Sequence[int] | None = None,
) -> CausalityReport:
    """Which outputs move when tokens are changed that they may see, and that they may not.

    The fusion is called about `cuts * models + 3 * models + 4` times with arrays of the same shapes, so one
    that is compiled is compiled once. A change replaces every token that it concerns by another one.

    Args:
        fusion: deterministic; called as `fusion(streams, real)`.
        streams: tokens by model; models with other tokenizers have other numbers of them.
        vocabulary: tokens that there are, of each model or of all.
        generator: draws the changed tokens.
        reader: the model, one for all texts or one a text, whose continuation the logits are.
        real: which tokens are no padding; by default all. Outputs of places where the reader has padding
            are not looked at, as far as the reader has that many tokens.
        active: which models take part in a text; by default all.
        places: where each token ends in the text, in any unit that models share, such as characters;
            by default its number, from 1.
        reads: up to where each output may see; by default its number, from 1.
        prompt: what ends up to here may be seen by all outputs, such as what a router has read.
        cuts: places after which tokens are changed, one after another; by default at most eight.

    Raises:
        ExperimentError: shapes that do not fit; logits of another shape; a fusion that answers
            differently when it is asked again.
    """
    case = _Case.of(fusion, streams, vocabulary, generator, reader, real, active)
    if not np.array_equal(case.before, case.ask(case.streams), equal_nan=True):
        raise ExperimentError(
            "the fusion answers differently to the same tokens: fix what it draws"
        )
    texts, length = case.before.shape[:2]
    at = [
        np.broadcast_to(np.arange(1, one.shape[1] + 1), one.shape) if places is None
        else np.asarray(places[model])
        for model, one in enumerate(case.streams)
    ]  # fmt: skip
    limit = np.broadcast_to(np.arange(1, length + 1) if reads is None else reads, (texts, length))
    seen = np.broadcast_to(np.asarray(prompt), (texts,))[:, None]
    if any(one.shape != tokens.shape for one, tokens in zip(at, case.streams, strict=True)):
        raise ExperimentError(
            f"places of shapes {[one.shape for one in at]} are not those of the tokens"
        )
    found: dict[str, list[Movement]] = {name: [] for name in (*FORBIDDEN, *ALLOWED)}
    everything = [np.ones_like(known) for known in case.real]
    for model, known in enumerate(case.real):
        taking, is_reader = case.active[:, model], case.reader == model
        for cut in _cuts(limit, cuts):
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
    return CausalityReport(**{name: _together(several) for name, several in found.items()})


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
            known = masks[model][row][: before.shape[1]]
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
            told = told & changed[model].any(1)[:, None]
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


def _cuts(limit: Int[np.ndarray, "B T"], given: Sequence[int] | None) -> list[int]:
    if given is not None:
        return [int(one) for one in given]
    known = np.unique(limit)
    return known[np.unique(np.linspace(0, len(known) - 1, 8).astype(int))].tolist()


def _together(several: Sequence[Movement]) -> Movement:
    most = max(several, key=lambda one: (one.most, one.tried), default=Movement())
    return Movement(most.most, sum(one.tried for one in several), most.where)
