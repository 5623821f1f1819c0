"""Viewports and clusters as tasks of one backbone: what it reads of them, and what heads make of its states.

Both are hashable, for `adapt`; each answers in one call, and no answer can be invalid.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from experiments.kits.transformer.decoder import Params
from experiments.language.netllm.cluster import View
from experiments.language.netllm.encoder import Encoder, Modality
from experiments.language.netllm.head import Head
from experiments.language.netllm.scheduling import CRITERIA, SHARES, criteria, number_of
from experiments.language.netllm.viewport import FUTURE, PAST, Windows, displaced, unwrapped

Inputs = dict[str, Any]
TURN = 90.0
"""Degrees that a viewer can turn at most within the horizon, as far as the head can say."""
SAMPLE = 8
"""Numbers of a sample: displacement, speed, roll and pitch. Not yaw: with it, networks learned where the
videos trained on have something to see, and erred more on those picked by."""


@dataclasses.dataclass(frozen=True)
class Foretelling:
    """Displacements of a viewport, all samples ahead at once, from a token for each sample seen.

    The public code foretells absolute angles, sample after sample, each with a call of its own.

    Args:
        features: of the encoder's layer.
    """

    features: int = 32

    def initial(self, generator: np.random.Generator, width: int) -> Params:
        """Random encoder; a head that begins near "stays where he is"."""
        head = Head("coordinates", 3 * FUTURE).initial(generator, width)
        small = {name: 0.1 * leaf for name, leaf in head.items()}
        return {"samples": self._encoder(width).initial(generator), "head": small}

    def tokens(self, params: Params, inputs: Inputs) -> tuple[Float[Array, "B 10 D"], None]:
        """One of each sample."""
        samples = jnp.asarray(inputs["samples"])
        encoder = self._encoder(params["samples"]["norm"].shape[0])
        times = np.broadcast_to(np.arange(PAST)[None], samples.shape[:2])
        return encoder.tokens(params["samples"], {"sample": samples}, times)[:, :, 0], None

    def outputs(
        self, params: Params, states: Float[Array, "B 10 D"], inputs: Inputs
    ) -> Float[Array, "B 20 3"]:
        """Degrees from the last sample seen."""
        said = Head("coordinates", 3 * FUTURE).outputs(params["head"], states[:, -1])
        return TURN * said.reshape(-1, FUTURE, 3)

    def loss(self, outputs: Float[Array, "B 20 3"], inputs: Inputs) -> Float[Array, ""]:
        """Mean absolute error, of the directions without jumps, in units of ten degrees."""
        return jnp.abs(outputs - inputs["turns"]).mean() / 10

    def _encoder(self, width: int) -> Encoder:
        return Encoder((Modality("sample", "numbers", SAMPLE, self.features),), width, PAST)


def viewport_inputs(found: Windows) -> Inputs:
    """What `Foretelling` reads of windows, and in `turns` what it is trained to say."""
    past = unwrapped(found.past)
    moved = (past - past[:, -1:]) / 30
    speed = np.diff(past, axis=1, prepend=past[:, :1]) / 10
    samples = np.concatenate([moved, speed, past[..., :2] / 45], axis=-1)
    return {
        "samples": samples.astype(np.float32),
        "turns": displaced(found).astype(np.float32),
    }


@dataclasses.dataclass(frozen=True)
class Scheduling:
    """Which stage is next, and how many executors it gets: a score for each candidate, masked.

    Tokens: how well the schedule is to be, the cluster, and up to `slots` candidates by arrival. The score of
    a candidate is read at its own token, which sees the earlier ones.

    Args:
        slots: candidates beyond them are not seen.
        features: of the encoders' layers.
    """

    slots: int = 16
    features: int = 32

    def initial(self, generator: np.random.Generator, width: int) -> Params:
        """Random encoders and heads."""
        return {
            **{name: one.initial(generator) for name, one in self._encoders(width).items()},
            "score": Head("scores").initial(generator, width),
            "share": Head("choices", SHARES).initial(generator, width),
        }

    def tokens(
        self, params: Params, inputs: Inputs
    ) -> tuple[Float[Array, "B T D"], Bool[Array, "B T"]]:
        """Of the whole, and of each candidate; slots that are empty are no tokens."""
        encoders = self._encoders(params["whole"]["norm"].shape[0])
        there = jnp.asarray(inputs["there"])
        number = there.shape[0]
        whole = encoders["whole"].tokens(params["whole"], inputs, np.zeros(number, int))
        slot = np.broadcast_to(np.arange(self.slots)[None], (number, self.slots))
        each = encoders["each"].tokens(params["each"], inputs, slot)[:, :, 0]
        real = jnp.concatenate([jnp.ones((number, 2), bool), there], 1)
        return jnp.concatenate([whole, each], 1), real

    def outputs(
        self, params: Params, states: Float[Array, "B T D"], inputs: Inputs
    ) -> tuple[Float[Array, "B K"], Float[Array, "B K 3"]]:
        """Scores of the candidates, minus infinity where there is none, and of each one's shares."""
        own = states[:, 2:]
        scores = Head("scores").outputs(params["score"], own)
        shares = Head("choices", SHARES).outputs(params["share"], own)
        return jnp.where(jnp.asarray(inputs["there"]), scores, -jnp.inf), shares

    def loss(
        self, outputs: tuple[Float[Array, "B K"], Float[Array, "B K 3"]], inputs: Inputs
    ) -> Float[Array, ""]:
        """Cross-entropy of what was chosen, and of how many it got where that made a difference."""
        scores, shares = outputs
        rows = jnp.arange(scores.shape[0])
        stage = jax.nn.log_softmax(scores)[rows, inputs["choice"]]
        share = jax.nn.log_softmax(shares[rows, inputs["choice"]])[rows, inputs["share"]]
        return -(stage + inputs["matters"] * share).mean()

    def _encoders(self, width: int) -> dict[str, Encoder]:
        whole = (
            Modality("quality", "linear", 1),
            Modality("cluster", "numbers", WHOLE, self.features),
        )
        each = (Modality("candidates", "numbers", len(CRITERIA) + 1, self.features),)
        return {"whole": Encoder(whole, width, 1), "each": Encoder(each, width, self.slots)}


WHOLE = 5
"""Numbers that describe the cluster."""


def cluster_inputs(view: View, slots: int, quality: float) -> Inputs:
    """What `Scheduling` reads of one decision, without a batch's axis.

    Args:
        view: of the cluster.
        slots: see `Scheduling`.
        quality: of the schedule that is asked for, in deviations above the middle of the pool.
    """
    rows = criteria(view)
    best = rows[:, 0].min()
    seen = np.concatenate([rows, rows[:, :1] - best], axis=1)[:slots]
    padded = np.zeros((slots, seen.shape[1]), np.float32)
    padded[: len(seen)] = seen
    whole = (view.free / 4, view.present / 8, len(rows) / 16, best, rows[:, 2].max())
    return {
        "quality": np.array([quality], np.float32),
        "cluster": np.array(whole, np.float32),
        "candidates": padded,
        "there": np.arange(slots) < len(rows),
    }


def cluster_action(scores: Float[np.ndarray, "K"], shares: Any, view: View) -> tuple[int, int]:
    """The candidate of the highest score that there is, and its likeliest share.

    Whatever the scores are, also if they are no numbers, the action can be taken.
    """
    number = min(len(scores), len(view.candidates))
    there = np.nan_to_num(np.asarray(scores)[:number], nan=-np.inf)
    choice = int(there.argmax())
    said = np.nan_to_num(np.asarray(shares)[choice], nan=-np.inf)
    return choice, number_of(int(said.argmax()), view.free)
