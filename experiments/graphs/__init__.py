"""Papers on graphs."""
