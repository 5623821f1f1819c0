"""Small typed graphs, and writers of them in public formats that share nothing with the readers."""

from types import SimpleNamespace

import numpy as np
from scipy import sparse

from experiments.data.nodes import Split
from experiments.data.typed import TypedGraph


def graph(seed=0):
    """Twelve target nodes p, nine a, four s; links p-a, p-s; features of p alone, as in ACM."""
    drawn = np.random.default_rng(seed)
    sizes = {"p": 12, "a": 9, "s": 4}
    links = {}
    for pair, number in (("pa", 26), ("ps", 14)):
        ends = [drawn.integers(sizes[kind], size=number) for kind in pair]
        # The last node of each type is in some link, for sizes are read off the links.
        ends = [np.append(end, sizes[kind] - 1) for end, kind in zip(ends, pair)]
        links[pair] = {(int(u), int(v)) for u, v in zip(*ends)}
    features = (drawn.random((12, 7)) < 0.4).astype(np.float32)
    features[0, -1] = 1
    parts = [drawn.permutation(np.arange(12) % 4) for _ in range(3)]
    return SimpleNamespace(
        sizes=sizes,
        links=links,
        features={"p": features},
        target="p",
        labels=drawn.permutation(np.arange(12) % 3),
        splits=[(p == 0, p == 1, p == 2) for p in parts],
    )


def assembled(made, name="drawn"):
    """As the data room gives it."""
    return TypedGraph(
        name,
        made.sizes,
        {(pair[0], pair, pair[1]): np.array(sorted(links)) for pair, links in made.links.items()},
        made.features,
        made.target,
        made.labels,
        tuple(Split(*parts) for parts in made.splits),
    )


def same(found, made):
    """Asserts that a graph that was read is the one that was written."""
    assert dict(found.num_nodes) == made.sizes
    read = {relation[1]: pairs.tolist() for relation, pairs in found.relations.items()}
    assert read == {pair: sorted(map(list, links)) for pair, links in made.links.items()}
    assert found.target == made.target
    assert found.labels.tolist() == made.labels.tolist()
    assert set(found.features) == set(made.features)
    for kind, features in made.features.items():
        given = found.features[kind]
        given = given.toarray() if sparse.issparse(given) else given
        np.testing.assert_array_equal(given, features)
    for split, parts in zip(found.splits, made.splits, strict=True):
        for one, other in zip((split.train, split.validation, split.test), parts):
            assert one.tolist() == other.tolist()


def disordered(links, seed=1):
    """Links as files have them: in disorder, some twice."""
    pairs = np.array(sorted(links), np.int32)
    return np.random.default_rng(seed).permutation(np.concatenate([pairs, pairs[::3]]))


def listed(made):
    """The parts of the splits by the names that they have in the files."""
    return {
        f"{part}_{budget}": np.flatnonzero(mask).astype(np.int32)
        for budget, masks in zip((20, 40, 60), made.splits)
        for part, mask in zip(("train", "val", "test"), masks)
    }


def write_archive(path, made):
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = {f"edges_{pair}": disordered(links) for pair, links in made.links.items()}
    for kind, features in made.features.items():
        matrix = sparse.csr_matrix(features)
        for part in ("data", "indices", "indptr", "shape"):
            parts[f"{kind}_feat_{part}"] = np.asarray(getattr(matrix, part))
    np.savez_compressed(path, labels=made.labels, **parts, **listed(made))


def write_folder(folder, made):
    folder.mkdir(parents=True, exist_ok=True)
    for pair, links in made.links.items():
        lines = (f"{u}\t{v}\n" for u, v in disordered(links).tolist())
        (folder / f"{pair}.txt").write_text("".join(lines))
    for kind, features in made.features.items():
        sparse.save_npz(folder / f"{kind}_feat.npz", sparse.csr_matrix(features))
    np.save(folder / "labels.npy", made.labels)
    for part, nodes in listed(made).items():
        np.save(folder / f"{part}.npy", nodes)


def write_benchmark(folder, made):
    """HGB's text: types and relations by number, nodes of all types numbered together, in disorder."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = list(made.sizes)
    starts = dict(zip(kinds, np.cumsum([0, *made.sizes.values()]).tolist()))
    lines = []
    for number, kind in enumerate(kinds):
        for node in range(made.sizes[kind]):
            words = [str(starts[kind] + node), f"{kind}{node}", str(number)]
            if kind in made.features:
                words.append(",".join(map(str, made.features[kind][node].tolist())))
            lines.append("\t".join(words))
    order = np.random.default_rng(3).permutation(len(lines))
    (folder / "node.dat").write_text("".join(f"{lines[i]}\n" for i in order))
    lines = [
        f"{starts[pair[0]] + u}\t{starts[pair[1]] + v}\t{number}\t1.0\n"
        for number, (pair, links) in enumerate(made.links.items())
        for u, v in disordered(links).tolist()
    ]
    (folder / "link.dat").write_text("".join(lines))
    train, validation, test = made.splits[0]
    for file, nodes in (("label.dat", train | validation), ("label.dat.test", test)):
        lines = (f"{starts['p'] + i}\tp{i}\t0\t{made.labels[i]}\n" for i in np.flatnonzero(nodes))
        (folder / file).write_text("".join(lines))
