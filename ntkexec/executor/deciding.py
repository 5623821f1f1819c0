"""What an engine decides for given states, outside the loop."""

from jaxtyping import Array, Bool

from ntkexec.executor.encoding import Matches
from ntkexec.executor.loop import OwnLoop
from ntkexec.executor.protocol import Decision, Engine, decide_states
from ntkexec.runtime import compilation


def decided(engine: Engine, states: Bool[Array, "k n"]) -> tuple[Matches, Decision]:
    """Matches of states, and what is decided for them: compiled as one, if the engine can be.

    One with a loop of its own need be no pytree, and evaluates on the host.
    """
    if isinstance(engine, OwnLoop):
        return decide_states(engine, states)
    (matches, decision), *_ = compilation.call(decide_states, engine, states)
    return matches, decision
