"""Bitrates: what an adapted decoder earns beside policies that need no learning."""

from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.harness.study import Trial
from experiments.kits.costs import num_parameters
from experiments.kits.transformer.decoder import MATRICES, Shape
from experiments.kits.transformer.lora import initial_lora
from experiments.language.netllm.study_config import NetConfig

SEVEN_BILLION = Shape(
    blocks=32, width=4096, heads=32, key_heads=32, hidden=11008, vocabulary=32000, pairs="halves"
)
"""The size of Llama 2 7B."""
RANK = 128


def counts(config: NetConfig, trial: Trial) -> dict[str, int]:
    """Numbers of low-rank weights on a model of the paper's size: their number is linear in the rank."""

    def adapting(names: tuple[str, ...]) -> int:
        return RANK * num_parameters(
            initial_lora(SEVEN_BILLION, trial.generator, rank=1, names=names)
        )

    return {
        "adapters": adapting(("query", "value")),
        "all_matrices": adapting(MATRICES),
        "backbone": SEVEN_BILLION.num_parameters(),
    }


FUNCTIONS: dict[str, Callable[..., Any]] = {"counts": counts}
SLOW: tuple[str, ...] = ()
