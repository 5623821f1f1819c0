"""Memory for features that is counted while it is in use, and refused beyond a limit."""

import math
import mmap
import threading
import weakref

import numpy as np

from ntkexec.errors import ExperimentError


class MemoryBudgetError(ExperimentError):
    """More bytes of features would be held at once than are allowed."""


class Memory:
    """Arrays that begin on a page and count from when they are made until nobody holds them.

    What counts is how long an array or a view of it lives, not who says that it is done with. What is copied
    from them, by a caller or onto a device, is not counted. Safe to use from several threads.

    Args:
        limit: bytes that may be held at once, by whole pages of the system.

    Raises:
        ExperimentError: for a limit below 1.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ExperimentError(f"a memory of {limit!r} bytes holds nothing; give at least 1")
        self.limit = limit
        self.held = 0
        self.peak = 0
        # Reentrant: an array may be collected, and be given back, while another is made.
        self._lock = threading.RLock()

    def array(self, shape: tuple[int, ...], dtype: np.dtype | type, what: str) -> np.ndarray:
        """Zeros of this shape.

        Args:
            shape, dtype: of the array.
            what: it is for, in words, for messages.

        Raises:
            MemoryBudgetError: it would not fit beside what is held.
        """
        kind = np.dtype(dtype)
        wanted = math.prod(shape) * kind.itemsize
        if not wanted:
            return np.zeros(shape, kind)
        wanted = -(-wanted // mmap.PAGESIZE) * mmap.PAGESIZE
        with self._lock:
            self.check(wanted, what)
            self.held += wanted
            self.peak = max(self.peak, self.held)
        try:
            block = mmap.mmap(-1, wanted)
        except BaseException:
            self._give_back(wanted)
            raise
        weakref.finalize(block, self._give_back, wanted)
        return np.frombuffer(block, kind, math.prod(shape)).reshape(shape)

    def check(self, wanted: int, what: str) -> None:
        """Refuses, before the work for it, what would not fit beside what is held.

        Raises:
            MemoryBudgetError: says how much is wanted, allowed and held.
        """
        if self.held + wanted > self.limit:
            raise MemoryBudgetError(
                f"{what} takes {wanted:,} bytes, and of the {self.limit:,} that are allowed "
                f"{self.held:,} are held: allow more, or use smaller batches or caches"
            )

    def _give_back(self, held: int) -> None:
        with self._lock:
            self.held -= held
