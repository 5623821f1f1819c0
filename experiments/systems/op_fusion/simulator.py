"""Row by row execution of a fused group: an independent route to the closed form of LBDF memory."""

from experiments.systems.op_fusion.graph import Group, OpGraph, members


def simulated_windows(graph: OpGraph, group: Group) -> dict[int, int]:
    """Most rows of each tensor that are on chip at once when a group is executed by demand.

    The sink asks for its rows in order; whoever is asked for a row first asks its operands for the
    rows of that row's window. A row is dropped when every reader has left it behind.

    Args:
        graph: the network.
        group: a group with one sink.
    """
    ops = list(members(group))
    (sink,) = [v for v in ops if not graph.successors[v] & group]
    made: dict[int, int] = {}
    progress = dict.fromkeys(ops, 0)
    peak: dict[int, int] = {}

    def lowest(t: int) -> int:
        """The first row of a tensor that some reader in the group still needs."""
        wanted = []
        for v, read in graph.consumers[t]:
            if group >> v & 1:
                finished = progress[v] >= graph.ops[v].output.rows
                row = 0 if read.whole else progress[v] * read.stride - read.padding
                wanted.append(graph.tensor(t).rows if finished else row)
        return max(0, min(wanted))

    def demand(t: int, row: int) -> None:
        while made.get(t, 0) <= min(row, graph.tensor(t).rows - 1):
            if t >= 0 and group >> t & 1:
                produce(t)
            else:
                made[t] = made.get(t, 0) + 1

    def produce(v: int) -> None:
        row = progress[v]
        for read in graph.ops[v].reads:
            end = graph.tensor(read.source).rows - 1
            last = end if read.whole else row * read.stride - read.padding + read.kernel - 1
            demand(read.source, last)
        for read in graph.ops[v].reads:
            t = read.source
            peak[t] = max(peak.get(t, 0), made.get(t, 0) - min(lowest(t), made.get(t, 0)))
        progress[v] += 1
        made[v] = progress[v]

    for _ in range(graph.ops[sink].output.rows):
        produce(sink)
    return peak
