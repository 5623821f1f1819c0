"""The words of options, without JAX, so that the library and the command line share them."""

from typing import Literal, get_args

Convention = Literal["zero", "shared", "bit"]
"""Where thresholds lie, see `ntkexec.theory.thresholds`."""

CONVENTIONS: tuple[Convention, ...] = get_args(Convention)

Draw = Literal["trained", "antisymmetric", "linearised", "gaussian"]
"""What becomes of initial weights, see `ntkexec.ensemble.EnsembleConfig`."""

DRAWS: tuple[Draw, ...] = get_args(Draw)

ALGORITHM_NAMES = (
    "flooding",
    "bfs",
    "bfs-queue",
    "dfs",
    "dfs-forest",
    "bellman-ford",
    "leader-election",
    "components",
    "spanning-tree",
    "bipartite",
    "eccentricity",
    "neighbourhood-size",
    "triangles",
    "greedy-colouring",
    "independent-set",
    "cole-vishkin",
    "rule-110",
    "life",
    "permute",
    "add",
    "multiply",
    "sbn",
)
"""Those of `ntkexec.programs.ALGORITHMS`, in their order."""
