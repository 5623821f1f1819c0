"""What cannot be learned from is named before anything is compiled."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.transformer.decoder import Shape
from experiments.kits.transformer.encoder import initial_encoder
from experiments.language.scalearn import (
    AdaptedEncoder,
    AdapterFusion,
    KeptStates,
    ScaLearn,
    SourceBank,
    influence,
    learn,
    newton_start,
)
from experiments.language.scalearn.scaling import num_learned
from experiments.language.scalearn.transfer import Examples, Head, Rates, told_by_source
from ntkexec.errors import ExperimentError

SHAPE = Shape(2, 8, 2, 2, 12, 5)
DRAWN = np.random.default_rng(0)
PARAMS = initial_encoder(SHAPE, DRAWN)
BANK = SourceBank.initial(["x", "y", "z"], DRAWN, blocks=2, width=8, rank=2)
TOKENS = DRAWN.integers(0, 5, (6, 4))
TRAIN = Examples.of(TOKENS, [0, 1, 0, 1, 0, 1], 2)
UNIFORM = ScaLearn("ScaLearnUniform++")
GIVEN = {
    "backbone": AdaptedEncoder(SHAPE), "frozen": PARAMS, "bank": BANK.arrays,
    "mixing": UNIFORM.initial(DRAWN, 2, 3, 8), "head": Head.initial(DRAWN, 8, 2, room=2),
    "train": TRAIN, "validation": TRAIN, "test": TOKENS, "scaling": UNIFORM, "rates": Rates(), "seed": 0,
    "steps": 2, "looks": 1,
}  # fmt: skip


@pytest.mark.parametrize("wrong", [-1, 3])
def test_labels_are_of_the_classes(wrong):
    with pytest.raises(ExperimentError, match=f"3 classes are numbers from 0 to 2, and {wrong} is"):
        Examples.of(np.zeros((3, 4), int), [0, wrong, 2], 3)
    with pytest.raises(ExperimentError, match="whole numbers along one axis, not float64"):
        Examples.of(np.zeros((3, 4), int), [0, 0.5, 2], 3)
    with pytest.raises(ExperimentError, match=r"inputs of shape \(3, 4\) are not of 2 texts"):
        Examples.of(np.zeros((3, 4), int), [0, 1], 3)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"train": Examples(TOKENS + 5, TRAIN.targets)}, "from 0 to 4, and [5-9] is not"),
        ({"validation": Examples(TOKENS - 5, TRAIN.targets)}, "from 0 to 4, and -[1-5] is not"),
        ({"test": TOKENS * 0 + 9}, "from 0 to 4, and 9 is not"),
        ({"mixing": ScaLearn().initial(DRAWN, 2, 3, 8)}, r"factors of shape \(1, 3, 1\), not \(2, 3, 8\)"),
        ({"mixing": np.ones((1, 2, 1))}, r"3 sources and width 8 has factors of shape \(1, 3, 1\), not"),
        ({"mixing": AdapterFusion().initial(DRAWN, 2, 8)}, "not a dict"),
        ({"scaling": None}, r"query of shape \(2, 8, 8\), not None"),
        ({"scaling": None, "mixing": AdapterFusion().initial(DRAWN, 3, 8)}, r"not \(3, 8, 8\)"),
        ({"train": Examples.of(TOKENS, [0, 1, 2, 1, 0, 1], 3)}, r"\(6, 3\) are not chances of .* 2 classes"),
        ({"train": Examples(TOKENS[:5], TRAIN.targets)}, r"\(5, 4\) are not of 6 texts"),
        ({"train": Examples(TOKENS[:0], TRAIN.targets[:0])}, "one text at least"),
        ({"validation": Examples(TOKENS, -TRAIN.targets)}, "validation targets are chances, and -1.0 is"),
        ({"validation": Examples(TOKENS, 0 * TRAIN.targets)}, "give no class a chance"),
        ({"head": Head.initial(DRAWN, 8, 1, room=2)}, r"of class 1, and the head has \[0\]"),
        ({"head": Head.initial(DRAWN, 9, 2, room=2)}, r"width 8 has no arrays of shapes \(9, 2\)"),
        ({"batch": 0}, "1 text or more, not 0"),
        ({"backbone": KeptStates()}, r"\(6, 4\) are not of 2 blocks of width 8"),
        ({"frozen": {}}, "parameters embedding are absent"),
        ({"backbone": AdaptedEncoder(Shape(2, 8, 2, 2, 12, 6))}, r"embedding are of shape \(5, 8\)"),
    ],
)  # fmt: skip
def test_learning_names_what_does_not_fit(changed, told):
    with pytest.raises(ExperimentError, match=told):
        learn(**{**GIVEN, **changed})


def test_adapters_are_of_the_encoders_blocks_and_width():
    for sizes, told in (((3, 8), "not of 2 blocks"), ((2, 9), "width 9 are not of states of 8")):
        other = SourceBank.initial(["x"], DRAWN, blocks=sizes[0], width=sizes[1], rank=2)
        with pytest.raises(ExperimentError, match=told):
            AdaptedEncoder(SHAPE).refuse(PARAMS, TOKENS, other.arrays)


def test_heads_rates_and_sizes_that_cannot_be_are_named():
    for classes, room in ((3, 2), (0, 2)):
        with pytest.raises(ExperimentError, match=f"{classes} classes .* do not fit room for 2"):
            Head.initial(DRAWN, 8, classes, room=room)
    for wrong, told in (
        ({"mixing": -1.0}, "mixing is a number from 0 to below inf, not -1.0"),
        ({"head": np.nan}, "head is a number"),
        ({"dropout": 1.0}, "dropout is a number from 0 to below 1, not 1.0"),
    ):
        with pytest.raises(ExperimentError, match=told):
            Rates(**wrong)
    with pytest.raises(ExperimentError, match="sources are 1 or more, not 0"):
        UNIFORM.initial(DRAWN, 2, 0, 8)
    with pytest.raises(ExperimentError, match="width are 1 or more, not 0"):
        AdapterFusion().initial(DRAWN, 2, 0)
    with pytest.raises(ExperimentError, match="blocks are 1 or more, not -1"):
        num_learned("AdapterFusion", blocks=-1, sources=1, width=8)


def test_what_a_source_is_worth_needs_numbers_that_tell():
    told = lambda factors: (np.zeros((2, 2)), np.zeros((2, 2, 3)))  # noqa: E731 # no other name
    chances = np.eye(2)
    for changed, words in (
        ({"ridge": -1.0}, "ridge is a number from 0, not -1.0"),
        ({"ridge": 0.0}, "nothing tells some of the 3 sources apart: a ridge above 0.0"),
        ({"steps": 0}, "0 steps of length inf"),
        ({"largest": np.nan}, "length nan"),
        ({"targets": -chances}, "cross-entropy loss are chances, and -1.0 is none"),
        ({"targets": np.nan * chances, "loss": "squared"}, "scores, and nan is none"),
    ):
        with pytest.raises(ExperimentError, match=words):
            newton_start(told, **{"start": np.ones(3), "targets": chances, **changed})
    with pytest.raises(ExperimentError, match=r"a ridge above 0\.0"):
        influence(told, np.ones(3), chances, ridge=0.0)
    given = (AdaptedEncoder(SHAPE), PARAMS, BANK.arrays, GIVEN["head"])
    with pytest.raises(ExperimentError, match=r"3 sources need one factor each, not shape \(2,\)"):
        told_by_source(*given, TOKENS, jnp.ones(2))
    with pytest.raises(ExperimentError, match="from 0 to 4, and 9 is not"):
        newton_start(functools.partial(told_by_source, *given, TOKENS * 0 + 9), np.ones(3), chances)
