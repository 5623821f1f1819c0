"""What is said of a run on a split graph: in a row for a terminal, and as plain data."""

from typing import Any

from ntkexec.programs.instance import Instance

FACTORS = {
    "steps": "times the steps",
    "hops": "hops for each round",
    "rounds": "rounds at most for each round",
}
"""What follows the number, by what `Instance.slowdown_in` says that it counts."""


def split_rows(instance: Instance) -> list[tuple[str, str]]:
    """That the program runs on trees, as a row; nothing where it runs on the graph as it is."""
    trees = instance.split
    if trees is None:
        return []
    nodes, most = trees.graph.num_nodes, trees.most
    told = f"into {nodes} nodes of at most {most} neighbours, in trees of depth {trees.depth}"
    if trees.depth == 0:
        other = (
            "weights are those" if instance.slowdown_in == "rounds" else "the program is the one"
        )
        told = f"no node has more than {most} neighbours, but {other} for trees"
    factor = ""
    if instance.slowdown is not None and instance.slowdown > 1:
        factor = f", {instance.slowdown} {FACTORS[instance.slowdown_in]}"
    return [("  split", f"{told}{factor} (--split-degree none forbids it)")]


# Any: plain data.
def split_data(instance: Instance) -> dict[str, Any] | None:
    """The trees that a program runs on, as plain data; None where it runs on the graph as it is.

    `rounds_factor` is what a round on the graph as it is takes, or takes at most; `steps_factor` what a
    step takes, where steps are of the same kind.
    """
    trees = instance.split
    if trees is None:
        return None
    return {
        "degree": trees.most,
        "nodes": trees.graph.num_nodes,
        "depth": trees.depth,
        "steps_factor": instance.slowdown if instance.slowdown_in == "steps" else None,
        "rounds_factor": instance.slowdown,
    }
