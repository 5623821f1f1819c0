"""What a run does, counted before anything of it is built, for estimates of how long it takes."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Work:
    """What a run does.

    Args:
        literals: conditions and outputs of all templates.
        nodes: that it is executed on.
        steps: of all nodes.
        ready: whether trained networks of the program come along, so that none are trained.
        halts: whether it ends when all nodes halt.
    """

    literals: int
    nodes: int
    steps: int
    ready: bool = False
    halts: bool = False
