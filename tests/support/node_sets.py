"""Small graphs with classes, and writers of them in public formats that share nothing with the readers."""

import gzip
import json
import pickle
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
from scipy import sparse


def graph(seed=0, number=12, classes=3, width=7, splits=10):
    """A random graph with binary features; links are pairs u < v in a set, as Python has them."""
    drawn = np.random.default_rng(seed)
    links = {tuple(sorted(pair)) for pair in drawn.integers(number, size=(3 * number, 2)).tolist()}
    labels = np.concatenate([np.arange(classes), drawn.integers(classes, size=number - classes)])
    features = (drawn.random((number, width)) < 0.4).astype(float)
    features[0, -1] = 1
    parts = [drawn.permutation(np.arange(number) % 4) for _ in range(splits)]
    return SimpleNamespace(
        features=features,
        labels=drawn.permutation(labels),
        links={(u, v) for u, v in links if u < v},
        splits=[(p == 0, p == 1, p == 2) for p in parts],
    )


def citations(seed=0):
    """One that Planetoid's files can hold: 12 + 500 + 8 nodes, 5 to test with, 2 without any part."""
    made = graph(seed, 12 + 500 + 8 + 7, splits=0)
    number = len(made.labels)
    gaps = [number - 4, number - 3]
    test = np.delete(np.arange(number - 7, number), [3, 4])
    made.features[gaps], made.labels[gaps] = 0, -1
    made.links.add((40, gaps[0]))
    places = np.arange(number)
    made.splits = [(places < 12, (places >= 12) & (places < 512), np.isin(places, test))]
    made.test = np.random.default_rng(seed).permutation(test)
    return made


def same(found, made):
    """Asserts that a graph that was read is the one that was written."""
    features = (
        found.features if isinstance(found.features, np.ndarray) else found.features.toarray()
    )
    assert found.features.dtype == np.float32
    np.testing.assert_array_equal(features, made.features)
    np.testing.assert_array_equal(found.dense, made.features)
    assert found.labels.tolist() == made.labels.tolist()
    assert list(map(tuple, found.edges.tolist())) == sorted(made.links)
    assert len(found.splits) == len(made.splits)
    for split, parts in zip(found.splits, made.splits):
        for one, other in zip((split.train, split.validation, split.test), parts):
            assert one.tolist() == other.tolist()


def both_ways(made, seed=1):
    """Links as files have them: disordered, in both directions or one, some twice, and a loop."""
    drawn = np.random.default_rng(seed)
    pairs = np.array(sorted(made.links))
    turned = np.where(drawn.random(len(pairs))[:, None] < 0.5, pairs, pairs[:, ::-1])
    return drawn.permutation(np.concatenate([turned, pairs[::2, ::-1], [[2, 2]]]))


def neighbours(made):
    found = defaultdict(list)
    for u, v in sorted(made.links):
        found[u].append(v)
        found[v].append(u)
    found[2].append(2)
    return found


PYTHON_2 = ((b"scipy.sparse._csr", b"scipy.sparse.csr"), (b"numpy._core", b"numpy.core"))


def write_pickles(folder, name, made, protocol=2):
    """`ind.*`; of protocol 2 with the names of modules that Python 2 used."""
    folder.mkdir(parents=True, exist_ok=True)
    known = len(made.labels) - 7
    one_hot = np.where(made.labels[:, None] == np.arange(3), 1, 0)
    parts = {"": np.arange(12), "t": made.test, "all": np.arange(known)}
    for part, rows in parts.items():
        matrix = sparse.csr_matrix(made.features[rows].astype(np.float32))
        for end, what in ((f"{part}x", matrix), (f"{part}y", one_hot[rows])):
            put(folder / f"ind.{name}.{end}", what, protocol)
    put(folder / f"ind.{name}.graph", neighbours(made), protocol)
    (folder / f"ind.{name}.test.index").write_text("".join(f"{i}\n" for i in made.test))


def put(path, what, protocol):
    written = pickle.dumps(what, protocol)
    for new, old in PYTHON_2 if protocol <= 2 else ():
        written = written.replace(new, old)
    path.write_bytes(written)


def write_citations(path, made):
    path.parent.mkdir(parents=True, exist_ok=True)
    x = sparse.csr_matrix(made.features)
    (train, validation, test) = map(np.flatnonzero, made.splits[0])
    np.savez_compressed(
        path,
        **{f"x_{part}": getattr(x, part) for part in ("data", "indices", "indptr", "shape")},
        edges=both_ways(made).astype(np.int32),
        y=made.labels,
        train_idx=train,
        val_idx=validation,
        test_idx=test,
    )


def write_archive(path, made):
    path.parent.mkdir(parents=True, exist_ok=True)
    train, validation, test = (np.stack(masks) for masks in zip(*made.splits))
    np.savez_compressed(
        path,
        node_features=made.features.astype(np.float32),
        node_labels=made.labels,
        edges=both_ways(made),
        train_masks=train,
        val_masks=validation,
        test_masks=test,
    )


def write_dump(folder, key, made, *, indices=False):
    """Geom-GCN's text, nodes in disorder; with `indices` as it has Actor."""
    (folder / "new_data" / key).mkdir(parents=True, exist_ok=True)
    (folder / "splits").mkdir(exist_ok=True)
    lines = ["node_id\tfeature\tlabel"]
    for node in np.random.default_rng(2).permutation(len(made.labels)):
        row = made.features[node]
        words = np.flatnonzero(row)[::-1] if indices else row.astype(int)
        lines.append(f"{node}\t{','.join(map(str, words.tolist()))}\t{made.labels[node]}")
    (folder / "new_data" / key / "out1_node_feature_label.txt").write_text("\n".join(lines) + "\n")
    lines = ["node_id\tnode_id", *(f"{u}\t{v}" for u, v in both_ways(made).tolist())]
    (folder / "new_data" / key / "out1_graph_edges.txt").write_text("\n".join(lines) + "\n")
    write_splits(folder, key, made)


def write_splits(folder, key, made):
    (folder / "splits").mkdir(parents=True, exist_ok=True)
    for i, (train, validation, test) in enumerate(made.splits):
        np.savez(
            folder / "splits" / f"{key}_split_0.6_0.2_{i}.npz",
            train_mask=train.astype(np.uint8),
            val_mask=validation.astype(np.uint8),
            test_mask=test.astype(np.uint8),
        )


def links_matrix(made):
    u, v = np.array(sorted(made.links)).T
    number = len(made.labels)
    return sparse.csr_matrix((np.ones(len(u)), (u, v)), shape=(number, number))


def write_benchmark(path, made):
    path.parent.mkdir(parents=True, exist_ok=True)
    matrices = {"adj": links_matrix(made), "attr": sparse.csr_matrix(made.features)}
    np.savez(
        path,
        **{
            f"{name}_{part}": getattr(matrix, part)
            for name, matrix in matrices.items()
            for part in ("data", "indices", "indptr", "shape")
        },
        labels=made.labels,
        # As the public files have them: objects, which only a pickle can hold.
        node_names=np.array([f"node {i}" for i in range(len(made.labels))], object),
    )


def write_saint(folder, made, *, lists=False):
    folder.mkdir(parents=True, exist_ok=True)
    matrix = links_matrix(made)
    sparse.save_npz(folder / "adj_full.npz", matrix + matrix.T)
    np.save(folder / "feats.npy", made.features)
    roles = dict(zip(("tr", "va", "te"), (np.flatnonzero(p).tolist() for p in made.splits[0])))
    (folder / "role.json").write_text(json.dumps(roles))
    classes = {
        str(i): [int(c == label) for c in range(3)] if lists else int(label)
        for i, label in enumerate(made.labels)
    }
    (folder / "class_map.json").write_text(json.dumps(classes))


def write_ogb(folder, scheme, made, *, packed=True):
    tables = {
        "raw/edge": both_ways(made).tolist(),
        "raw/node-feat": made.features.tolist(),
        "raw/node-label": [["nan" if label < 0 else label] for label in made.labels],
    }
    for name, mask in zip(("train", "valid", "test"), made.splits[0]):
        tables[f"split/{scheme}/{name}"] = [[node] for node in np.flatnonzero(mask)]
    for name, rows in tables.items():
        path = folder / f"{name}.csv{'.gz' if packed else ''}"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(",".join(map(str, row)) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(text) if packed else text)
