"""The program: what its layout promises, what its steps keep, and which templates match together."""

import functools
import hashlib
import itertools
import json
import operator
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from .reading import need, parse, whole

MOST_SETS, MOST_UPDATES = 1 << 21, 1 << 24
Templates = list[tuple[dict[int, bool], int]]


def mask(bits: Any) -> int:
    """Bits as one number."""
    return sum(1 << bit for bit in set(bits))


def union(masks: Iterable[int]) -> int:
    """All bits of several masks."""
    return functools.reduce(operator.or_, masks, 0)


class Program(NamedTuple):
    """Templates as conditions {bit: value} and masks of bits that are written, and their layout.

    promised: (bound, groups of bits as masks): at most so many groups hold a 1.
    split: the first bit that neighbours hear.
    colours: slots of the smallest table of messages, or None.
    fields: where the layout's fields are, by path: bits, or in a table bits of every slot.
    """

    templates: Templates
    num_bits: int
    promised: set[Any]
    split: int
    colours: int | None
    digest: str
    fields: dict[str, list[Any]]


def parse_program(data: Any) -> Program:
    """The program that a certificate is for."""
    content = {key: data[key] for key in ("layout", "templates", "round_length")}
    need(sorted(data) == sorted([*content, "digest"]), "the program has other fields")
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    need(digest == data["digest"], "not the program of this digest")
    layout = parse(data["layout"])
    promised, num_bits = promises(layout["computation"] + layout["messages"])
    templates = []
    for condition, outputs in data["templates"]:
        bits = [whole(bit, 0, num_bits - 1) for bit, _ in condition]
        need(all(type(value) is bool for _, value in condition), "a condition is no bit")
        need(bits == sorted(set(bits)), "a template is not in order")
        written = mask(whole(bit, 0, num_bits - 1) for bit in outputs)
        templates.append((dict(condition), written))
    need(templates, "a program without templates")
    tables = [field["slots"] for field in layout["messages"] if "slots" in field]
    split = promises(layout["computation"])[1]
    fields = columns(layout["computation"] + layout["messages"])
    return Program(templates, num_bits, promised, split, min(tables, default=None), digest, fields)


def promises(fields: list[Any]) -> tuple[set[Any], int]:
    """What a layout promises, (bound, groups): so many groups hold a 1; and its number of bits."""
    found, start = set(), 0
    for field in fields:
        leaves = field.get("fields", [field])
        widths = [leaf.get("bits") or leaf["size"].bit_length() for leaf in leaves]
        ends = [0, *itertools.accumulate(whole(width, 1, 1 << 20) for width in widths)]
        count = whole(field.get("slots", 1), 1, 1 << 20)
        slots = [start + slot * ends[-1] for slot in range(count)]
        for leaf, low, high in zip(leaves, ends, ends[1:], strict=False):
            if leaf["kind"] == "one-hot":
                found |= {(1, tuple(1 << at + b for b in range(low, high))) for at in slots}
        if field.get("occupied") is not None:
            found |= {(field["occupied"], tuple((1 << ends[-1]) - 1 << at for at in slots))}
        start += ends[-1] * len(slots)
    return found, start


def columns(fields: list[Any]) -> dict[str, list[Any]]:
    """The bits of every field of a layout, by path."""
    found: dict[str, list[Any]] = {}
    start = 0
    for field in fields:
        leaves = field.get("fields", [field])
        widths = [leaf.get("bits") or leaf["size"].bit_length() for leaf in leaves]
        ends = [0, *itertools.accumulate(widths)]
        for leaf, low, high in zip(leaves, ends, ends[1:], strict=False):
            at = [[*range(start + slot * ends[-1] + low, start + slot * ends[-1] + high)]
                  for slot in range(field.get("slots", 1))]  # fmt: skip
            table = "fields" in field
            path = f"{field['name']}.{leaf['name']}" if table else field["name"]
            need(path not in found, f"two fields {path}")
            found[path] = at if table else at[0]
        start += ends[-1] * field.get("slots", 1)
    return found


class Known(NamedTuple):
    """What is known of a state's bits, as masks.

    read: the bits that are known.
    ones: those of them that are 1.
    """

    read: int
    ones: int


def known_by(condition: dict[int, bool]) -> Known:
    """What a condition says of the bits, where it holds."""
    return Known(mask(condition), mask(bit for bit, value in condition.items() if value))


def within(ones: int, assumed: list[Any]) -> bool:
    """Whether a state with these ones can be as assumed."""
    return all(sum([ones & group != 0 for group in groups]) <= n for n, groups in assumed)


def check_preserved(program: Program, assumed: list[Any]) -> None:
    """No two templates that write different groups of an invariant may match together."""
    templates = [(known_by(when), out) for when, out in program.templates]
    for bound, groups in assumed:
        need((bound, groups) in program.promised, f"the layout promises no {bound} of {groups}")
        own = bound > 1 or max(groups) < 1 << program.split
        need(own, f"{bound} of {groups} depends on several nodes")
        writers = [[when for when, out in templates if out & g] for g in groups]
        for first, second in itertools.combinations(writers, 2):
            for one, other in itertools.product(first, second):
                clash = (one.ones ^ other.ones) & one.read & other.read
                kept = clash or not within(one.ones | other.ones, assumed)
                need(kept, f"a step breaks {bound} of {groups}")


def possible_sets(conditions: list[dict[int, bool]], assumed: list[Any]) -> set[int]:
    """All sets of conditions that hold in some state while all others fail, as masks."""
    wanted = [known_by(condition) for condition in conditions]
    near = [one for one in assumed if any(own.read & group for own in wanted for group in one[1])]
    limited = union(group for _, groups in near for group in groups)
    allowed = functools.cache(functools.partial(within, assumed=near))
    # By what is known and matters later, the sets of conditions so far: what agrees in it goes on alike.
    reached: dict[tuple[int, int], set[int]] = {(0, 0): {0}}
    for index, condition in enumerate(wanted):
        later = union(one.read for one in wanted[index + 1 :])
        after: dict[tuple[int, int], set[int]] = {}
        for known, sets in reached.items():
            for (read, ones), holds in outcomes(condition, Known(*known)):
                if allowed(ones & limited):
                    matters = read & later | ones & limited
                    own = (one | holds << index for one in sets)
                    after.setdefault((matters, ones & matters), set()).update(own)
        reached = after
        need(sum(map(len, reached.values())) <= MOST_SETS, "too many match sets")
    return set().union(*reached.values())


def outcomes(condition: Known, known: Known) -> Iterator[tuple[Known, bool]]:
    """How a condition can come out: what is known then, and whether it holds.

    It fails if a bit is known to be otherwise. If none is, then either some bit that is not known is
    the first to be otherwise, or none is.
    """
    if (condition.ones ^ known.ones) & condition.read & known.read:
        yield known, False
        return
    read, ones = known
    open_bits = condition.read & ~known.read
    while open_bits:
        bit = open_bits & -open_bits
        open_bits, read = open_bits ^ bit, read | bit
        yield Known(read, ones | bit & ~condition.ones), False
        ones |= bit & condition.ones
    yield Known(read, ones), True


def occurring_sets(runs: list[Any], program: Program) -> set[int]:
    """Sets of templates that nodes match at some step of executions, as masks, by running them."""
    templates = [(mask(when), mask(b for b, v in when.items() if v), out)
                 for when, out in program.templates]  # fmt: skip
    found: set[int] = set()
    for run in runs:
        need(sorted(run) == ["initial", "num_steps", "receivers", "senders"], "no execution")
        states = [whole(int(state, 16), 0, (1 << program.num_bits) - 1) for state in run["initial"]]
        ends = [[whole(node, 0, len(states) - 1) for node in run[end]]
                for end in ("senders", "receivers")]  # fmt: skip
        size = whole(run["num_steps"], 1) * len(states)
        need(0 < size <= MOST_UPDATES, "an execution without nodes, or too large")
        edges = list(zip(*ends, strict=True))
        simple = len(set(edges)) == len(edges) and all(a != b for a, b in edges)
        need(simple, "an edge stands twice, or leads back to its node")
        for _ in range(run["num_steps"]):
            after = [0] * len(states)
            for node, state in enumerate(states):
                matched = [i for i, (read, ones, _) in enumerate(templates) if state & read == ones]
                found.add(sum(1 << i for i in matched))
                for i in matched:
                    after[node] |= templates[i][2]
            states = list(after)
            for sender, receiver in edges:
                heard = after[sender] >> program.split << program.split
                need(not states[receiver] & heard, "messages meet in an execution")
                states[receiver] |= heard
    return found
