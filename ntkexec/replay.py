"""The program itself, run on given graphs, in plain Python: what `ntkexec.recheck` compares with."""

from typing import Any


def occurring_sets(runs: list[Any], templates: list[Any], first_message: int) -> set[int]:
    """Sets of templates that nodes match at some step, as masks.

    Args:
        runs: executions as a complete certificate holds them: edges, initial states, steps.
        templates: pairs of a condition {bit: value} and a mask of the bits that are written.
        first_message: the first bit that neighbours hear.
    """
    masks = [
        (sum(1 << bit for bit in condition), sum(1 << b for b, v in condition.items() if v), out)
        for condition, out in templates
    ]
    found: set[int] = set()
    for run in runs:
        states = [int(state, 16) for state in run["initial"]]
        for _ in range(run["num_steps"]):
            after = [0] * len(states)
            for node, state in enumerate(states):
                matched = [i for i, (read, ones, _) in enumerate(masks) if state & read == ones]
                found.add(sum(1 << i for i in matched))
                for i in matched:
                    after[node] |= masks[i][2]
            states = list(after)
            for sender, receiver in zip(run["senders"], run["receivers"], strict=True):
                states[receiver] |= after[sender] >> first_message << first_message
    return found
