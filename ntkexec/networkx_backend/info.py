"""What networkx is told of the backend when it is imported: names and defaults, and no more."""

NAME = "ntkexec"

DISTANCES = (
    "single_source_shortest_path_length",
    "single_target_shortest_path_length",
    "all_pairs_shortest_path_length",
    "has_path",
    "shortest_path_length",
    "bfs_layers",
    "descendants_at_distance",
    "descendants",
    "ancestors",
    "eccentricity",
)
"""By `bfs`, or `bellman-ford` where `shortest_path_length` is given a weight."""

BREADTH_FIRST = (
    "bfs_edges",
    "bfs_tree",
    "bfs_predecessors",
    "bfs_successors",
    "single_source_shortest_path",
)
"""By `bfs-queue`."""

DEPTH_FIRST = (
    "dfs_edges",
    "dfs_tree",
    "dfs_predecessors",
    "dfs_successors",
    "dfs_preorder_nodes",
    "dfs_postorder_nodes",
)
"""By `dfs`, and without a source by `dfs-forest`."""

WEIGHTED = (
    "single_source_bellman_ford_path_length",
    "single_source_bellman_ford_path",
    "single_source_bellman_ford",
    "all_pairs_bellman_ford_path_length",
    "bellman_ford_path",
    "bellman_ford_path_length",
    "bellman_ford_predecessor_and_distance",
    "negative_edge_cycle",
    "single_source_dijkstra_path_length",
    "multi_source_dijkstra_path_length",
    "dijkstra_path_length",
)
"""By `bellman-ford`."""

COMPONENTS = (
    "node_connected_component",
    "connected_components",
    "number_connected_components",
    "is_connected",
    "weakly_connected_components",
    "number_weakly_connected_components",
    "is_weakly_connected",
    "is_bipartite",
)
"""By `components` and `bipartite`."""

FUNCTIONS = (*DISTANCES, *BREADTH_FIRST, *DEPTH_FIRST, *WEIGHTED, *COMPONENTS)

SPLITTABLE = (*DISTANCES, *DEPTH_FIRST, *WEIGHTED)
"""Whose programs run on split graphs."""

DEFAULTS = {
    "engine": "kernel",
    "verify": True,
    "max_degree": None,
    "max_steps": 100_000,
    "split_degree": None,
}
"""Of the options that stand in `nx.config.backends.ntkexec`; `PARAMETERS` says what they mean."""

PARAMETERS = {
    "engine : str": "How the learned update is evaluated: 'kernel' (the mean of infinitely many networks "
    "in closed form, the default), 'ensemble' (networks that are trained for the call), or another "
    "engine of ntkexec.",
    "verify : bool": "Compare every step with the program itself, and raise where a bit differs.",
    "max_degree : int or None": "Largest degree that is run; None for what takes seconds.",
    "max_steps : int": "Most steps of message passing that are run.",
    "split_degree : int or None": "Split nodes of more neighbours into trees, from 3 on, whatever the degree "
    "of the graph; None for the graph as it is. By breadth-first search in the order of a queue, and for "
    "components, split graphs are not run.",
    "others": "Any option of `ntkexec.run`, such as `members`, `width` or `trained`.",
}


def get_info() -> dict[str, object]:
    """The entry point `networkx.backend_info`."""
    return {
        "backend_name": NAME,
        "project": NAME,
        "package": "ntkexec.networkx_backend",
        "short_summary": "Exact answers by learned node updates, with their certificate",
        "description": "Runs message passing whose local update is learned, and certified.",
        "functions": {name: {"additional_parameters": dict(PARAMETERS)} for name in FUNCTIONS},
        "default_config": dict(DEFAULTS),
    }
