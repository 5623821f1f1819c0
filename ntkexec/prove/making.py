"""A theorem from beginning to end: proofs are found, stored, and verified as a stranger would."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ntkexec.errors import ProofError
from ntkexec.prove import folder as theorem_folder
from ntkexec.prove import page
from ntkexec.prove.evidence import evidence_for
from ntkexec.prove.subject import Subject
from ntkexec.recheck.reading import Rejected
from ntkexec.recheck.theorem import verification, words


class Made(NamedTuple):
    """A theorem that was proved, and verified.

    Args:
        verified: what `ntkexec.recheck` says of it.
        data: what its folder says.
        bytes: of its proofs together.
        proving, checking: seconds.
    """

    verified: verification.Verified
    data: dict[str, Any]
    bytes: int
    proving: float
    checking: float

    def to_data(self) -> dict[str, Any]:
        """The theorem as plain data, for `--json`: what was verified, and the folder's own digests."""
        found, own = self.verified, self.data
        certificate = found.certificate
        return {
            "statement": found.theorem.name,
            "about": "program" if certificate is None else "ensemble",
            "sizes": dict(found.theorem.sizes),
            "sentence": found.theorem.sentence,
            "scope": list(found.theorem.scope),
            "shown": words.shown_by(found),
            "prose": words.prose(found),
            "program": found.program.digest,
            "ensemble": None if found.ensemble is None else dict(found.ensemble),
            "formats": [] if certificate is None else certificate.formats,
            "decisions": 0 if certificate is None else certificate.decisions,
            "obligations": own["obligations"],
            "clauses": found.clauses,
            "steps": found.steps,
            "proof_bytes": self.bytes,
            "proving_seconds": self.proving,
            "checking_seconds": self.checking,
        }


def make(
    subject: Subject,
    out: Path | None,
    *,
    ensemble: Path | None = None,
    certificate: bytes | None = None,
    jobs: int = 1,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> Made:
    """Proves a theorem and writes its folder, which is verified before it takes its place.

    Args:
        subject: what it is about.
        out: the folder; None for none.
        ensemble: the networks that it is about; None for the program alone.
        certificate: of the ensemble, see `certificate_of`.
        jobs: processes that prove at once.
        report: called with the parts that are proved, and how many there are.

    Raises:
        SatisfiableError: something does not follow.
        ProofError: nothing can be written there; or what was found is not believed when it is checked.
    """
    start = time.perf_counter()
    theorem = subject.theorem
    evidence = evidence_for(theorem, jobs=jobs, report=report)
    about = None
    if ensemble is not None and certificate is not None:
        about = theorem_folder.about_ensemble(certificate, ensemble)
    data = theorem_folder.theorem_data(
        theorem,
        subject.program,
        evidence,
        statement=subject.statement,
        specification=subject.specification,
        ensemble=about,
    )
    proved = time.perf_counter()
    with theorem_folder.made_at(out) as new:
        theorem_folder.fill(new, data, evidence, certificate)
        checking = time.perf_counter()
        try:
            verified = verification.verify(new, ensemble)
        except Rejected as reason:
            raise ProofError(
                f"the theorem that was proved is refused by recheck: {reason}"
            ) from reason
        checked = time.perf_counter()
        size = sum(len(proof.text) for proof in evidence.proofs)
        made = Made(verified, data, size, proved - start, checked - checking)
        (new / theorem_folder.PAGE).write_text(page.to_html(made.to_data()), encoding="utf-8")
    return made
