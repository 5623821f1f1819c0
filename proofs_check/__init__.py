"""The theory, statement by statement, each checked by a measurement that could refute it."""
