"""Several formulas at once, each in a process."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from ntkexec.errors import ProofError
from ntkexec.prove.refutation import refute
from ntkexec.recheck.theorem.obligation import Formula

# Formulas a process that wait for it; more would only take memory.
AHEAD = 4


def refutations(formulas: Iterable[Formula], jobs: int = 1) -> Iterator[str]:
    """The proof of each formula, in their order.

    Formulas are taken as they are needed. Processes are started afresh and import this package, so a
    script that calls this with several jobs does so under `if __name__ == "__main__"`.

    Args:
        formulas: none of which has a model.
        jobs: processes; with 1 there is no other than the caller's own.

    Raises:
        SatisfiableError: the next formula, after as many as there were proofs, has a model.
        ProofError: fewer than one job, or a process ended before its proof.
    """
    if jobs < 1:
        raise ProofError(f"{jobs} jobs; there must be one at least")
    if jobs == 1:
        yield from map(refute, formulas)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_end_quietly)
    waiting: deque[Future[str]] = deque()
    try:
        for formula in formulas:
            waiting.append(pool.submit(refute, formula))
            if len(waiting) > AHEAD * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise ProofError(
            "a process that looked for a proof ended; is there too little memory?"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _end_quietly() -> None:
    # An interrupt from the keyboard reaches every process; those that work for us just end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
