"""One step of flooding: the kernel engine against `neural_tangents.predict` with Python encoding.

The rival does what one writes first: encode every node in a Python loop, ask neural-tangents for
the prediction on the standard basis, threshold it, and sum the messages in a Python loop over the
edges. Both must take the same states to the same next states.
"""

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np

from benchmarks import measure
from ntkexec import executor, graphs
from ntkexec.certifying import certify
from ntkexec.engines.kernel import kernel_engine
from ntkexec.engines.neural_tangents import predict
from ntkexec.programs.graph import flooding
from ntkexec.programs.instance import Instance
from ntkexec.theory.certificate import Certificate

NODES, DEGREE = 20, 3
STEPS = 1000


def rival_step(instance: Instance, certificate: Certificate, states: np.ndarray) -> np.ndarray:
    """The next states of all nodes, through neural-tangents; shape (n, k)."""
    program, padding = instance.program, certificate.problem.padding
    encoded = np.zeros((len(states), program.num_templates + padding), np.float32)
    count = np.zeros(len(states), int)
    for node, state in enumerate(states):
        for index, template in enumerate(program.templates):
            encoded[node, index] = all(state[bit] == value for bit, value in template.condition)
        count[node] = encoded[node].sum()
        encoded[node] /= max(1, count[node]) ** 0.5
    targets = np.pad(program.training_set()[1], ((0, padding), (0, 0)))
    means = np.asarray(predict(jnp.asarray(targets), jnp.asarray(encoded)).mean)
    bits = means > certificate.thresholds[:, count].T
    after = bits.copy()
    split = program.layout.num_computation_bits
    edges = instance.graph.tuple
    for sender, receiver in zip(edges.senders, edges.receivers, strict=True):
        after[receiver, split:] |= bits[sender, split:]
    return after


def run() -> dict[str, Any]:
    """Seconds a step of each, on the same graph.

    Raises:
        AssertionError: the two disagree on some step.
    """
    graph = graphs.load(f"random-regular:n={NODES},d={DEGREE},seed=0")
    message = flooding.Message.parse("1011")
    instance = flooding.instance(graph, sources=[0], message=message)
    certificate = certify(
        instance.program, kind="joint", num_decisions=instance.num_decisions, instance=instance
    )
    engine = kernel_engine(certificate)
    trace = executor.execute(
        engine, instance.program, instance.graphs, num_steps=instance.num_steps, trace=True
    ).trace
    assert trace is not None
    for before, after in itertools.pairwise(trace):
        assert (rival_step(instance, certificate, before) == after).all()

    def ours() -> float:
        return executor.execute(
            engine, instance.program, instance.graphs, num_steps=STEPS, verify=False
        ).run_seconds

    ours()
    ours_seconds = float(np.median([ours() for _ in range(5)])) / STEPS
    rival_seconds = measure.seconds(
        lambda: rival_step(instance, certificate, trace[instance.num_steps // 2]), repeat=5
    )
    return {
        "nodes": NODES,
        "degree": DEGREE,
        "templates": instance.program.num_templates,
        "padding": certificate.problem.padding,
        "kernel_seconds_a_step": ours_seconds,
        "rival_seconds_a_step": rival_seconds,
        "ratio": rival_seconds / ours_seconds,
    }
