"""Papers on pictures."""
