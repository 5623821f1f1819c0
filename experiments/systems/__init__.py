"""Papers on systems."""
