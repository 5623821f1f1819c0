"""How much of the clock an execution compiles for."""

from collections.abc import Mapping

from ntkexec.engines.packed.plan import Orbit, PackedProgram


def clock_of(
    packed: PackedProgram,
    same: Mapping[int, bool],
    *,
    num_steps: int,
    specialised: bool,
    long: int | None,
) -> Orbit:
    """The clock, which shows what hangs on constants only where that pays.

    What hangs on the depth of split nodes makes a round as long as a whole level. Nobody sends in
    most of its steps, and that is what a frontier needs; without one, it is only more to compile.

    Args:
        packed: the program.
        same: bits that all nodes share before the first step, and their values.
        num_steps: at most so many will follow.
        specialised: whether code is compiled for this very graph.
        long: from so many rounds on there is a frontier; None if there is none in any case.
    """
    plain = packed.orbit({bit: on for bit, on in same.items() if bit not in packed.constants})
    if not specialised and long is None:
        return plain
    whole = packed.orbit(same)
    if len(whole.ring) <= len(plain.ring):
        return whole if specialised else plain
    return whole if long is not None and num_steps // len(whole.ring) >= long else plain
