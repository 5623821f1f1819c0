"""What was verified of a theorem, in words that follow from it, and all that stays in prose."""

from .verification import APART, PROMISES, Verified

CHECKER = "This checker, Python, NumPy and the machine do what is written."
BEFORE = "The first states are as the program's layout promises; whoever makes them checks it."
MACHINE = (
    "The engine evaluates the stored networks in one of the formats named: every operation is off by at most"
    " the unit roundoff of its format, in whatever order sums are taken, and sums of zeros are 0."
)
MEETING = "No two nodes of a closed neighbourhood write the same message bit in the same step."


def prose(found: Verified) -> list[str]:
    """What nothing here shows, one sentence each."""
    out = [*found.theorem.prose]
    messages = found.program.split < found.program.num_bits
    if messages and not any(APART in parts for parts in found.parts.values()):
        out.append(MEETING)
    if found.certificate is not None:
        promised = any(PROMISES in parts for parts in found.parts.values())
        out += [MACHINE] if promised or not found.program.promised else [BEFORE, MACHINE]
    return [*out, CHECKER]


def title(found: Verified) -> str:
    """The statement's name and sizes."""
    sizes = ", ".join(f"{name} {size}" for name, size in found.theorem.sizes.items())
    return f"{found.theorem.name}: {sizes}" if sizes else found.theorem.name


def shown_by(found: Verified) -> list[str]:
    """What was verified, a sentence each."""
    number = sum(map(len, found.parts.values()))
    out = [
        f"the program {found.program.digest}: {number:,} proofs of {len(found.parts)} obligations"
        f" ({', '.join(found.parts)}), {found.clauses:,} clauses, {found.steps:,} steps; the assumptions of"
        " each obligation have an instance"
    ]
    if found.specification is not None:
        out.append(f"the specification that the sentence speaks of: {found.specification}")
    if any(APART in parts for parts in found.parts.values()):
        out.append("no messages meet: proved, as a part of these obligations")
    if any(PROMISES in parts for parts in found.parts.values()):
        out.append(
            "the first states are as the layout promises: proved, as a part of these obligations"
        )
    if found.certificate is not None and found.ensemble is not None:
        out.append(
            f"the ensemble {found.ensemble['manifest']} with the thresholds"
            f" {found.ensemble['thresholds']} executes this program: {found.certificate.decisions:,}"
            " decisions, each decided exactly in integers and beyond rounding in"
            f" {', '.join(found.certificate.formats)}"
        )
    return out


def lines(found: Verified) -> list[str]:
    """All of it, for a terminal."""
    who = "the program" if found.certificate is None else "these networks"
    return [
        f"THEOREM about {who}, {title(found)}",
        f"  {found.theorem.sentence}",
        "FOR",
        *(f"  {one}" for one in found.theorem.scope),
        *(f"VERIFIED: {one}" for one in shown_by(found)),
        "IN PROSE, to be believed or checked elsewhere:",
        *(f"  {one}" for one in prose(found)),
    ]
