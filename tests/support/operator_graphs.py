"""Small random graphs of operators, for the tests of operator fusion."""

from hypothesis import strategies as st

from experiments.systems.op_fusion.graph import Op, OpGraph, Read, Tensor


@st.composite
def graphs(draw, most=7, whole=True):
    """Small networks: every operator reads one or two earlier tensors, by windows or as a whole.

    All tensors have equally many rows, so strides are one and kernels keep the height.
    """
    num, rows = draw(st.integers(2, most)), draw(st.integers(1, 6))
    ops = []
    for v in range(num):
        sources = draw(st.sets(st.integers(max(-1, v - 3), v - 1), min_size=1, max_size=2))
        reads = []
        for source in sorted(sources):
            reach = draw(st.integers(0, 2))
            everything = whole and draw(st.integers(0, 9)) == 0
            reads.append(Read(source, 2 * reach + 1, 1, reach, everything))
        width, weights = draw(st.integers(1, 20)), draw(st.integers(0, 60))
        ops.append(Op("op", Tensor(rows, width), tuple(reads), weights, draw(st.integers(1, 4))))
    read = {r.source for op in ops for r in op.reads}
    return OpGraph(
        tuple(ops), (Tensor(rows, 5),), frozenset(v for v in range(num) if v not in read)
    )
