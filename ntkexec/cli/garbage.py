"""How often a command looks for garbage in cycles: seldom, and not when it ends.

Imports make a million objects that live as long as the command. Python would go through them four
hundred times while they are made, and once more at the end: a fifth of the wall time of a short run.
"""

import atexit
import contextlib
import gc
from collections.abc import Iterator

SELDOM = 50_000
"""New objects between two looks at the newest ones; Python's own default is 700 to 2,000."""


@contextlib.contextmanager
def collected_seldom() -> Iterator[None]:
    """Inside, garbage is looked for seldom; afterwards as often as before, and not when the process ends."""
    before = gc.get_threshold()
    gc.set_threshold(max(SELDOM, before[0]) if before[0] else 0, *before[1:])
    # Python looks through all objects when it ends. It need not: memory goes back as a whole.
    # What must be closed is closed by `atexit` and by contexts, never by this.
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    try:
        yield
    finally:
        gc.set_threshold(*before)
