"""A program of somebody's own, and what it starts from."""

import networkx as nx
import numpy as np

from ntkexec import graphs
from ntkexec.program.program import Program

PATH = nx.path_graph(["a", "b", "c", "d"])
LOADED = graphs.load(PATH)


def flood():
    """Who is informed tells it in the own slot; a row that repeats and one that writes nothing.

    Bits: informed, one for each of 3 colours; messages: one for each of 3 colours.
    """
    rows, then = [{0: 1}, {0: 1}], [{0}, set()]
    for slot in range(3):
        rows += [{1 + slot: 1}, {0: 1, 1 + slot: 1}, {4 + slot: 1}]
        then += [{1 + slot}, {4 + slot}, {0}]
    conditions = [[row.get(bit, -1) for bit in range(7)] for row in rows]
    targets = [[bit in one for bit in range(7)] for one in then]
    return Program.from_arrays(conditions, targets, message_start=4, name="tell")


def start():
    states = np.zeros((4, 7), bool)
    states[0, 0] = True
    states[np.arange(4), 1 + LOADED.colours] = True
    return states
