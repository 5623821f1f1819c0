"""Claims read what they say: sources that answer right, and all that decides what is kept."""

import numpy as np
import pytest

from experiments.harness.study import Record
from experiments.kits.transformer.decoder import Shape
from experiments.kits.transformer.weights import Pretrained
from experiments.language.flexible_llm.claims import trend
from experiments.language.flexible_llm.study_config import FlexibleConfig
from experiments.language.flexible_llm.study_real import _origin


@pytest.mark.parametrize("last", [0.0, 0.9])
def test_the_slope_over_sources_leaves_out_the_one_that_is_always_wrong(last):
    found = {f"average of {one}": {"accuracy": [0.1 * one, 0.3]} for one in range(1, 5)}
    fused = {"loss": [1.0] * 5, "ways": {**found, "average": {"accuracy": [last, last]}}}
    assert trend(Record(0, {"fused": fused}, {})) == pytest.approx(0.05)


def test_what_is_kept_of_sources_is_named_by_parameters_adapters_corpus_and_held_out_pieces():
    shape = Shape(blocks=1, width=8, heads=2, key_heads=1, hidden=8, vocabulary=10)
    given = {
        "config": FlexibleConfig(),
        "model": Pretrained(shape, {"embedding": np.zeros((2, 2), np.float16)}, None, 0),
        "sources": {"base": np.zeros(3), "plays": np.ones(3)},
        "corpus": np.arange(6).reshape(2, 3),
        "held": np.arange(3).reshape(1, 3),
    }
    others = {
        "config": FlexibleConfig(real_kept=5),
        "model": Pretrained(shape, {"embedding": np.ones((2, 2), np.float16)}, None, 0),
        "sources": {"plays": np.ones(3), "base": np.zeros(3)},  # in another order
        "corpus": given["corpus"] + 1,
        "held": given["held"][::-1] + 1,
    }
    names = [_origin(**given), *(_origin(**{**given, name: one}) for name, one in others.items())]
    assert _origin(**given) == names[0]
    assert all(one != other for place, one in enumerate(names) for other in names[:place])
    changed = {**given, "sources": {"base": np.zeros(3), "plays": np.zeros(3)}}
    assert _origin(**changed) != names[0]
