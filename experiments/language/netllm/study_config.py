"""Sizes of all studies."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class NetConfig:
    """Sizes of all studies, for each seed.

    Args:
        blocks, width: of the tiny decoder.
        rank: of low-rank weights.
        pretraining: steps of the tiny decoder on algorithmic text.
        abr_window: chunks that a bitrate is chosen by; the public code has 20.
        abr_episodes: played by several policies, from which is learned.
        abr_steps: of adaptation.
        abr_batch: windows a step.
        abr_rate: the largest of adaptation.
        abr_tested: traces on which policies are compared.
        abr_states: random ones for which answers are asked.
        real_blocks: of the real model, the first ones; 0 leaves its studies out.
        real_steps, real_batch, real_window, real_rate: of its adaptation to bitrates.
        real_tested: traces on which it plays.
        memory_blocks: of the model whose memory is counted, of the width of Llama 2 7B; 0 has all 32.
        memory_arms: 2 with checkpointing, 4 with and without.
        view_stride: samples between windows that are learned from; the public code has 15.
        view_steps, view_batch, view_rate: of adaptation to viewports.
        view_real_steps, view_real_batch, view_real_rate: the same of the real model.
        cluster_jobs, cluster_executors: of a workload.
        cluster_pause: mean milliseconds between jobs.
        cluster_learned, cluster_tested: workloads to learn from and to compare on.
        cluster_slots: candidates that are seen.
        cluster_steps, cluster_batch, cluster_rate: of adaptation to schedules.
    """

    blocks: int = 3
    width: int = 48
    rank: int = 8
    pretraining: int = 120
    abr_window: int = 3
    abr_episodes: int = 160
    abr_steps: int = 300
    abr_batch: int = 16
    abr_rate: float = 3e-3
    abr_tested: int = 60
    abr_states: int = 3400
    real_blocks: int = 0
    real_steps: int = 240
    real_batch: int = 8
    real_window: int = 3
    real_rate: float = 1e-3
    real_tested: int = 20
    memory_blocks: int = 0
    memory_arms: int = 2
    view_stride: int = 5
    view_steps: int = 400
    view_batch: int = 32
    view_rate: float = 1e-2
    view_real_steps: int = 180
    view_real_batch: int = 16
    view_real_rate: float = 3e-3
    cluster_jobs: int = 10
    cluster_executors: int = 10
    cluster_pause: float = 20_000.0
    cluster_learned: int = 8
    cluster_tested: int = 8
    cluster_slots: int = 16
    cluster_steps: int = 300
    cluster_batch: int = 32
    cluster_rate: float = 2e-2

    def __post_init__(self) -> None:
        check_types(self)
        for name in (
            "blocks", "width", "rank", "pretraining", "abr_window", "abr_episodes", "abr_steps",
            "abr_batch", "abr_tested", "abr_states", "real_steps", "real_batch", "real_window",
            "real_tested",
        ):  # fmt: skip
            require(self, **{name: getattr(self, name) > 0})
        require(self, abr_rate=self.abr_rate > 0, real_rate=self.real_rate > 0)
        require(self, real_blocks=self.real_blocks >= 0, memory_blocks=self.memory_blocks >= 0)
        require(self, memory_arms=2 <= self.memory_arms <= 4)
        for name in (
            "view_stride", "view_steps", "view_batch", "view_rate", "view_real_steps",
            "view_real_batch", "view_real_rate", "cluster_jobs", "cluster_executors", "cluster_pause",
            "cluster_learned", "cluster_tested", "cluster_slots", "cluster_steps", "cluster_batch",
            "cluster_rate",
        ):  # fmt: skip
            require(self, **{name: getattr(self, name) > 0})


QUICK = NetConfig(
    pretraining=90, abr_episodes=128, abr_steps=200, abr_tested=48, view_steps=300, cluster_learned=6,
    cluster_tested=6, cluster_steps=200,
)  # fmt: skip
STANDARD = NetConfig(real_blocks=4, real_rate=3e-3, memory_arms=4)
TINY = NetConfig(
    blocks=2, width=16, pretraining=2, abr_episodes=8, abr_steps=3, abr_batch=4, abr_tested=3,
    abr_states=50, abr_window=2, memory_blocks=1, view_stride=150, view_steps=2, view_batch=2,
    cluster_jobs=3, cluster_executors=3, cluster_learned=1, cluster_tested=1, cluster_slots=4,
    cluster_steps=2, cluster_batch=2,
)  # fmt: skip
