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

Conditions = list[dict[int, bool]]
Invariant = tuple[int, tuple[tuple[int, ...], ...]]  # at most so many of the groups hold a 1


class Rejected(Exception):
    """What in the certificate is not so."""


def need(true: bool, otherwise: str) -> None:
    """Raises Rejected with these words unless `true`."""
    if not true:
        raise Rejected(otherwise)


def promises(layout: dict[str, Any]) -> tuple[dict[Invariant, str], int, int]:
    """What a layout lets one assume, and of which bits; computation bits; all bits."""
    found: dict[Invariant, str] = {}
    start = split = 0
    for room in ("computation", "messages"):
        for field in layout[room]:
            leaves = field.get("fields", [field])
            widths = [leaf.get("bits") or leaf["size"].bit_length() for leaf in leaves]
            size = sum(widths)
            slots = [
                range(start + s * size, start + (s + 1) * size)
                for s in range(field.get("slots", 1))
            ]
            offset = 0
            for leaf, width in zip(leaves, widths, strict=True):
                for slot in slots if leaf["kind"] == "one-hot" else []:
                    found[1, tuple((b,) for b in slot[offset : offset + width])] = room
                offset += width
            if field.get("occupied") is not None:
                found[field["occupied"], tuple(tuple(slot) for slot in slots)] = room
            start += size * len(slots)
        split = start if room == "computation" else split
    return found, split, start


def within(known: dict[int, bool], assumed: list[Invariant]) -> bool:
    """Whether the bits known to be 1 respect what is assumed."""
    ones = {bit for bit, value in known.items() if value}
    return all(sum(not ones.isdisjoint(g) for g in groups) <= n for n, groups in assumed)


def check_preserved(
    templates: list[Any], assumed: list[Invariant], allowed: dict[Invariant, str]
) -> None:
    """No two templates that write different groups of an invariant may match together."""
    for bound, groups in assumed:
        need((bound, groups) in allowed, f"the layout does not promise at most {bound} of {groups}")
        local = bound > 1 or allowed[bound, groups] == "computation"
        need(local, f"at most {bound} of {groups} depends on several nodes")
        writers = [[t for t, out in templates if not set(g).isdisjoint(out)] for g in groups]
        for first, second in itertools.combinations(writers, 2):
            for one, other in itertools.product(first, second):
                clash = any(one.get(bit, value) != value for bit, value in other.items())
                need(
                    clash or not within(one | other, assumed),
                    f"a step breaks at most {bound} of {groups}",
                )


def possible_sets(conditions: Conditions, assumed: list[Invariant]) -> set[int]:
    """All sets of conditions that hold in some state while all others fail, as masks."""
    found: set[int] = set()
    by_bit = {b: [a for a in assumed if any(b in g for g in a[1])] for c in conditions for b in c}

    def extended(known: dict[int, bool], bit: int, value: bool) -> dict[int, bool] | None:
        if bit in known:
            return known if known[bit] == value else None
        more = known | {bit: value}
        return None if value and not within(more, by_bit[bit]) else more

    def branch(index: int, known: dict[int, bool], mask: int) -> None:
        if index == len(conditions):
            found.add(mask)
            return
        # Either some part of the condition is the first to fail, or none fails.
        for bit, value in conditions[index].items():
            failing, holding = extended(known, bit, not value), extended(known, bit, value)
            if failing is not None:
                branch(index + 1, failing, mask)
            if holding is None:
                return
            known = holding
        branch(index + 1, known, mask | 1 << index)

    branch(0, {}, 0)
    return found


def occurring_sets(runs: list[Any], templates: list[Any], split: int, num_bits: int) -> set[int]:
    """Sets of templates that nodes match when the program itself runs, as masks."""
    found: set[int] = set()
    for run in runs:
        states = np.array(
            [[int(row, 16) >> b & 1 for b in range(num_bits)] for row in run["initial"]]
        )
        for _ in range(run["num_steps"]):
            holds = [[states[:, b] == v for b, v in t.items()] for t, _ in templates]
            matched = np.array([np.all([np.ones(len(states)), *h], axis=0) for h in holds])
            found |= {sum(1 << int(i) for i in np.flatnonzero(row)) for row in matched.T}
            after = np.zeros_like(states)
            for row, (_, out) in zip(matched, templates, strict=True):
                after[np.ix_(row, out)] = 1
            states = after.copy()
            np.maximum.at(states[:, split:], run["receivers"], after[run["senders"], split:])
    return found


def check_decisions(
    stated: dict[str, Any], n0: int, matched: Any, writes: Any, hidden: Any, output: Any, std: float
) -> None:
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
        sole, least = alpha[count == m][0, 0], max(0.0, ones[count == m].min())
        allowed = [0.5] if m == 0 else [sole / 2, least / 2]
        found = threshold[count == m][0]
        need(
            any(math.isclose(found, one, rel_tol=1e-9) for one in allowed), f"threshold at m = {m}"
        )
    members, _, width = hidden.shape
    first = (
        std / math.sqrt(n0) * np.concatenate(hidden[:, : matched.shape[1]].astype(float), axis=1)
    )
    second = std / math.sqrt(width) / members * np.concatenate(output.astype(float))
    for rows in np.array_split(np.arange(len(count)), 1 + len(count) * members * width // 2**24):
        limit = threshold[rows, None]
        x = matched[rows] / np.sqrt(np.maximum(count[rows], 1))[:, None]
        mean = np.maximum(x @ first, 0) @ second
        # All roundings of all terms of both layers at once: cruder, and short.
        operations = matched.shape[1] + members * width + 32
        error = 1.01 * operations * 2.0**-24 * ((x @ abs(first)) @ abs(second) + limit)
        side = np.where(active[rows] > 0, 1, -1) * (mean - limit)
        need(operations < 2**17 and bool((side > error).all()), "a decision is wrong, or too close")


def weights(files: list[Any], folder: Path, stack: int) -> list[Any]:
    """Both layers of all members of a stack, from files whose digests are as stated."""
    parts = []
    for entry in sorted((f for f in files if f["chunk"][0] == stack), key=lambda f: f["chunk"][1]):
        content = (folder / entry["name"]).read_bytes()
        need(hashlib.sha256(content).hexdigest() == entry["sha256"], f"{entry['name']} was changed")
        parts.append(load(content))
    return [np.concatenate([part[name] for part in parts]) for name in ("hidden", "output")]


def verify(data: dict[str, Any], folder: Path) -> int:
    """Raises Rejected unless the certificate is right; the number of decisions that were verified."""
    need(data["format"] == "ntkexec-complete/1" and data["exact"], "no certificate of exactness")
    manifest = json.loads((folder / "ensemble.json").read_bytes())
    program, config, padding = data["program"], manifest["config"], manifest["padding"]
    content = {key: program[key] for key in ("layout", "templates", "round_length")}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    need(digest == program["digest"] == manifest["program"], "not the program that was learned")
    need(
        data["files"] == manifest["files"] and not config["bias_std"],
        "not the ensemble that it is for",
    )
    templates = [({int(b): bool(v) for b, v in t}, out) for t, out in program["templates"]]
    allowed, split, num_bits = promises(json.loads(program["layout"]))
    assumed = [(one["bound"], tuple(map(tuple, one["groups"]))) for one in data["invariants"]]
    check_preserved(templates, assumed, allowed)
    if joint := manifest["kind"] == "joint":
        problems = [([*range(len(templates))], [*range(num_bits)])]
    else:
        written = sorted({bit for _, out in templates for bit in out})
        problems = [([i for i, (_, out) in enumerate(templates) if b in out], [b]) for b in written]
    sizes = [
        padding + (len(t) if joint else 2 ** math.ceil(math.log2(len(t)))) for t, _ in problems
    ]
    need(
        [(c["templates"], c["bits"]) for c in data["components"]] == problems,
        "not the program's components",
    )
    met = occurring_sets(data["executions"], templates, split, num_bits)
    decided = 0
    for stack, n0 in enumerate(sorted(set(sizes))):
        hidden, output = weights(data["files"], folder, stack)
        for place, index in enumerate(i for i, size in enumerate(sizes) if size == n0):
            stated, (own, bits) = data["components"][index], problems[index]
            if data["executions"]:
                sets = {sum((mask >> t & 1) << k for k, t in enumerate(own)) for mask in met}
            else:
                sets = possible_sets([templates[t][0] for t in own], assumed)
            listed = {int(mask, 16) for mask in data["match_sets"][stated["match_sets"]]}
            need(listed == sets, f"component {index}: {len(listed ^ sets)} match sets differ")
            matched = np.array([[mask >> k & 1 for k in range(len(own))] for mask in sorted(sets)])
            writes = np.array([[bit in templates[t][1] for bit in bits] for t in own]).astype(int)
            networks = (hidden[:, place], output[:, place, :, : len(bits)])
            check_decisions(stated, n0, matched, writes, *networks, config["weight_std"])
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
    where = ", ".join(one["label"] for one in data["executions"])
    if not where:
        degrees = [one["bound"] - 1 for one in data["invariants"] if one["bound"] > 1]
        where = f"graphs of degree at most {min(degrees)}" if degrees else "all graphs"
    print(f"VERIFIED: {decided:,} decisions, exact on {where}; program {data['program']['digest']}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
