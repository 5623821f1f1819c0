"""Mutations of a theorem's folder: the program, the obligations, proofs, witnesses and all else it says."""

import dataclasses
import hashlib
import json
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.mutants import change_the_program, edit
from ntkexec.prove.refutation import refute
from ntkexec.prove.solve import model_of
from ntkexec.recheck.program import parse_program
from ntkexec.recheck.theorem.verification import (
    CERTIFICATE,
    PROOFS,
    THEOREM,
    Sizes,
    built,
    proof_name,
    theorem_of,
)


@dataclasses.dataclass
class Forgery:
    """A theorem's folder, to be tampered with.

    Args:
        data: what it says, or, once damaged beyond that, bytes.
        proofs: by file name.
        certificate: of the ensemble that it is about, as bytes; None for the program alone.
    """

    data: Any
    proofs: dict[str, bytes]
    certificate: bytes | None = None

    def write(self, folder: pathlib.Path) -> None:
        """Writes the folder anew."""
        shutil.rmtree(folder, ignore_errors=True)
        (folder / PROOFS).mkdir(parents=True)
        for name, content in self.proofs.items():
            (folder / PROOFS / name).write_bytes(content)
        if self.certificate is not None:
            (folder / CERTIFICATE).write_bytes(self.certificate)
        content = self.data if isinstance(self.data, bytes) else json.dumps(self.data).encode()
        (folder / THEOREM).write_bytes(content)

    @property
    def program(self) -> Any:
        """The program that it is about: what a mutation of a certificate's program asks for."""
        return self.data["program"]

    @property
    def proof(self) -> Any:
        """Likewise: what holds the program."""
        return self.data


def read_forgery(folder: pathlib.Path) -> Forgery:
    """What was written honestly."""
    proofs = {path.name: path.read_bytes() for path in sorted((folder / PROOFS).iterdir())}
    certificate = folder / CERTIFICATE
    held = certificate.read_bytes() if certificate.exists() else None
    return Forgery(json.loads((folder / THEOREM).read_bytes()), proofs, held)


def change_a_template(rng: np.random.Generator, forged: Forgery) -> None:
    """Another condition, output or number of templates."""
    # Of a bundle that mutation asks for nothing but `proof`.
    change_the_program(rng, forged)  # type: ignore[arg-type]


def drop_from_a_template(rng: np.random.Generator, forged: Forgery) -> None:
    """One condition or one output less."""
    parts = [part for template in forged.program["templates"] for part in template if len(part) > 1]
    part = parts[int(rng.integers(len(parts)))]
    del part[int(rng.integers(len(part)))]


def change_the_obligations(rng: np.random.Generator, forged: Forgery) -> None:
    """Which obligations there are, and of what formulas."""
    entries, kind = forged.data["obligations"], int(rng.integers(5))
    place, other = (int(number) for number in rng.integers(len(entries), size=2))
    if kind == 0:
        del entries[place]
    elif kind == 1:
        entries.insert(other, dict(entries[place]))
    elif kind == 2:
        entries[place], entries[other] = entries[other], entries[place]
    elif kind == 3:
        entries[place]["formula"] = hashlib.sha256(rng.bytes(8)).hexdigest()
    else:
        entries[place]["part"] = entries[other]["name"]


def change_a_proof(rng: np.random.Generator, forged: Forgery) -> None:
    """A step's literals or hints, or which steps there are."""
    name = str(rng.choice(sorted(forged.proofs)))
    lines = forged.proofs[name].decode().splitlines()
    place, kind = int(rng.integers(len(lines))), int(rng.integers(8))
    number, *tokens = lines[place].split()
    literals, hints = tokens[: tokens.index("0")], tokens[tokens.index("0") + 1 : -1]
    if kind == 0:
        hints = hints[:-1]
    elif kind == 1 and literals:
        del literals[int(rng.integers(len(literals)))]
    elif kind == 2 and literals:
        literals[0] = str(-int(literals[0]))
    elif kind == 3:
        hints[int(rng.integers(len(hints)))] = str(1 + int(rng.integers(int(number))))
    elif kind == 4:
        rng.shuffle(hints)
    lines[place] = " ".join([number, *literals, "0", *hints, "0"])
    if kind == 5:
        del lines[place]
    elif kind == 6:
        lines = lines[:place]
    forged.proofs[name] = "".join(f"{line}\n" for line in lines).encode()
    if kind == 7:
        other = str(rng.choice(sorted(forged.proofs)))
        forged.proofs[name] = forged.proofs[other]


def change_a_witness(rng: np.random.Generator, forged: Forgery) -> None:
    """The value of an input, or which there are."""
    witnesses = forged.data["witnesses"]
    own = witnesses[str(rng.choice(sorted(witnesses)))]
    name, kind = str(rng.choice([*sorted(own), "more"])), int(rng.integers(4))
    if kind == 0:
        own.pop(name, None)
    elif kind == 1:
        own[name] = own.get(name, 0) ^ 1 << int(rng.integers(12))
    elif kind == 2:
        own[name] = -own.get(name, 1)
    else:
        del witnesses[str(rng.choice(sorted(witnesses)))]


def change_what_it_says(rng: np.random.Generator, forged: Forgery) -> None:
    """One entry of the theorem."""
    edit(rng, forged.data)


def change_the_sizes(rng: np.random.Generator, forged: Forgery) -> None:
    """For which graphs it claims to hold."""
    sizes = forged.data["sizes"]
    sizes[str(rng.choice(sorted(sizes)))] += int(rng.choice([-1, 1, 2]))


def change_the_words(rng: np.random.Generator, forged: Forgery) -> None:
    """What it claims in words."""
    field = str(rng.choice(["sentence", "scope", "prose"]))
    words = forged.data[field]
    if isinstance(words, str):
        forged.data[field] = words.replace("every", "some")
    else:
        words.pop(int(rng.integers(len(words))))


def flip_a_bit(rng: np.random.Generator, forged: Forgery) -> None:
    """One bit of any file."""
    name = str(rng.choice([*sorted(forged.proofs), *[THEOREM] * 20]))
    content = bytearray(
        json.dumps(forged.data).encode() if name == THEOREM else forged.proofs[name]
    )
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    if name == THEOREM:
        forged.data = bytes(content)
    else:
        forged.proofs[name] = bytes(content)


MUTATORS: dict[str, Callable[[np.random.Generator, Forgery], None]] = {
    "templates": change_a_template,
    "parts of templates": drop_from_a_template,
    "obligations": change_the_obligations,
    "proofs": change_a_proof,
    "witnesses": change_a_witness,
    "sizes": change_the_sizes,
    "words": change_the_words,
    "entries of theorem.json": change_what_it_says,
    "bits flipped": flip_a_bit,
}


def seal(forged: Forgery, *, prove: bool) -> None:
    """Makes all that the folder says follow from its program, as far as that can be had.

    Args:
        forged: is changed.
        prove: whether to look for new proofs and witnesses too, where the old ones are for another
            formula.
    """
    data = forged.data
    own = {key: data["program"][key] for key in ("layout", "templates", "round_length")}
    digest = hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()
    data["program"]["digest"] = digest
    program = parse_program(data["program"])
    theorem = theorem_of(data, program, Sizes(data["sizes"], program.num_bits))
    data |= {"sentence": theorem.sentence, "scope": [*theorem.scope], "prose": [*theorem.prose]}
    stated = {(entry["name"], entry["part"]): entry["formula"] for entry in data["obligations"]}
    entries = []
    for obligation in built(theorem):
        for part in obligation.parts:
            formula, file = obligation.formula(part), proof_name(obligation.name, part)
            changed = stated.get((obligation.name, part)) != formula.sha256
            if prove and changed and model_of(formula) is None:
                forged.proofs[file] = refute(formula).encode()
            held = hashlib.sha256(forged.proofs.get(file, b"")).hexdigest()
            entries.append(
                {
                    "name": obligation.name,
                    "part": part,
                    "clauses": len(formula.clauses),
                    "formula": formula.sha256,
                    "proof": held,
                }
            )
    data["obligations"] = entries
