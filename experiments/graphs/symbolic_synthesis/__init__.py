"""G-SSNN: networks in the shape of graphs that programs draw, and whether the shape or the seed matters."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.graphs.symbolic_synthesis.compression import compress as compress
    from experiments.graphs.symbolic_synthesis.controls import (
        intraclass_correlation as intraclass_correlation,
    )
    from experiments.graphs.symbolic_synthesis.enumeration import (
        enumerate_programs as enumerate_programs,
    )
    from experiments.graphs.symbolic_synthesis.language import Program as Program
    from experiments.graphs.symbolic_synthesis.language import graph_of_program as graph_of_program
    from experiments.graphs.symbolic_synthesis.language import interpret as interpret
    from experiments.graphs.symbolic_synthesis.network import GraphModule as GraphModule
    from experiments.graphs.symbolic_synthesis.population import population_fit as population_fit
    from experiments.graphs.symbolic_synthesis.rounds import synthesise as synthesise

__all__, __getattr__, __dir__ = lazy(
    __name__,
    compression=("compress",),
    controls=("intraclass_correlation",),
    enumeration=("enumerate_programs",),
    language=("Program", "graph_of_program", "interpret"),
    network=("GraphModule",),
    population=("population_fit",),
    rounds=("synthesise",),
)
