"""Where a statement stands, as messages and labels name it."""

import pathlib
import sys


def here(_):
    """The place of the call, as messages name it."""
    frame = sys._getframe(1)
    return f"{pathlib.Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
