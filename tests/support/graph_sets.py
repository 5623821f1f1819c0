"""Small sets of graphs, and writers of them in public formats that share nothing with the readers."""

from types import SimpleNamespace

import numpy as np


def graphs(seed=0, number=20, classes=(3, 7)):
    """Random graphs as Python has them: links are pairs u < v in a set, tags and classes any numbers."""
    drawn = np.random.default_rng(seed)
    made = []
    for i in range(number):
        n = int(drawn.integers(2, 7))
        links = {tuple(sorted(pair)) for pair in drawn.integers(n, size=(n, 2)).tolist()}
        made.append(
            SimpleNamespace(
                size=n,
                links={(u, v) for u, v in links if u < v},
                tags=drawn.choice([5, 2, 11], n).tolist(),
                target=classes[i % 2],
            )
        )
    made[0].tags[:2] = [2, 11]
    return made


def write_one_file(folder, key, made, apart=False):
    """As DGCNN and GIN do, with folds in one file or apart."""
    folder.mkdir(parents=True)
    lines = [str(len(made))]
    for graph in made:
        lines.append(f"{graph.size} {graph.target}")
        for node in range(graph.size):
            near = [v if u == node else u for u, v in graph.links if node in (u, v)]
            lines.append(" ".join(map(str, [graph.tags[node], len(near), *near])))
    (folder / f"{key}.txt").write_text("\n".join(lines) + "\n")
    folds = np.arange(len(made)).reshape(10, -1).tolist()
    if apart:
        (folder / "10fold_idx").mkdir()
        for i, fold in enumerate(folds, 1):
            (folder / "10fold_idx" / f"test_idx-{i}.txt").write_text("\n".join(map(str, fold)))
    else:
        rows = "\n".join(" ".join(map(str, fold)) for fold in folds)
        (folder / "test_idx_10fold.txt").write_text(rows + "\n")


def write_folder(folder, key, made):
    """As TUDataset does, both ways, with labels of links 4 and 9."""
    folder.mkdir(parents=True)
    columns = {part: [] for part in ("A", "graph_indicator", "graph_labels", "node_labels",
                                     "edge_labels", "node_attributes")}  # fmt: skip
    start = 1
    for number, graph in enumerate(made, 1):
        for u, v in sorted(graph.links):
            columns["A"] += [f"{u + start}, {v + start}", f"{v + start}, {u + start}"]
            columns["edge_labels"] += ["9" if (u + v) % 2 else "4"] * 2
        columns["graph_indicator"] += [str(number)] * graph.size
        columns["graph_labels"].append(str(graph.target))
        columns["node_labels"] += map(str, graph.tags)
        columns["node_attributes"] += [f"{tag / 2}, -1.0" for tag in graph.tags]
        start += graph.size
    for part, rows in columns.items():
        (folder / f"{key}_{part}.txt").write_text("\n".join(rows) + "\n")


def write_molecules(path, made):
    """One archive, atoms and bonds one after another, and a split beside it."""
    path.parent.mkdir(parents=True)
    atoms = [tag for graph in made for tag in graph.tags]
    bonds = [pair for graph in made for pair in sorted(graph.links)]
    np.savez(
        path,
        atomic_num=np.array(atoms, np.uint8),
        formal_charge=np.array([-(atom % 2) for atom in atoms], np.int8),
        num_h=np.array(atoms, np.uint8),
        node_ptr=np.cumsum([0, *(graph.size for graph in made)]).astype(np.int32),
        edges=np.array(bonds, np.uint8)[:, ::-1],
        bond_type=np.array([1 + (u + v) % 2 for u, v in bonds], np.uint8),
        edge_ptr=np.cumsum([0, *(len(graph.links) for graph in made)]).astype(np.int32),
        target_names=np.array(["score"]),
        targets=np.array([[graph.target] for graph in made], np.float32),
    )
    split = "train,val,test\n0,1.0,2\n3,4.0,5\n6,,\n"
    path.with_name("micro_zinc_splits.csv").write_text(split)


def same(found, made):
    """Asserts that the graphs that were read are those that were written."""
    assert len(found.graphs) == len(made)
    for one, other in zip(found.graphs, made):
        assert one.num_nodes == other.size
        assert set(map(tuple, one.edges.tolist())) == other.links
        assert one.node_labels.tolist() == [[2, 5, 11].index(tag) for tag in other.tags]
