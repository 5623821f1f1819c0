"""Arithmetic from examples that are logarithmically many in the inputs, exact on all inputs."""

import functools

import numpy as np

from ntkexec import executor, pipeline
from ntkexec.check import Check, Measurement, Scale
from ntkexec.programs.arithmetic import add, one_node


def measure(scale: Scale, drop: int = 0) -> Measurement:
    """Pairs of numbers whose sum the learned update gets wrong, in the mean.

    Args:
        scale: length of the numbers.
        drop: steps left out at the end, for counter-cases.
    """
    bits = {"quick": 4, "standard": 6, "full": 10}[scale]
    pairs = np.arange(4**bits)
    graph = one_node.nodes([int(pair) for pair in pairs], label="pairs")
    a, b = (column.tolist() for column in (pairs >> bits, pairs & ((1 << bits) - 1)))
    instance = add.prepare(graph, a=a, b=b, bits=bits)
    certificate = pipeline.certify(instance.program, num_decisions=1)
    execution = executor.execute(
        pipeline.make_engine("kernel", certificate),
        instance.program,
        instance.graphs,
        num_steps=instance.num_steps - drop,
        verify=False,
    )
    found = instance.decode(execution.states)["sum"]
    return Measurement(
        int((found != (pairs >> bits) + (pairs & ((1 << bits) - 1))).sum()),
        details={"inputs": len(pairs), "examples": instance.program.num_templates},
    )


CHECK = Check(
    name="arithmetic",
    claim="addition of b-bit numbers, learned from 3 b + 2 examples, is exact on all 4^b inputs",
    formula=r"\#\text{examples} = 3 b + 2 = \tfrac{3}{2} \log_2 \#\text{inputs} + 2",
    source="add in ntkexec.programs.arithmetic",
    how="wrong sums over all pairs of numbers of 4 (quick), 6 or 10 bits, by the kernel engine",
    bound=0,
    bound_from="the claim is exact",
    measure=measure,
    broken=functools.partial(measure, drop=2),
)
