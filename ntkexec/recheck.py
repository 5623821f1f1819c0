"""Verifies a complete certificate: `python -m ntkexec.recheck CERTIFICATE ENSEMBLE_FOLDER`.

Needs numpy and safetensors only and shares no code with what makes certificates: match sets come
from branching on templates instead of on bits, thresholds from the kernel, decisions from the
weights with a bound of its own. The templates are taken as they stand; their digest is printed.
"""

import hashlib
import itertools
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load

from ntkexec.replay import occurring_sets


class Rejected(Exception):
    """What in the certificate is not so."""


def need(true: bool, otherwise: str) -> None:
    """Raises Rejected with these words unless `true`."""
    if not true:
        raise Rejected(otherwise)


def mask(bits: Any) -> int:
    """Bits as one number."""
    return sum(1 << bit for bit in bits)


def promises(fields: list[Any]) -> tuple[set[Any], int]:
    """What a layout promises, (bound, groups): so many groups hold a 1; and its number of bits."""
    found, start = set(), 0
    for field in fields:
        leaves = field.get("fields", [field])
        widths = [leaf.get("bits") or leaf["size"].bit_length() for leaf in leaves]
        ends = [0, *itertools.accumulate(widths)]
        slots = [start + slot * ends[-1] for slot in range(field.get("slots", 1))]
        for leaf, low, high in zip(leaves, ends, ends[1:], strict=False):
            if leaf["kind"] == "one-hot":
                found |= {(1, tuple(1 << at + b for b in range(low, high))) for at in slots}
        if field.get("occupied") is not None:
            found |= {(field["occupied"], tuple((1 << ends[-1]) - 1 << at for at in slots))}
        start += ends[-1] * len(slots)
    return found, start


def within(known: dict[int, bool], assumed: list[Any]) -> bool:
    """Whether a state with these bits can be as assumed."""
    ones = mask(bit for bit, value in known.items() if value)
    return all(sum(ones & group != 0 for group in groups) <= n for n, groups in assumed)


def check_preserved(templates: Any, assumed: list[Any], promised: set[Any], split: int) -> None:
    """No two templates that write different groups of an invariant may match together."""
    for bound, groups in assumed:
        need((bound, groups) in promised, f"the layout does not promise {bound} of {groups}")
        need(bound > 1 or max(groups) < 1 << split, f"{bound} of {groups} depends on several nodes")
        writers = [[condition for condition, out in templates if out & g] for g in groups]
        for first, second in itertools.combinations(writers, 2):
            for one, other in itertools.product(first, second):
                clash = any(one.get(bit, value) != value for bit, value in other.items())
                kept = clash or not within(one | other, assumed)
                need(kept, f"a step breaks {bound} of {groups}")


def possible_sets(conditions: list[dict[int, bool]], assumed: list[Any]) -> set[int]:
    """All sets of conditions that hold in some state while all others fail, as masks."""
    found: set[int] = set()
    read = mask({bit for condition in conditions for bit in condition})
    near = [one for one in assumed if any(read & group for group in one[1])]

    def branch(index: int, known: dict[int, bool], matched: int) -> None:
        if index == len(conditions) and within(known, near):
            found.add(matched)
        if index == len(conditions) or not within(known, near):
            return
        # Either some bit of the condition is the first to be otherwise, or none is.
        for bit, value in conditions[index].items():
            if known.get(bit) != value:
                branch(index + 1, known | {bit: not value}, matched)
            if known.get(bit, value) != value:
                return
            known = known | {bit: value}
        branch(index + 1, known, matched | 1 << index)

    branch(0, {}, 0)
    return found


def check_decisions(stated: Any, n0: int, matched: Any, writes: Any, nets: Any, std: float) -> None:
    """Every bit is on its side of its threshold in float32.

    A threshold is half the smallest mean of a 1 at its m; or half the mean of a sole writer, where
    the bound on matches with which the ensemble runs excludes this m.
    """
    count, active = matched.sum(1), matched @ writes
    angle = np.arccos(1 / np.sqrt(np.maximum(count, 1)))
    kernel = (np.sin(angle) + 2 * np.cos(angle) * (np.pi - angle)) / (2 * np.pi)
    c, gap = 1 / (2 * np.pi), 1 - 1 / (2 * np.pi)
    shared = c * (count * kernel + (n0 - count) * c) / (gap + c * n0)
    alpha, beta = ((k - shared)[:, None] / gap for k in (kernel, c))
    ones = np.where(active > 0, active * alpha + (writes.sum(0) - active) * beta, np.inf).min(1)
    threshold = np.array([stated["thresholds"][str(m)] for m in count])
    for m in np.unique(count):
        found, sole, least = (v[count == m].min() for v in (threshold, alpha, ones))
        allowed = [sole / 2, max(0.0, least) / 2] if m else [0.5]
        near = any(math.isclose(found, one, rel_tol=1e-9) for one in allowed)
        need(near and found == threshold[count == m].max(), f"threshold at m = {m}")
    members, _, width = nets[0].shape
    first = np.concatenate(nets[0][:, : matched.shape[1]].astype(float), axis=1) / math.sqrt(n0)
    second = std**2 / math.sqrt(width) / members * np.concatenate(nets[1].astype(float))
    for rows in np.array_split(np.arange(len(count)), 1 + len(count) * members * width // 2**24):
        limit = threshold[rows, None]
        x = matched[rows] / np.sqrt(np.maximum(count[rows], 1))[:, None]
        # All roundings of all terms of both layers at once: cruder, and short.
        operations = matched.shape[1] + members * width + 32
        error = 1.01 * operations * 2.0**-24 * ((x @ abs(first)) @ abs(second) + limit)
        side = np.where(active[rows] > 0, 1, -1) * (np.maximum(x @ first, 0) @ second - limit)
        need(operations < 2**17 and bool((side > error).all()), "a decision is wrong, or too close")


def verify(data: Any, folder: Path) -> int:
    """Raises Rejected unless the certificate is right; the number of decisions that were verified."""
    need(data["format"] == "ntkexec-complete/1" and data["exact"], "no certificate of exactness")
    manifest = json.loads((folder / "ensemble.json").read_bytes())
    program, config, padding = data["program"], manifest["config"], manifest["padding"]
    content = {key: program[key] for key in ("layout", "templates", "round_length")}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    need(digest == program["digest"] == manifest["program"], "not the program that was learned")
    need(data["files"] == manifest["files"] and not config["bias_std"], "not its ensemble")
    templates = [({b: bool(v) for b, v in t}, mask(out)) for t, out in program["templates"]]
    layout = json.loads(program["layout"])
    promised, num_bits = promises(layout["computation"] + layout["messages"])
    split = promises(layout["computation"])[1]
    assumed = [(one["bound"], tuple(map(mask, one["groups"]))) for one in data["invariants"]]
    check_preserved(templates, assumed, promised, split)
    writers = [[i for i, t in enumerate(templates) if t[1] >> b & 1] for b in range(num_bits)]
    problems = [(own, [b]) for b, own in enumerate(writers) if own]
    sizes = [padding + 2 ** math.ceil(math.log2(len(own))) for own, _ in problems]
    if manifest["kind"] == "joint":
        problems = [([*range(len(templates))], [*range(num_bits)])]
        sizes = [padding + len(templates)]
    stated = [(one["templates"], one["bits"]) for one in data["components"]]
    need(stated == problems, "not the program's components")
    met, decided = occurring_sets(data["executions"], templates, split), 0
    for stack, n0 in enumerate(sorted(set(sizes))):
        parts = []
        for entry in sorted(data["files"], key=lambda file: file["chunk"]):
            if entry["chunk"][0] == stack:
                raw, name = (folder / entry["name"]).read_bytes(), entry["name"]
                need(hashlib.sha256(raw).hexdigest() == entry["sha256"], f"{name} was changed")
                parts.append(load(raw))
        hidden, output = (np.concatenate([p[key] for p in parts]) for key in ("hidden", "output"))
        for place, index in enumerate(i for i, size in enumerate(sizes) if size == n0):
            listing, (own, bits) = data["components"][index], problems[index]
            sets = {mask(k for k, t in enumerate(own) if one >> t & 1) for one in met}
            sets = sets or possible_sets([templates[t][0] for t in own], assumed)
            listed = {int(one, 16) for one in data["match_sets"][listing["match_sets"]]}
            need(listed == sets, f"component {index}: {len(listed ^ sets)} match sets differ")
            matched = np.array([[one >> k & 1 for k in range(len(own))] for one in sorted(sets)])
            writes = np.array([[templates[t][1] >> b & 1 for b in bits] for t in own])
            nets = (hidden[:, place], output[:, place, :, : len(bits)])
            check_decisions(listing, n0, matched, writes, nets, config["weight_std"])
            decided += len(sets) * len(bits)
    need(decided == data["decisions"], f"{decided} decisions, not {data['decisions']}")
    return decided


def main(arguments: list[str]) -> int:
    """Exit status 0 if the certificate is right, 1 if not, 2 if it cannot be read."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        data = json.loads(Path(arguments[0]).read_bytes())
        decided = verify(data, Path(arguments[1]))
    except Rejected as reason:
        print(f"REJECTED: {reason}")
        return 1
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        print(f"recheck: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    bounds = (one["bound"] - 1 for one in data["invariants"] if one["bound"] > 1)
    where = f"all graphs (degree limit: {min(bounds, default='none')})"
    where = ", ".join(one["label"] for one in data["executions"]) or where
    print(f"VERIFIED: {decided:,} decisions, exact on {where}; program {data['program']['digest']}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
