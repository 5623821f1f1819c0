"""GNNPipe: layers of a deep graph network on devices one after another, chunks of its graph through them."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.systems.gnnpipe.chunked import history_bias as history_bias
    from experiments.systems.gnnpipe.layouts import Layout as Layout
    from experiments.systems.gnnpipe.layouts import cut as cut
    from experiments.systems.gnnpipe.layouts import lay_out as lay_out
    from experiments.systems.gnnpipe.networks import Network as Network
    from experiments.systems.gnnpipe.parallel import graph_parallel_step as graph_parallel_step
    from experiments.systems.gnnpipe.pipeline import Epoch as Epoch
    from experiments.systems.gnnpipe.pipeline import by_stage as by_stage
    from experiments.systems.gnnpipe.pipeline import pipeline_step as pipeline_step
    from experiments.systems.gnnpipe.pipeline import problem_of as problem_of
    from experiments.systems.gnnpipe.pipeline import whole as whole
    from experiments.systems.gnnpipe.planning import plan_parallelism as plan_parallelism
    from experiments.systems.gnnpipe.training import train_by_chunks as train_by_chunks

__all__, __getattr__, __dir__ = lazy(
    __name__,
    chunked=("history_bias",),
    layouts=("Layout", "cut", "lay_out"),
    networks=("Network",),
    parallel=("graph_parallel_step",),
    pipeline=("Epoch", "by_stage", "pipeline_step", "problem_of", "whole"),
    planning=("plan_parallelism",),
    training=("train_by_chunks",),
)
