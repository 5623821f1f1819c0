"""The command line. JAX is imported only by the command that needs it."""

from ntkexec.cli.app import main

__all__ = ["main"]
