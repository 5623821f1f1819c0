"""Decoders of the LLaMA family as pure functions of stacked parameters, and what ports do with them."""
