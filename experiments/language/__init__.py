"""Papers on language models."""
