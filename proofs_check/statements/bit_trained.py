"""Trained joint networks, without padding, are exact with a threshold for each bit and few of them."""

from typing import Any

from ntkexec.check import Check, Measurement, Scale
from ntkexec.complexity import collect, random_instances
from ntkexec.complexity.margins import margins_of
from ntkexec.complexity.sampling import exact_prefixes
from ntkexec.ensemble import EnsembleConfig
from ntkexec.program.problem import LearningProblem
from ntkexec.vocabulary import Convention

DELTA = 1e-3
# By program: degree, word, graphs, nodes, weights of edges.
SETTINGS: dict[str, tuple[int, int, int, tuple[int, int], tuple[int, int]]] = {
    "flooding": (2, 1, 100, (5, 12), (0, 3)),
    "bfs": (3, 5, 50, (5, 8), (0, 3)),
    "dfs": (3, 4, 20, (4, 6), (0, 3)),
    "bellman-ford": (3, 4, 10, (4, 5), (0, 1)),
}
QUICK = ("flooding",)
# Width, and ensembles of each program with networks of their own.
SIZES: dict[Scale, tuple[int, int]] = {
    "quick": (1024, 3),
    "standard": (3072, 3),
    "full": (4096, 10),
}


def measure(scale: Scale, convention: Convention = "bit") -> Measurement:
    """Ensembles with a wrong decision, of as many networks as the theorem says for each bit's own.

    Args:
        scale: which programs, and how many ensembles.
        convention: of the thresholds with which they decide.
    """
    width, repeat = SIZES[scale]
    wrong, table = 0, {}
    for name, (degree, word, graphs, nodes, weights) in SETTINGS.items():
        if scale == "quick" and name not in QUICK:
            continue
        instances = random_instances(
            name,
            degree=degree,
            word=word,
            num_graphs=graphs,
            nodes=nodes,
            weights=weights,
            seed=0,
        )
        cases = collect(LearningProblem(instances[0].program, "joint"), instances)
        members = margins_of(cases, "bit").members_for(DELTA)
        config = EnsembleConfig(members=members, width=width, seed=1)
        prefixes = exact_prefixes(margins_of(cases, convention), config, repeat)
        failed = int((~prefixes.exact[:, -1]).sum())
        wrong += failed
        row: dict[str, Any] = {
            "n0": int(cases.problem.num_inputs.max()),
            "decisions": sum(part.matched_writers.size for part in cases.components),
            "networks": members,
            "ensembles": repeat,
            "with a wrong decision": failed,
        }
        table[name] = row
    return Measurement(wrong, details={"width": width} | table)


def measure_shared(scale: Scale) -> Measurement:
    """The same networks with one threshold for all bits."""
    return measure(scale, "shared")


CHECK = Check(
    name="bit-trained",
    claim="as many trained joint networks as the union bound says are exact, without padding",
    source="theory of thresholds for each bit; ntkexec.theory.thresholds",
    how="ensembles with a wrong decision in any state that executions on random graphs visit, "
    "flooding D = 2 (quick), BFS, DFS and Bellman-Ford D = 3 too; delta = 0.001",
    bound=0,
    bound_from="the claim",
    measure=measure,
    broken=measure_shared,
    formula=r"N = \min\{N : \textstyle\sum_d \bar\Phi(\sqrt{N} g_d/\sigma_d) \le \delta\}",
)
