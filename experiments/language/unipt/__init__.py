"""UniPT: a small network beside a frozen one, trained on states that can be made once and kept."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.language.unipt.audit import transposed_products as transposed_products
    from experiments.language.unipt.fitting import OnStates as OnStates
    from experiments.language.unipt.fitting import drawn_order as drawn_order
    from experiments.language.unipt.fitting import hidden_states as hidden_states
    from experiments.language.unipt.fitting import predict_memory as predict_memory
    from experiments.language.unipt.fitting import tuned as tuned
    from experiments.language.unipt.rivals import LadderTuning as LadderTuning
    from experiments.language.unipt.tuning import ParallelTuning as ParallelTuning
    from experiments.language.unipt.tuning import num_tuned as num_tuned
    from experiments.language.unipt.tuning import predict_tuning as predict_tuning

__all__, __getattr__, __dir__ = lazy(
    __name__,
    audit=("transposed_products",),
    fitting=("OnStates", "drawn_order", "hidden_states", "predict_memory", "tuned"),
    rivals=("LadderTuning",),
    tuning=("ParallelTuning", "num_tuned", "predict_tuning"),
)
