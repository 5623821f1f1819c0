"""`ntkexec experiment`: ports of other papers, their claims measured and judged."""

from experiments.command import listing, measuring, writing
from experiments.command.options import app

__all__ = ["app", "listing", "measuring", "writing"]
