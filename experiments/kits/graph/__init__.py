"""Graphs: from NumPy, networkx and SciPy to jraph, operators over their edges, baselines."""
