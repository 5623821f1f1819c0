"""Flexible multi-LLM integration: one model fused from several, with sources selected for every text."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.language.flexible_llm.aligning import align_tokens as align_tokens
    from experiments.language.flexible_llm.aligning import aligned_rows as aligned_rows
    from experiments.language.flexible_llm.aligning import nearest_tokens as nearest_tokens
    from experiments.language.flexible_llm.distributions import TopK as TopK
    from experiments.language.flexible_llm.distributions import loss_bounds as loss_bounds
    from experiments.language.flexible_llm.distributions import read_shards as read_shards
    from experiments.language.flexible_llm.distributions import top_k as top_k
    from experiments.language.flexible_llm.distributions import write_shards as write_shards
    from experiments.language.flexible_llm.fusing import fuse as fuse
    from experiments.language.flexible_llm.selection import SourceSelector as SourceSelector
    from experiments.language.flexible_llm.selection import fusion_loss as fusion_loss
    from experiments.language.flexible_llm.selection import usage_loss as usage_loss

__all__, __getattr__, __dir__ = lazy(
    __name__,
    aligning=("align_tokens", "aligned_rows", "nearest_tokens"),
    distributions=("TopK", "loss_bounds", "read_shards", "top_k", "write_shards"),
    fusing=("fuse",),
    selection=("SourceSelector", "fusion_loss", "usage_loss"),
)
