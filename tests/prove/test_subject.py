"""What a theorem is about: the certificate of an ensemble is about all its states."""

import pytest

from ntkexec import complete, ensemble
from ntkexec.errors import CertificateError, ProofError
from ntkexec.prove import subject


def test_an_ensemble_with_too_many_match_sets_is_refused_in_words(tmp_path, monkeypatch):
    def too_many(*_, **__):
        raise CertificateError("bit phase: too many match sets; name a graph to cover instead")

    class Stored:
        def load(self, program):
            return program

    monkeypatch.setattr(complete, "complete", too_many)
    monkeypatch.setattr(ensemble, "find_stored", lambda *_, **__: Stored())
    asked = subject.asked_for("bfs", degree=1, word=1)
    with pytest.raises(ProofError, match=r"about all states .*: bit phase: too many match sets$"):
        subject.certificate_of(tmp_path, asked)
