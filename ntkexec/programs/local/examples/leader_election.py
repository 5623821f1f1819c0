"""Leader election: every node learns the smallest identifier of its component."""

import functools
from typing import Any

from ntkexec.language import Builder, Number, any_of, either, idioms
from ntkexec.programs.local.algorithm import Gather, Local, Node, Update
from ntkexec.programs.local.family import Family, Gathered, as_flag, as_node, identifier_bits
from ntkexec.programs.local.graph_rounds import from_smallest
from ntkexec.programs.local.monoids import least
from ntkexec.programs.local.synchroniser import Received
from ntkexec.programs.local.types import Identifier, Record
from ntkexec.programs.reference import local as reference
from ntkexec.vocabulary import SUMMARIES


def build(*, degree: int, word: int) -> Local:
    """Leader election; a word is an identifier."""
    return _local("leader-election", word, _answer)


def build_components(*, degree: int, word: int) -> Local:
    """Connected components; a word is an identifier."""
    return _local("components", word, _component)


@functools.cache
def _state(word: int) -> Record:
    return Record("State", leader=Identifier(word))


def _local(name: str, word: int, output: Any) -> Local:
    return Local(
        name=name,
        state=_state(word),
        message=Identifier(word),
        init=lambda node: _state(word)(leader=node.identifier),
        send=lambda state: state.leader,
        stages=(Update(_smallest, _smallest_body),),
        output=output,
    )


def _gathered(name: str, output: Any) -> Gathered:
    """The same for split graphs: the least of all that is heard and of what the node has."""

    def build(*, word: int) -> Local:
        State, identifier = _state(word), Identifier(word)
        return Local(
            name=name,
            state=State,
            message=identifier,
            init=lambda node: State(leader=node.identifier),
            send=lambda state: state.leader,
            stages=(Gather(least(identifier), lambda state, total: State(leader=total), own=True),),
            output=output,
        )

    return Gathered(build, identifier_bits)


def _smallest(state: Any, received: tuple[Any, ...]) -> Any:
    return state._replace(
        leader=min(state.leader, *(m for m in received if m is not None), 1 << 62)
    )


def _smallest_body(p: Builder, state: Any, received: Received) -> None:
    heard = received.by_port()
    live = p.flags("live", 1 + len(heard))
    with p.phase("candidates"):
        p.set(live[0])
        for one, message in zip(live[1:], heard, strict=True):
            p.assign(one, message.present)
    numbers: list[Number] = [state.leader, *(message.value for message in heard)]
    idioms.minimum(p, live, numbers)
    with p.phase("adopt"):
        firsts = idioms.priority(live)
        p.assign(
            state.leader,
            either([number.where(one) for number, one in zip(numbers, firsts, strict=True)]),
            when=any_of(live),
        )


def _answer(state: Any, node: Node) -> dict[str, int]:
    return {"leader": state.leader, "elected": int(state.leader == node.identifier)}


def _component(state: Any, node: Node) -> dict[str, int]:
    return {"component": state.leader}


FAMILY = Family(
    name="leader-election",
    summary=SUMMARIES["leader-election"],
    build=build,
    rounds=from_smallest,
    word=identifier_bits,
    reference=reference.leader_election,
    formats={"leader": as_node, "elected": as_flag},
    gathered=_gathered("leader-election", _answer),
)
COMPONENTS = Family(
    name="components",
    summary=SUMMARIES["components"],
    build=build_components,
    rounds=from_smallest,
    word=identifier_bits,
    reference=reference.components,
    formats={"component": as_node},
    gathered=_gathered("components", _component),
)
