"""Functions over finite types as data: their tables, and what a specification made of such says.

A type is `{"scalar": n}`, the numbers 0 to n - 1 in binary; `{"set": n}`, a bit for each element;
`{"optional": type}`, a bit that says whether there is a value, and its bits, all 0 if there is none;
or `{"parts": [[name, type], ...]}`, one after the other.

A table is a tree of decisions: `[bit, low, high]` reads an input bit and goes on with `low` if it is
0; a leaf `{"is": [...]}` has the result's bits, each a constant or the number of an input bit that is
copied; `null` is where no value leads to. So no input has two results.
"""

import re
from typing import Any, NamedTuple

from ..reading import need, whole
from .circuit import FALSE, TRUE, Bits, Circuit, Literal

MOST_BITS, MOST_NODES, MOST_STEPS = 1 << 12, 1 << 17, 1 << 12
# Names are printed: nothing in them may look like what was verified.
NAME, PATH = re.compile(r"[A-Za-z0-9_ -]{1,80}"), re.compile(r"[A-Za-z0-9_.]{1,80}")
# Fields that hold what a node is given.
GIVEN = ("colour", "port.slot", "reverse.port")


def width(kind: Any) -> int:
    """Bits of a type.

    Raises:
        Rejected: it is no type.
    """
    need(isinstance(kind, dict), f"{kind!r} is no type")
    if "scalar" in kind:
        return max(1, (whole(kind["scalar"], 1, 1 << 62) - 1).bit_length())
    if "set" in kind:
        return whole(kind["set"], 0, MOST_BITS)
    if "optional" in kind:
        return 1 + width(kind["optional"])
    need("parts" in kind, f"{sorted(kind)} is no type")
    return sum(width(part) for _, part in kind["parts"])


def is_value(circuit: Circuit, kind: Any, bits: Bits) -> Literal:
    """Whether bits are the code of a value of a type."""
    if "scalar" in kind:
        return circuit.at_most(bits, circuit.number(kind["scalar"] - 1, len(bits)))
    if "set" in kind:
        return TRUE
    if "optional" in kind:
        some = circuit.all([bits[0], is_value(circuit, kind["optional"], bits[1:])])
        return circuit.any([some, circuit.all(-bit for bit in bits)])
    claims, start = [], 0
    for _, part in kind["parts"]:
        end = start + width(part)
        claims.append(is_value(circuit, part, bits[start:end]))
        start = end
    return circuit.all(claims)


class Table(NamedTuple):
    """A function of bits.

    Args:
        function: what it is called.
        num_inputs: bits that it may read.
        num_outputs: bits of its result.
        tree: as above.
    """

    function: str
    num_inputs: int
    num_outputs: int
    tree: Any

    def look_up(self, circuit: Circuit, bits: Bits) -> tuple[Literal, Bits]:
        """Whether the table has a result, and its bits."""
        need(len(bits) == self.num_inputs, f"{self.function} of {len(bits)} bits")
        reached: Bits = []
        outputs: list[Bits] = [[] for _ in range(self.num_outputs)]
        stack = [(self.tree, TRUE)]
        for _ in range(MOST_NODES):
            if not stack:
                break
            node, path = stack.pop()
            if isinstance(node, list):
                need(len(node) == 3, f"{self.function} has a decision of {len(node)}")
                bit = bits[whole(node[0], 0, self.num_inputs - 1)]
                stack.append((node[2], circuit.all([path, bit])))
                stack.append((node[1], circuit.all([path, -bit])))
            elif node is not None:
                need(sorted(node) == ["is"], f"{self.function} has a leaf {sorted(node)}")
                need(len(node["is"]) == self.num_outputs, f"{self.function}: a leaf is too short")
                reached.append(path)
                for own, result in zip(outputs, node["is"], strict=True):
                    own.append(circuit.all([path, self._result(result, bits)]))
        need(not stack, f"{self.function} has more than {MOST_NODES} nodes")
        return circuit.any(reached), [circuit.any(own) for own in outputs]

    def _result(self, result: Any, bits: Bits) -> Literal:
        if type(result) is bool:
            return TRUE if result else FALSE
        return bits[whole(result, 0, self.num_inputs - 1)]


class Stage(NamedTuple):
    """A part of an update.

    Args:
        kind: `update`, all messages at once; `fold`, one port after another; `step`, none.
        tables: one, or of a fold one for each port.
    """

    kind: str
    tables: list[Table]


class Part(NamedTuple):
    """Steps of a round that do one thing.

    Args:
        kind: `compose`, `send`, `listen` or `stage`.
        stage: which stage; None for the others.
        port: which port of a fold; None for the others.
        num_steps: how many.
    """

    kind: str
    stage: int | None
    port: int | None
    num_steps: int


class Algorithm(NamedTuple):
    """A LOCAL algorithm as tables, and how a round of a program is meant to carry it out.

    Args:
        name: what it is called.
        state: type of a state.
        message: type of a message that may be missing.
        send: the message to all, or by port of the sender that to the neighbour there.
        addressed: whether the latter.
        stages: the update.
        fields: paths of the fields that hold a `state`; by address what is `composed` and `sent`; by
            port what was `heard`.
        parts: what the steps of a round are meant to do.
    """

    name: str
    state: Any
    message: Any
    send: list[Table]
    addressed: bool
    stages: list[Stage]
    fields: Any
    parts: list[Part]


def parse_algorithm(data: Any, degree: int) -> Algorithm:
    """A specification as data.

    Raises:
        Rejected: it is not what is described here, or not for so many ports.
    """
    names = ["addressed", "fields", "message", "name", "parts", "send", "stages", "state"]
    need(
        isinstance(data, dict) and sorted(data) == names, f"a specification has {', '.join(names)}"
    )
    check_name(data["name"])
    need(type(data["addressed"]) is bool, "no flag")
    lists = [data[name] for name in ("parts", "send", "stages")]
    need(all(isinstance(one, list) for one in lists), "parts, send or stages is no list")
    state, message = data["state"], {"optional": data["message"]}
    reads = width(state)
    need(0 < reads <= MOST_BITS and width(message) <= MOST_BITS, f"{reads} bits of a state")
    addresses = degree if data["addressed"] else 1
    need(len(data["send"]) == addresses, f"{len(data['send'])} messages for {addresses} addresses")

    def table(entry: Any, num_inputs: int, result: Any) -> Table:
        need(
            isinstance(entry, dict) and sorted(entry) == ["compared", "function", "tree", "values"],
            "no table",
        )
        check_name(entry["function"])
        whole(entry["compared"], 0, whole(entry["values"], 0, 1 << 4096))
        return Table(entry["function"], num_inputs, width(result), entry["tree"])

    send = [table(entry, reads, message) for entry in data["send"]]
    stages = []
    for stage in data["stages"]:
        need(isinstance(stage, dict) and sorted(stage) == ["kind", "tables"], "no stage")
        heard = {"update": degree, "fold": 1, "step": 0}
        need(stage["kind"] in heard, f"no stage of the kind {stage['kind']!r}")
        count = degree if stage["kind"] == "fold" else 1
        need(len(stage["tables"]) == count, f"{len(stage['tables'])} tables of a {stage['kind']}")
        inputs = reads + heard[stage["kind"]] * width(message)
        stages.append(Stage(stage["kind"], [table(one, inputs, state) for one in stage["tables"]]))
    need(stages, "no stage")
    parts = [
        Part(kind, stage, port, whole(n, 1, 1 << 12)) for kind, stage, port, n in data["parts"]
    ]
    found = Algorithm(
        data["name"], state, message, send, data["addressed"], stages, data["fields"], parts
    )
    check_order(found, degree)
    kinds = [part.kind for part in parts]
    check_fields(found.fields, sent=addresses, composed=addresses * ("compose" in kinds),
                 heard=degree * ("listen" in kinds))  # fmt: skip
    return found


def check_name(name: Any) -> None:
    """It is short, and of letters, digits, spaces, dashes and underscores.

    Raises:
        Rejected: it is not.
    """
    need(
        type(name) is str and NAME.fullmatch(name),
        f"{name!r} is no name of letters, digits, spaces, - and _",
    )


def check_fields(fields: Any, **counts: int) -> None:
    """The paths of fields are lists, of the state one and of the others so many, of different fields.

    Raises:
        Rejected: they are not.
    """
    named = isinstance(fields, dict) and sorted(fields) == sorted(["state", *counts])
    need(named, f"fields are those of state, {', '.join(counts)}")
    for name, count in counts.items():
        need(isinstance(fields[name], list), f"{name} is no list")
        need(len(fields[name]) == count, f"{len(fields[name])} lists of {name}, not {count}")
    found: list[str] = []
    for paths in [fields["state"], *(own for name in counts for own in fields[name])]:
        need(isinstance(paths, list) and all(type(path) is str for path in paths), "no paths")
        found += paths
    # Of two claims about one field only one would be shown.
    need(len({*found, *GIVEN}) == len(found) + len(GIVEN), "a field holds two things")
    for path in found:
        need(PATH.fullmatch(path), f"{path!r} is no path of letters, digits, . and _")


def check_order(algorithm: Algorithm, degree: int) -> None:
    """The parts of a round are all there, in the order of the model: send, then every stage.

    Raises:
        Rejected: they are not; a program of another shape has no theorem here.
    """
    order = [part[:3] for part in algorithm.parts]
    compose, listen = (("compose", None, None), ("listen", None, None))
    wanted: list[tuple[str, int | None, int | None]]
    wanted = [*[compose] * (compose in order), ("send", None, None), *[listen] * (listen in order)]
    for number, stage in enumerate(algorithm.stages):
        ports = range(degree) if stage.kind == "fold" else [None]
        wanted += [("stage", number, port) for port in ports]
    need(order == wanted, "the steps of a round are not those of send and the stages in order")
    one = [part for part in algorithm.parts if part.kind != "stage"]
    need(all(part.num_steps == 1 for part in one), "a message takes one step")
    total = sum(part.num_steps for part in algorithm.parts)
    need(total <= MOST_STEPS, f"a round of {total} steps, more than {MOST_STEPS}")
