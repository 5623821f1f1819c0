"""A theorem's folder, verified: the statement, every proof, and the ensemble that it is about.

What is claimed comes from the statement's own code and the program's templates: the sentence, the
obligations, every formula. The folder brings proofs and witnesses, and has to say the same.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .. import verification as certificates
from ..program import Program, parse_program
from ..reading import MOST_BYTES, need, parse, read, whole
from . import lrat
from .obligation import Obligation
from .statements import OF_DATA, STATEMENTS
from .theorem import Theorem

FORMAT = "ntkexec-theorem/1"
THEOREM, CERTIFICATE, PROOFS = "theorem.json", "certificate.json", "proofs"
FIELDS = "ensemble format obligations program prose scope sentence sizes specification statement witnesses"
EXAMPLE = Path(__file__).parent / "example"
MOST_PERMUTATIONS = 1 << 64
# Parts that are of interest by themselves.
APART, PROMISES = "messages-apart", "promises"


class Verified(NamedTuple):
    """What was verified of a theorem.

    theorem: what is claimed.
    program: of which.
    parts: proved, by obligation.
    clauses: of all formulas together.
    steps: of all proofs together.
    ensemble: the digests of what executes the program; None for a theorem about the program alone.
    certificate: what was verified of it.
    specification: the digest of what the statement takes as data; None if it takes nothing.
    """

    theorem: Theorem
    program: Program
    parts: Mapping[str, list[str]]
    clauses: int
    steps: int
    ensemble: Mapping[str, str] | None
    certificate: certificates.Verified | None
    specification: str | None


def proof_name(name: str, part: str) -> str:
    """The file of a part's proof, in the folder of proofs."""
    return f"{name}-{part}.lrat"


class Sizes(dict[str, int]):
    """Sizes that remember which of them a statement asked for; of others it says nothing.

    Args:
        sizes: by name.
        most: the bits of the program, which has at least one for each thing that a size counts.
    """

    def __init__(self, sizes: Any, most: int) -> None:
        limits = {"permutation": MOST_PERMUTATIONS}
        super().__init__(
            {name: whole(size, 0, limits.get(name, most)) for name, size in sizes.items()}
        )
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> int:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    @property
    def used(self) -> dict[str, int]:
        """Those that were asked for."""
        return {name: size for name, size in self.items() if name in self.asked}


def theorem_of(data: Any, program: Program, sizes: Sizes) -> Theorem:
    """What the statement that a theorem names says about the program."""
    need(data["statement"] in STATEMENTS, "no such statement")
    given = data["specification"]
    need(given is None or data["statement"] in OF_DATA, "a specification that nothing speaks of")
    return STATEMENTS[data["statement"]](program, sizes, given)


def verify(folder: Path, ensemble: Path | None) -> Verified:
    """Raises Rejected unless all of it is right.

    Args:
        folder: of the theorem.
        ensemble: the folder of the ensemble that it is about; None if it is about none.
    """
    data = parse(read(folder / THEOREM, MOST_BYTES))
    need(sorted(data) == FIELDS.split(), "the theorem has other fields")
    need(data["format"] == FORMAT, "no theorem of format 1")
    program = parse_program(data["program"])
    about = data["ensemble"]
    need(ensemble or about is None, "a theorem about an ensemble: give the ensemble's folder too")
    need(not ensemble or about is not None, "a theorem about the program alone, of no ensemble")
    sizes = Sizes(data["sizes"], program.num_bits)
    theorem = theorem_of(data, program, sizes)
    said = {"sentence": theorem.sentence, "scope": [*theorem.scope], "prose": [*theorem.prose]}
    for name, words in said.items():
        need(data[name] == words, f"{name}: not what the statement says")
    need(data["witnesses"].keys() == theorem.obligations.keys(), "not the obligations' witnesses")

    entries, parts = iter(data["obligations"]), dict[str, list[str]]()
    clauses = steps = 0
    for obligation in built(theorem):
        name = obligation.name
        broken = obligation.failing(data["witnesses"][name])
        need(not broken, f"{name}: no instance of its assumptions: {', '.join(broken[:1])}")
        parts[name] = obligation.parts
        for part in obligation.parts:
            formula, file = obligation.formula(part), proof_name(name, part)
            content = read(folder / PROOFS / file, lrat.MOST)
            stated = {
                "name": name,
                "part": part,
                "clauses": len(formula.clauses),
                "formula": formula.sha256,
                "proof": hashlib.sha256(content).hexdigest(),
            }
            need(
                next(entries, None) == stated, f"{name}, {part}: not the obligation of this program"
            )
            lrat.check(formula.clauses, content.decode("ascii"))
            clauses, steps = clauses + len(formula.clauses), steps + content.count(b"\n")
    need(next(entries, None) is None, "more obligations than the statement has")
    theorem, certified = theorem._replace(sizes=sizes.used), None
    if ensemble is not None:
        certified = verify_ensemble(folder, about, ensemble, theorem, program)
    given = data["specification"]
    text = json.dumps(given, sort_keys=True).encode()
    digest = None if given is None else hashlib.sha256(text).hexdigest()
    return Verified(theorem, program, parts, clauses, steps, about, certified, digest)


def built(theorem: Theorem) -> Iterator[Obligation]:
    """The obligations of a theorem, one after the other.

    Sizes that do not fit the program end in one of many errors, which all say that.
    """
    files: set[str] = set()
    for name, build in theorem.obligations.items():
        try:
            obligation = build()
        except (ValueError, LookupError, TypeError) as error:
            need(False, f"{name}: the statement does not fit the program: {error}")
        need(obligation.name == name and bool(obligation.conclusions), f"{name}: shows nothing")
        own = {proof_name(name, part) for part in obligation.parts}
        need(
            len(own) == len(obligation.parts) and not own & files, f"{name}: two proofs in one file"
        )
        files |= own
        yield obligation


def verify_ensemble(
    folder: Path, about: Any, ensemble: Path, theorem: Theorem, program: Program
) -> certificates.Verified:
    """Raises Rejected unless the networks decide as the program does wherever the theorem speaks."""
    need(
        sorted(about) == ["certificate", "manifest", "thresholds"], "the ensemble has other fields"
    )
    content = read(folder / CERTIFICATE, 16 * MOST_BYTES)
    manifest = read(ensemble / "ensemble.json", MOST_BYTES)
    found = {
        "certificate": hashlib.sha256(content).hexdigest(),
        "manifest": hashlib.sha256(manifest).hexdigest(),
        "thresholds": parse(manifest)["thresholds"]["sha256"],
    }
    for name, digest in found.items():
        need(about[name] == digest, f"not its {name}: the digest is another")
    certified = certificates.verify(parse(content), ensemble)
    need(certified.program.digest == program.digest, "the certificate is for another program")
    need(not certified.executions, "the certificate is for given executions, not for all states")
    for size, most in zip(("degree", "slots"), certified.limits, strict=True):
        asked = theorem.sizes.get(size, 0)
        need(
            most is None or asked <= most, f"{size} {asked}: the certificate is for {most} at most"
        )
    return certified
