"""What is measured of DiskGNN: bytes of policies, bits of what is trained, accuracy, memory, overlap."""

import functools

from experiments.harness.study import Studies
from experiments.systems.diskgnn.settings import DiskGnnConfig
from experiments.systems.diskgnn.study_reading import four_policies, ordering, overlap
from experiments.systems.diskgnn.study_training import accuracy, in_small_memory, training

STUDIES = Studies(
    configs={
        "quick": DiskGnnConfig(),
        "standard": DiskGnnConfig(
            read_nodes=20_000,
            read_batches=60,
            nodes=50_000,
            batches=200,
            tested=20_000,
            gowalla_train=6000,
        ),
    },
    tiny=DiskGnnConfig(
        read_nodes=600,
        read_batches=10,
        read_batch=12,
        space=1.8,
        delayed=10,
        nodes=600,
        batches=4,
        batch=16,
        hidden=8,
        epochs=2,
        stressed_epochs=2,
        tested=100,
        real_fanout=2,
        gowalla_train=80,
    ),
    functions={
        "reading": four_policies,
        "ordering": ordering,
        "overlap": overlap,
        "training": training,
        "accuracy": accuracy,
        "citeseer": functools.partial(in_small_memory, name="citeseer"),
        "gowalla": functools.partial(in_small_memory, name="gowalla"),
    },
    slow=("training", "accuracy", "citeseer", "gowalla"),
)
