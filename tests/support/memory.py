"""Compiled programs pile up, to gigabytes in a worker."""

import ctypes
import gc
import os
import pathlib

from ntkexec.runtime import compilation

# Forgetting them after every file would compile much again.
MOST_RESIDENT = 7 << 28


def resident_bytes() -> int:
    """Memory of this process, where the system tells; 0 elsewhere."""
    statm = pathlib.Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0


def forget_if_too_much() -> None:
    """Forgets compiled programs, and gives their memory back to the system, if it holds too much."""
    if resident_bytes() <= MOST_RESIDENT:
        return
    compilation.clear()
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # of the GNU library
        trim(0)
