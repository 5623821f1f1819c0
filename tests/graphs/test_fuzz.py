"""Damaged graph files, options and specs: read as independent readers read them, or refused.

Never a traceback, never another graph. The quick share runs with the suite; `-m slow` runs the long one.
"""

import functools
import io
import json
import pathlib
import random
import re
import zipfile

import networkx as nx
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from support import graph_readings

from ntkexec.errors import GraphError
from ntkexec.graphs import generators, load, parse, read
from ntkexec.graphs.generators import spec as spec_module
from ntkexec.graphs.io.formats import suffix_of

# What has gone wrong before, or could: names, numbers, marks and pieces of every format.
TOKENS = [
    *(
        b"#",
        b'"',
        b"'",
        b",",
        b";",
        b"\t",
        b" ",
        b"\n",
        b"\r",
        b"\r\n",
        b"\0",
        b"\x1b[31m",
        b"\x85",
    ),
    *(
        b"\xc2\xa0",
        b"\xe2\x80\xa8",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xff",
        b"\xc3\xa9",
        b"%",
        b"//",
    ),
    *(
        b"0",
        b"1",
        b"2",
        b"-1",
        b"+1",
        b"007",
        b"1.5",
        b"2.9",
        b"1e3",
        b"1d3",
        b"0x10",
        b"1_0",
        b"nan",
    ),
    *(b"inf", b"-3", b"1e999", b"99999999999999999999", b"10000000", b"true", b"false", b"null"),
    *(
        b"a",
        b"b",
        b"Route 66",
        b"owl#Afford",
        b"source",
        b"target",
        b"weight",
        b"directed",
        b"graph",
    ),
    *(b"<graph>", b"</graph>", b"<node/>", b'<node id="a">', b"</node>", b'<edge source="a"/>'),
    *(
        b"<!--",
        b"-->",
        b"&amp;",
        b"&#27;",
        b"node [ id 7 ]",
        b"edge [",
        b"]",
        b"[",
        b"{",
        b"}",
        b":",
    ),
    *(b"pattern", b"integer", b"real", b"symmetric", b"general", b"skew-symmetric", b"complex"),
]


def saved(save, *args, **kwargs):
    file = io.BytesIO()
    save(file, *args, **kwargs)
    return file.getvalue()


@functools.cache
def seeds():
    """One small file of every kind, by name; of names, since the suffix chooses the reader."""
    weighted = nx.Graph()
    weighted.add_weighted_edges_from([(0, 1, 5), (1, 2, 1), (2, 0, 9), (2, 3, 0.5)])
    arcs = nx.DiGraph(weighted.edges(data=True))
    named = nx.relabel_nodes(weighted, dict(enumerate("abcd")))
    sparse = nx.to_scipy_sparse_array(arcs)
    integers = scipy.sparse.coo_array(np.array([[0, 5, 0], [0, 0, 1], [9, 0, 0]]))
    link = functools.partial(nx.node_link_data, edges="edges")
    return {
        "integers.txt": b"# a comment\n0 1\n1 2\n2 0\n3 3\n",
        "weights.txt": b"0 1 5\n1 2 1\n2 0 9 # last\n",
        "tabs.txt": b"# Directed graph: x\n0\t1\n1\t2\n2\t0\n",
        "names.edges": b"http://a/x http://a/o#A\nhttp://a/y http://a/o#B\n",
        "blanks.txt": b"Route 66\t7\nRoute 7\t8\n",
        "commas.csv": b'"a",b,1\na,"c d",2.5\nc d,d,3\n',
        "semicolons.csv": b"a;b\nb;c\nc;a\n",
        "spaced.txt": b"1, 2, 7\n2, 3, 8\n",
        "g.graphml": "\n".join(nx.generate_graphml(named)).encode(),
        "arcs.graphml": "\n".join(nx.generate_graphml(arcs)).encode(),
        "g.gml": "\n".join(nx.generate_gml(named)).encode(),
        "arcs.gml": "\n".join(nx.generate_gml(nx.MultiDiGraph(arcs))).encode(),
        "g.json": json.dumps(link(named), indent=0).encode(),
        "multi.json": json.dumps(link(nx.MultiDiGraph(arcs)), indent=0).encode(),
        "integer.mtx": saved(scipy.io.mmwrite, integers),
        "real.mtx": saved(scipy.io.mmwrite, sparse + sparse.T),
        "pattern.mtx": saved(scipy.io.mmwrite, integers, field="pattern"),
        "dense.mtx": saved(scipy.io.mmwrite, integers.toarray()),
        "g.npy": saved(np.save, integers.toarray()),
        "float.npy": saved(np.save, sparse.toarray().astype(np.float32)),
        "dense.npz": saved(np.savez, integers.toarray()),
        "csr.npz": saved(scipy.sparse.save_npz, sparse.tocsr()),
        "coo.npz": saved(scipy.sparse.save_npz, integers),
        "dia.npz": saved(scipy.sparse.save_npz, sparse.todia()),
    }


def mutant(rng, data, *, depth=3):
    """A few words, bytes or lines of a file flipped, cut, doubled, swapped, or replaced by something bad."""
    for _ in range(rng.choice([1, 1, 1, *range(1, depth + 1)])):
        words = list(re.finditer(rb"[\w.-]+", data))
        if words and rng.random() < 0.5:
            # A word for another of the same file, or for a number: most formats survive that.
            word = rng.choice(words)
            other = rng.choice(
                [rng.choice(words)[0], rng.choice(TOKENS), b"%d" % rng.randint(0, 5)]
            )
            data = data[: word.start()] + other + data[word.end() :]
            continue
        place, end = sorted(rng.choices(range(len(data) + 1), k=2))
        lines = data.split(b"\n")
        i, j = rng.choices(range(len(lines)), k=2)
        kind = rng.randrange(9)
        if kind == 0 and data:
            place = min(place, len(data) - 1)
            flipped = data[place] ^ 1 << rng.randrange(8)
            data = data[:place] + bytes([flipped]) + data[place + 1 :]
        elif kind == 1:
            data = data[:place] + data[min(end, place + 8) :]
        elif kind in (2, 3):
            data = data[:place] + rng.choice(TOKENS) + data[place:]
        elif kind == 4:
            token = rng.choice(TOKENS)
            data = data[:place] + token + data[place + len(token) :]
        elif kind == 5:
            data = b"\n".join([*lines[: i + 1], lines[j], *lines[i + 1 :]])
        elif kind == 6:
            lines[i], lines[j] = lines[j], lines[i]
            data = b"\n".join(lines)
        elif kind == 7:
            data = b"\n".join([*lines[:i], *lines[i + 1 :]])
        elif rng.random() < 0.2:
            data = data[:place]
    return data


def zip_mutant(rng, data):
    """The same of one array of an archive, its checksums made right again."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        arrays = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(arrays))
    if rng.random() < 0.1:
        del arrays[name]
    else:
        header = arrays[name].index(b"\n") + 1
        body = arrays[name][header:]
        # A flipped value is read, a flipped header is refused: more of the first.
        if body and rng.random() < 0.6:
            place = rng.randrange(len(body))
            body = body[:place] + bytes([body[place] ^ 1 << rng.randrange(8)]) + body[place + 1 :]
            arrays[name] = arrays[name][:header] + body
        else:
            arrays[name] = mutant(rng, arrays[name], depth=1)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            archive.writestr(name, array)
    return file.getvalue()


def assert_fit_to_show(error):
    assert str(error).isprintable()
    assert len(str(error)) < 900


def check(path, *, directed=None):
    """Whether a file was read, which it must be as others read it; GraphError is the other way."""
    data = path.read_bytes()
    try:
        graph = read(path, directed=directed)
    except GraphError as error:
        assert_fit_to_show(error)
        with pytest.raises(GraphError):
            load(path, directed=directed, self_loops="drop")
        return False
    found = graph_readings.of_networkx(graph)
    reader = graph_readings.READERS[suffix_of(path)]
    is_list = reader is graph_readings.of_edge_list
    assert found in reader(data, bool(directed) if is_list else directed, path.name), data
    if len(graph) == 0:
        return True
    # The way without a networkx graph gives the same, but for what is dropped.
    loaded = load(path, directed=directed, self_loops="drop")
    is_directed, names, edges = graph_readings.of_networkx(loaded.to_networkx())
    kept = {ends for ends in found[2] if len(set(ends)) == 2}
    assert (is_directed, names, edges.keys()) == (found[0], found[1], kept), data
    weights = {ends: found[2][ends] for ends in kept}
    is_whole = all(
        w is not None and w.denominator == 1 and abs(w) < 2**31 for w in weights.values()
    )
    try:
        loaded = load(path, directed=directed, self_loops="drop", weight="weight")
    except GraphError:
        loops = [w for ends, w in found[2].items() if ends not in kept]
        assert not is_whole or any(w is None or w < 0 for w in loops), data
    else:
        assert graph_readings.of_networkx(loaded.to_networkx())[2] == weights, data
    return True


def fuzz(folder, *, seed, number):
    """How many of so many mutants of every file are read."""
    folder.mkdir()
    num_read = 0
    for name, data in seeds().items():
        rng = random.Random(f"{seed} {name}")
        for _ in range(number):
            damaged = zip_mutant(rng, data) if name.endswith(".npz") else mutant(rng, data)
            (folder / name).write_bytes(damaged)
            num_read += check(folder / name, directed=rng.choice([None, None, True, False]))
    return num_read


def test_every_undamaged_file_is_read(tmp_path):
    for name, data in seeds().items():
        (tmp_path / name).write_bytes(data)
        assert check(tmp_path / name), name


def test_a_damaged_file_is_read_as_others_read_it_or_refused(tmp_path):
    number = 40
    num_read = fuzz(tmp_path / "files", seed=0, number=number)
    # Neither way is empty, or there would be nothing to compare.
    assert 0.15 < num_read / (number * len(seeds())) < 0.85


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
def test_many_damaged_files_are_read_as_others_read_them_or_refused(tmp_path, seed):
    fuzz(tmp_path / "files", seed=seed, number=250)


# Inputs that once ended in a traceback, in another graph, or in no time at all.
CORPUS = {
    "comment.txt": b"http://ex.org/a http://ex.org/owl#Afford\nhttp://ex.org/b http://ex.org/owl#R\n",
    "quoted.csv": b'"a",b\na,"c"\nc,d\n',
    "blanks.txt": b"Route 66\t7\nRoute 7\t8\n",
    "song.txt": b"a\tSong #9\nb\tSong #7\n",
    "mixed.txt": b"1 2\n3, 4\n",
    "breaks.txt": b"a\x0bb c\nd\x1ce f\n",
    "sign.txt": b"% asym\n1 2\n",
    "nested.graphml": (
        b'<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="undirected">'
        b'<node id="n0"/><node id="n5"><graph edgedefault="undirected"><node id="n5::n0"/>'
        b'<node id="n5::n1"/><edge source="n5::n0" target="n5::n1"/></graph></node>'
        b'<edge source="n0" target="n5::n0"/></graph></graphml>'
    ),
    "two.graphml": (
        b'<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph><node id="a"/></graph>'
        b'<graph><node id="c"/></graph></graphml>'
    ),
    "none.graphml": (
        b'<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph><node id="a"/>'
        b'<edge source="a"/></graph></graphml>'
    ),
    "latin.graphml": (
        b'<?xml version="1.0" encoding="ISO-8859-1"?><graphml '
        b'xmlns="http://graphml.graphdrawing.org/xmlns"><graph><node id="M\xfcller"/></graph></graphml>'
    ),
    "zero.mtx": b"%%MatrixMarket matrix coordinate integer general\n3 3 3\n1 2 5\n2 3 0\n1 3 9\n",
    "cut.mtx": b"%%MatrixMarket matrix coordinate integer general\n2 2 1\n1 2 2.9\n",
    "fortran.mtx": b"%%MatrixMarket matrix coordinate real general\n2 2 1\n1 2 1d3\n",
    "extra.mtx": b"%%MatrixMarket matrix coordinate pattern general\n2 2 1\n1 2 5\n",
    "both.mtx": b"%%MatrixMarket matrix coordinate integer symmetric\n2 2 2\n2 1 5\n1 2 5\n",
    "large.mtx": b"%%MatrixMarket matrix coordinate integer general\n10000000 10000000 0\n",
    "marked.csv": b"\xef\xbb\xbfa,b\nb,c\n",
    "marked.json": b'\xef\xbb\xbf{"nodes": [{"id": 0}, {"id": 1}], "edges": [{"source": 0, "target": 1}]}',
    "flag.json": b'{"directed": "false", "nodes": [{"id": 0}], "edges": []}',
    "twice.json": b'{"nodes": [{"id": 0}], "edges": [], "edges": [{"source": 0, "target": 0}]}',
    "deep.json": b"[" * 100_000,
    "control.txt": b"a\x1b[31m b\nb c\n",
    # As an integer, a large float has digits that its shortest decimal has not.
    "huge.npy": saved(np.save, np.array([[0, 6.64e20], [0, 0]], np.float32)),
    # Asked for a weight that it does not have, a graph with parallel edges ended in a traceback.
    "parallel.json": b'{"multigraph": true, "nodes": [{"id": 0}, {"id": 1}], "edges": '
    b'[{"source": 0, "target": 1}, {"source": 1, "target": 0}]}',
}
READ = {
    *("comment.txt", "quoted.csv", "blanks.txt", "latin.graphml", "zero.mtx", "marked.csv"),
    *("marked.json", "control.txt", "parallel.json", "huge.npy"),
}


@pytest.mark.parametrize("name", CORPUS)
def test_what_once_went_wrong_is_read_or_refused(tmp_path, name):
    (tmp_path / name).write_bytes(CORPUS[name])
    assert check(tmp_path / name) == (name in READ)


# Options of loading.

OPTIONS = {
    "weight": [None, "weight", "cost", "", "\x1b"],
    "degree": [None, 0, 1, 2, 100, -1, 2**31, 10**30],
    "strategy": ["largest_first", "parallel", "best", ""],
    "self_loops": ["drop", "refuse", "keep"],
    "directed": [None, True, False],
    "weight_scale": [1, 1, 2, 10, 10**9, 0, -1, 10**30],
    "label": [None, "x" * 1000, "\x1b"],
}


def drawn_options(rng):
    names = rng.sample(list(OPTIONS), k=rng.randint(0, 4))
    return {name: rng.choice(OPTIONS[name]) for name in names}


def check_options(path, options):
    """Whether a graph was loaded, with the weights that were asked for."""
    try:
        graph = load(path, **options)
    except GraphError as error:
        assert_fit_to_show(error)
        return False
    given = graph_readings.of_networkx(read(path, directed=options.get("directed")))
    found = graph_readings.of_networkx(graph.to_networkx())
    kept = {ends: w for ends, w in given[2].items() if len(set(ends)) == 2}
    scale = options.get("weight_scale", 1)
    asked = options.get("weight") is not None
    assert found[:2] == given[:2]
    assert found[2] == {ends: w * scale if asked else None for ends, w in kept.items()}
    assert options.get("degree") is None or graph.degree <= options["degree"]
    return True


def test_any_options_give_the_graph_that_was_asked_for_or_are_refused(tmp_path):
    rng = random.Random(0)
    names = sorted(seeds())
    num_read = 0
    for _ in range(400):
        name = rng.choice(names)
        (tmp_path / name).write_bytes(seeds()[name])
        num_read += check_options(tmp_path / name, drawn_options(rng))
    assert 50 < num_read < 350


# Specs of generators.

PIECES = [
    *(
        "karate",
        "grid:",
        "path:",
        "tree:",
        "gnp:",
        "random-regular:",
        "star:",
        "n=",
        "d=",
        "p=",
        "r=",
    ),
    *(
        "seed=",
        "weights=",
        "directed=",
        "connected=",
        "rows=",
        "0",
        "1",
        "3",
        "10",
        "x",
        ",",
        "=",
        ":",
    ),
    *(
        "..",
        "-",
        "+",
        ".",
        "1e3",
        "0.5",
        "nan",
        "inf",
        "99999999999",
        "\u0663",
        " ",
        "\n",
        "\x1b",
        "0..3",
    ),
]


def spec_mutant(rng, spec):
    numbers = list(re.finditer(r"[0-9.]+", spec))
    if numbers and rng.random() < 0.8:
        found = rng.choice(numbers)
        other = rng.choice(["0", "1", "2", "3", "5", "8", "20", "0.3", "-1", "1e3", "10000000", ""])
        spec = spec[: found.start()] + other + spec[found.end() :]
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        place = rng.randint(0, len(spec))
        end = min(len(spec), place + rng.choice([0, 0, 1, 2]))
        spec = spec[:place] + rng.choice(["", *PIECES]) + spec[end:]
    return spec


def fuzz_specs(*, seed, number):
    """How many of so many mutants of every generator's example are graphs."""
    num_made = 0
    for generator in generators.describe():
        rng = random.Random(f"{seed} {generator.name}")
        for _ in range(number):
            spec = spec_mutant(rng, generator.example)
            try:
                graph = parse(spec)
            except GraphError as error:
                assert_fit_to_show(error)
                continue
            num_made += 1
            assert nx.utils.graphs_equal(graph, parse(spec)), spec
            made = generators.GENERATORS[generators.name_of(spec)]
            values = spec_module.parse_arguments(made, spec.partition(":")[2])
            if "n" in values:
                assert sorted(graph) == list(range(values["n"])), spec
            if made.name in ("random-bounded", "random-regular"):
                assert max(degree for _, degree in graph.degree) <= max(values["d"], 0), spec
            if values["weights"] is not None:
                low, high = values["weights"]
                assert all(low <= w <= high for *_, w in graph.edges(data="weight")), spec
            assert graph.is_directed() == bool(values["directed"]), spec
    return num_made


@pytest.fixture
def small(monkeypatch):
    """Graphs of a hundred nodes or so only, that thousands can be made."""
    monkeypatch.setattr(spec_module, "MAX_SIZE", 500)


def test_a_damaged_spec_is_a_graph_or_refused(small):
    number = 40
    made = fuzz_specs(seed=0, number=number)
    assert 0.1 < made / (number * len(generators.describe())) < 0.9


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_many_damaged_specs_are_graphs_or_refused(small, seed):
    fuzz_specs(seed=seed, number=500)


def test_the_name_of_a_file_may_be_anything(tmp_path):
    rng = random.Random(0)
    for _ in range(200):
        name = spec_mutant(rng, rng.choice(["g.txt", "a/b.mtx", "g.txt.gz", "..", "g.tar"]))
        for spec in (name + ".txt", pathlib.Path(tmp_path, name)):
            with pytest.raises(GraphError) as caught:
                load(spec)
            assert_fit_to_show(caught.value)
