"""A shipped program by its sizes alone, without a graph; also the one for graphs that are split."""

from typing import TYPE_CHECKING, NamedTuple

from ntkexec.errors import NtkexecError

if TYPE_CHECKING:
    from ntkexec.program.program import Program
    from ntkexec.programs import Algorithm


class Sized(NamedTuple):
    """A program for every graph of its sizes.

    Args:
        algorithm: whose program it is; of graphs that are split it can be one by itself.
        sizes: by name.
        program: its templates.
    """

    algorithm: "Algorithm"
    sizes: dict[str, int]
    program: "Program"


def of_sizes(name: str, split_degree: int | None = None, **given: int | None) -> Sized:
    """The program of an algorithm and of sizes.

    Args:
        name: of a shipped algorithm.
        split_degree: D, at least 3, for the program that serves every graph whose nodes of more
            neighbours are split into trees; then it is the degree.
        given: the other sizes, see `Algorithm.sizes`.

    Raises:
        NtkexecError: no such algorithm, sizes that are not its own, or no program for split graphs.
    """
    from ntkexec import pipeline

    found = pipeline.find_algorithm(name)
    if split_degree is None:
        sizes = found.sizes(**given)
        return Sized(found, sizes, found.program(**sizes))
    from ntkexec.graphs.splitting import LEAST_DEGREE
    from ntkexec.programs.split_choice import SPLIT, split_name

    if name.endswith(SPLIT):
        raise NtkexecError(
            f"{name} is for split graphs by itself; --degree says at how many neighbours"
        )
    if found.split is None:
        why = "it computes on one node" if found.operands is not None else found.whole_because
        raise NtkexecError(f"{name} has no program for split graphs: {why} (docs/any-graph.md)")
    if split_degree < LEAST_DEGREE:
        raise NtkexecError(
            f"--split-degree is a number of neighbours from {LEAST_DEGREE} on (with 2 no tree has a branch), "
            f"not {split_degree}"
        )
    if given.get("degree") is not None:
        raise NtkexecError(
            f"--split-degree {split_degree} is the degree of the program; --degree goes without it"
        )
    found = found.sized_on_split or pipeline.find_algorithm(split_name(name))
    given["degree"] = split_degree
    sizes = found.sizes(**given)
    return Sized(found, sizes, found.program(**sizes))
