"""NetLLM: a frozen language model answers networking tasks, between encoders and heads."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.language.netllm.abr import Video as Video
    from experiments.language.netllm.abr import qoe as qoe
    from experiments.language.netllm.abr import stream as stream
    from experiments.language.netllm.adapting import Adapted as Adapted
    from experiments.language.netllm.adapting import Backbone as Backbone
    from experiments.language.netllm.adapting import adapt as adapt
    from experiments.language.netllm.cluster import played as played
    from experiments.language.netllm.encoder import Encoder as Encoder
    from experiments.language.netllm.encoder import Modality as Modality
    from experiments.language.netllm.head import Head as Head
    from experiments.language.netllm.jobs import Workload as Workload
    from experiments.language.netllm.links import Links as Links
    from experiments.language.netllm.rivals import buffer_based as buffer_based
    from experiments.language.netllm.rivals import robust_mpc as robust_mpc
    from experiments.language.netllm.scheduling import lower_bound as lower_bound
    from experiments.language.netllm.streaming import Streaming as Streaming
    from experiments.language.netllm.streaming import collect as collect
    from experiments.language.netllm.streaming import play as play
    from experiments.language.netllm.tasks import Foretelling as Foretelling
    from experiments.language.netllm.tasks import Scheduling as Scheduling
    from experiments.language.netllm.viewport import wrapped_error as wrapped_error

__all__, __getattr__, __dir__ = lazy(
    __name__,
    abr=("Video", "qoe", "stream"),
    adapting=("Adapted", "Backbone", "adapt"),
    cluster=("played",),
    encoder=("Encoder", "Modality"),
    head=("Head",),
    jobs=("Workload",),
    links=("Links",),
    rivals=("buffer_based", "robust_mpc"),
    scheduling=("lower_bound",),
    streaming=("Streaming", "collect", "play"),
    tasks=("Foretelling", "Scheduling"),
    viewport=("wrapped_error",),
)
