"""The command line. JAX is imported only by the command that needs it."""

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status; see `ntkexec.cli.status`."""
    # Little is imported outside, so that Ctrl-C has its status from the first moment on.
    try:
        from ntkexec.cli import garbage, interrupt

        with interrupt.handled(), garbage.collected_seldom():
            from ntkexec.cli import status

            return status.run(argv)
    except KeyboardInterrupt:
        import sys

        print("ntkexec: interrupted", file=sys.stderr)
        return 130
