"""A certificate against the folder that it speaks of."""

import hashlib
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .decisions import FORMATS, check_decisions
from .program import (
    Program,
    check_preserved,
    mask,
    occurring_sets,
    parse_program,
    possible_sets,
)
from .reading import (
    MOST_BYTES,
    check_chunks,
    need,
    read,
    read_manifest,
    read_thresholds,
    read_weights,
    whole,
)

FIELDS = (
    "algorithm claim components convention decisions draw ensemble exact executions format invariants"
    " kind match_sets members padding parameters program weight_std width"
)
LISTING = "bits match_sets num_inputs smallest_margin templates"


def claim(program: Program, assumed: list[Any], runs: list[Any]) -> str:
    """What was shown, in words that follow from what was checked."""
    sizes = [
        f"nodes: {len(run['initial'])}, directed edges: {len(run['senders'])}, "
        f"steps: {run['num_steps']}"
        for run in runs
    ]
    if runs:
        where = "an execution" if len(runs) == 1 else f"{len(runs)} executions"
        return f"EXACT on {where} ({'; '.join(sizes)}): every decision that occurs there is right"
    degree, colours = limits(program, assumed)
    parts = [] if degree is None else [f"degree at most {degree}"]
    if colours is not None:
        parts.append(f"at most {colours} colours")
    graphs = f" with {' and '.join(parts)}" if parts else ""
    kept = f" that keep {len(assumed)} invariant(s)" if assumed else ""
    met = ", as long as no messages meet" if program.split < program.num_bits else ""
    return (
        f"EXACT on every graph{graphs}, from all states{kept}: any number of nodes and steps{met}"
    )


class Verified(NamedTuple):
    """What was verified of a certificate.

    claim: in words.
    program: whose decisions they are.
    decisions: how many.
    formats: in which of `decisions.FORMATS` no evaluation decides otherwise.
    limits: most neighbours and colours of graphs that it is about; None where it sets no limit.
    executions: how many it is about; none for all states.
    """

    claim: str
    program: Program
    decisions: int
    formats: list[str]
    limits: tuple[int | None, int | None]
    executions: int


def limits(program: Program, assumed: list[Any]) -> tuple[int | None, int | None]:
    """Most neighbours, by what is assumed of messages, and most colours, by the slots for them."""
    heard = [bound - 1 for bound, groups in assumed if min(groups) >= 1 << program.split]
    return min(heard, default=None), program.colours


def verify(data: Any, folder: Path) -> Verified:
    """Raises Rejected unless the certificate is right."""
    need(sorted(data) == FIELDS.split(), "the certificate has other fields")
    need(data["format"] == "ntkexec-complete/2", "no certificate of format 2")
    need(data["exact"] is True, "no certificate of exactness")
    content = read(folder / "ensemble.json", MOST_BYTES)
    digest = hashlib.sha256(content).hexdigest()
    need(digest == data["ensemble"], "not its ensemble: ensemble.json is another")
    manifest, program = read_manifest(content), parse_program(data["program"])
    config, padding = manifest["config"], manifest["padding"]
    need(program.digest == manifest["program"], "not the program that was learned")
    for name in ("algorithm", "parameters", "kind", "padding", "convention"):
        need(data[name] == manifest[name], f"{name} is not the ensemble's")
    for name in ("members", "width", "weight_std", "draw"):
        need(data[name] == config[name], f"{name} is not the ensemble's")
    need(all(sorted(o) == ["bound", "groups"] for o in data["invariants"]), "no invariant")
    assumed = [
        (o["bound"], tuple(mask(whole(b, 0, program.num_bits) for b in g) for g in o["groups"]))
        for o in data["invariants"]
    ]
    need(not (assumed and data["executions"]), "executions need no invariants")
    check_preserved(program, assumed)

    templates = program.templates
    writers = [
        [i for i, t in enumerate(templates) if t[1] >> b & 1] for b in range(program.num_bits)
    ]
    problems = [(own, [b]) for b, own in enumerate(writers) if own]
    sizes = [padding + 2 ** math.ceil(math.log2(len(own))) for own, _ in problems]
    if manifest["kind"] == "joint":
        problems = [([*range(len(templates))], [*range(program.num_bits)])]
        sizes = [padding + len(templates)]
    stated = [(one["templates"], one["bits"]) for one in data["components"]]
    need(stated == problems, "not the program's components")
    check_chunks(manifest["files"], len(set(sizes)), config["members"])
    most = max(len(own) for own, _ in problems)
    table = read_thresholds(folder, manifest["thresholds"], (program.num_bits, most + 1))
    unlearned = sorted({*range(program.num_bits)} - {b for _, bits in problems for b in bits})
    need(
        bool((table[unlearned] >= 0).all()), "a bit that no network learns, always 0, is read as 1"
    )

    met, decided, formats = occurring_sets(data["executions"], program), 0, set(FORMATS)
    for stack, n0 in enumerate(sorted(set(sizes))):
        here = [index for index, size in enumerate(sizes) if size == n0]
        outputs = max(len(problems[index][1]) for index in here)
        nets = read_weights(folder, manifest, stack, (len(here), n0, outputs))
        for place, index in enumerate(here):
            listing, (own, bits) = data["components"][index], problems[index]
            need(sorted(listing) == LISTING.split(), "a component has other fields")
            sets = {mask(k for k, t in enumerate(own) if one >> t & 1) for one in met}
            if not data["executions"]:
                sets = possible_sets([templates[t][0] for t in own], assumed)
            number = whole(listing["match_sets"], 0, len(data["match_sets"]) - 1)
            listed = {int(one, 16) for one in data["match_sets"][number]}
            need(listed == sets, f"component {index}: {len(listed ^ sets)} match sets differ")
            matched = np.array([[one >> k & 1 for k in range(len(own))] for one in sorted(sets)])
            writes = np.array([[templates[t][1] >> b & 1 for b in bits] for t in own])
            mine = {
                name: array[:, place, ..., : len(bits)] if "output" in name else array[:, place]
                for name, array in nets.items()
            }
            margin, own_formats = check_decisions(
                table[bits], matched, writes, mine, config["weight_std"]
            )
            formats &= own_formats
            same = math.isclose(listing["smallest_margin"] or math.inf, margin, rel_tol=1e-6)
            need(listing["num_inputs"] == n0 and same, f"component {index}: not its n0 or margin")
            decided += len(sets) * len(bits)
    need(decided == data["decisions"], f"{decided} decisions, not {data['decisions']}")
    words, runs = claim(program, assumed, data["executions"]), len(data["executions"])
    need(data["claim"] == words, "not what was shown")
    kept = [name for name in FORMATS if name in formats]
    return Verified(words, program, decided, kept, limits(program, assumed), runs)
