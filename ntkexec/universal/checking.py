"""The certificates that come with the package, checked again before anything relies on them.

The checker is `ntkexec.recheck`, which shares no code with what made them. It takes seconds, so what
it found is remembered: in the process, and, where a folder is given, from one process to the next.
"""

import functools
import hashlib
import logging
import time
from pathlib import Path
from typing import NamedTuple

from ntkexec.ensemble.stored import MANIFEST
from ntkexec.errors import EnsembleError, clean
from ntkexec.recheck.reading import Rejected, parse
from ntkexec.recheck.verification import verify
from ntkexec.runtime import files, settings
from ntkexec.universal.shipped import FOLDER, proof_of

LOG = logging.getLogger("ntkexec")


class Checked(NamedTuple):
    """A certificate that was checked again.

    claim: what it shows, in words.
    decisions: of how many decisions.
    seconds: what the check took; None where it was done by an earlier process.
    """

    claim: str
    decisions: int
    seconds: float | None

    @property
    def rows(self) -> list[tuple[str, str]]:
        """In names and values: that nothing was trained, and what is certified of the networks."""
        when = (
            "by an earlier command"
            if self.seconds is None
            else f"by this process, in {self.seconds:.1f} s"
        )
        return [
            (
                "training",
                "none: universal, it comes with ntkexec and serves all graphs of its sizes",
            ),
            (
                "  complete",
                f"certificate re-checked {when}: {self.claim} ({self.decisions:,} decisions)",
            ),
        ]


def check(name: str, remembered: Path | None = None, folder: Path = FOLDER) -> Checked:
    """Checks the certificate of a program's universal ensemble, unless that was done before.

    Args:
        name: of the program.
        remembered: where it is remembered that these very files were checked; None for nowhere.
        folder: of ensembles and certificates.

    Raises:
        EnsembleError: the certificate does not hold of the ensemble.
    """
    proof, manifest = proof_of(name, folder).read_bytes(), (folder / name / MANIFEST).read_bytes()
    digest = hashlib.sha256(b"%d " % len(proof) + proof + manifest).hexdigest()
    note = None if remembered is None else remembered / settings.CHECKED / f"{name}-{digest}"
    if note is not None and _is_there(note):
        data = parse(proof)
        return Checked(data["claim"], data["decisions"], None)
    found = _checked(name, digest, folder)
    if note is not None:
        try:
            note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.write(note, b"")
        except OSError as error:
            LOG.info("not remembered that a certificate was checked: %s", error)
    return found


def _is_there(note: Path) -> bool:
    """Whether there is such a file; not where the folder cannot be read, or cannot be at all."""
    try:
        return note.is_file()
    except OSError:
        return False


@functools.cache
def _checked(name: str, digest: str, folder: Path) -> Checked:
    """What the checker finds; in a process once for the same files, as the digest says."""
    start = time.perf_counter()
    try:
        found = verify(parse(proof_of(name, folder).read_bytes()), folder / name)
    except Rejected as error:
        raise EnsembleError(
            f"the universal ensemble of {name} is not what its certificate says: {clean(str(error))}; "
            "--no-universal (universal=False) trains networks instead"
        ) from error
    return Checked(found.claim, found.decisions, time.perf_counter() - start)
