"""Graphs from files: the suffix chooses the reader, and every failure is a `GraphError`."""

import codecs
import gzip
import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import networkx as nx

from ntkexec.errors import GraphError
from ntkexec.graphs.adjacency import read_mtx, read_npy, read_npz
from ntkexec.graphs.edge_arrays import EdgeArrays
from ntkexec.graphs.edge_list import parse_edge_list, with_integer_names
from ntkexec.graphs.integer_edges import read_integer_edges
from ntkexec.graphs.suggest import did_you_mean

Read = TypeVar("Read")


def read(path: str | os.PathLike[str]) -> nx.Graph:
    """The graph in a file.

    Suffixes: .txt, .edges, .edgelist and .csv are edge lists (`edge_list.parse_edge_list`);
    .graphml; .gml; .json is networkx's node-link format; .npy and .npz hold an adjacency matrix
    (`adjacency.from_matrix`), the latter dense or as scipy.sparse.save_npz writes it; .mtx is
    Matrix Market. All but .npy and .npz may be compressed, with .gz appended. Nothing is ever
    unpickled.

    Names that are all text of integers become integers, except in .json, which can tell them apart.

    Args:
        path: the file.

    Returns:
        A networkx graph, its weights, if any, as the edge attribute "weight" (or as the file names
        them: .graphml, .gml, .json).

    Raises:
        GraphError: there is no such file, its suffix is unknown, or its content is not what the
            suffix promises; names the file, the place in it where known, and what was expected.
    """
    found = _read(Path(path), SUFFIXES)
    return found.to_networkx() if isinstance(found, EdgeArrays) else found


def read_edges(path: str | os.PathLike[str]) -> EdgeArrays | None:
    """The graph in a file as arrays, without a networkx graph on the way.

    Args:
        path: the file, as for `read`.

    Returns:
        None if only `read` can tell: for .graphml, .gml and .json, and for edge lists in which
        something but integers occurs.

    Raises:
        GraphError: as `read`.
    """
    return _read(Path(path), _EDGE_READERS)


def _read(path: Path, readers: Mapping[str, Callable[[Path], Read]]) -> Read:
    suffix = suffix_of(path)
    if path.is_dir():
        raise GraphError(f"{path} is a directory; expected a graph file ({KNOWN})")
    if suffix not in SUFFIXES:
        raise GraphError(
            f"{path} has the suffix {suffix!r}; graph files end in {KNOWN}"
            f"{did_you_mean(suffix, SUFFIXES)}"
        )
    if not path.exists():
        raise GraphError(f"there is no file {path}")
    try:
        return readers[suffix](path)
    except GraphError:
        raise
    except UnicodeDecodeError as error:
        raise GraphError(f"{path} is not UTF-8 text; expected {suffix} content") from error
    except OSError as error:
        raise GraphError(f"{path} cannot be read: {error.strerror or error}") from error
    # Parsers of six formats raise what they like on bad content, KeyError to SyntaxError.
    except Exception as error:
        detail = (str(error).strip().splitlines() or [""])[0]
        detail = f"{detail} is missing" if isinstance(error, KeyError) else detail
        raise GraphError(
            f"{path} is not valid {suffix} content: {detail or type(error).__name__}"
        ) from error


def suffix_of(path: str | os.PathLike[str]) -> str:
    """The suffix in lower case, with the one before it if the file is compressed: `.mtx.gz`."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    return "".join(suffixes[-2:] if suffixes[-1:] == [".gz"] else suffixes[-1:])


def _bytes(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix.lower() == ".gz" else data


def _text(path: Path) -> str:
    return _bytes(path).decode("utf-8-sig")  # spreadsheets write a byte order mark


def _read_edge_list(path: Path) -> nx.Graph:
    return parse_edge_list(_text(path).splitlines(), str(path))


def _read_integer_edges(path: Path) -> EdgeArrays | None:
    return read_integer_edges(_bytes(path).removeprefix(codecs.BOM_UTF8))


def _only_by_networkx(path: Path) -> None:
    """Nothing of a file that networkx reads."""


def _read_graphml(path: Path) -> nx.Graph:
    graph = nx.read_graphml(io.BytesIO(_text(path).encode()))
    return with_integer_names(graph)


def _read_gml(path: Path) -> nx.Graph:
    graph = nx.parse_gml(_text(path).splitlines(), label=None)
    labels = nx.get_node_attributes(graph, "label")
    # Labels are names only if each node has its own.
    if len(labels) == len(graph) == len(set(map(str, labels.values()))):
        graph = nx.relabel_nodes(graph, {node: str(label) for node, label in labels.items()})
        for _, attributes in graph.nodes(data=True):
            del attributes["label"]
    return with_integer_names(graph)


def _read_node_link(path: Path) -> nx.Graph:
    try:
        data = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise GraphError(f"line {error.lineno} of {path} is not JSON: {error.msg}") from error
    keys = [key for key in ("edges", "links") if isinstance(data, dict) and key in data]
    if not keys or not isinstance(data.get("nodes"), list):
        raise GraphError(
            f"{path} is not a node-link graph; expected an object with the lists 'nodes' and "
            f"'edges' (or 'links')"
        )
    graph = nx.node_link_graph(data, edges=keys[0])
    if len(graph) != len(data["nodes"]):
        raise GraphError(
            f"{path} lists {len(data['nodes'])} nodes where its edges and names make {len(graph)}; "
            f"each node must be listed once"
        )
    return graph


_TEXT_READERS: dict[str, Callable[[Path], nx.Graph | EdgeArrays]] = {
    ".txt": _read_edge_list,
    ".edges": _read_edge_list,
    ".edgelist": _read_edge_list,
    ".csv": _read_edge_list,
    ".graphml": _read_graphml,
    ".gml": _read_gml,
    ".json": _read_node_link,
    ".mtx": read_mtx,
}
SUFFIXES: dict[str, Callable[[Path], nx.Graph | EdgeArrays]] = {
    **_TEXT_READERS,
    **{f"{suffix}.gz": reader for suffix, reader in _TEXT_READERS.items()},
    ".npy": read_npy,
    ".npz": read_npz,
}
_ARRAY_READERS: dict[
    Callable[[Path], nx.Graph | EdgeArrays], Callable[[Path], EdgeArrays | None]
] = {
    _read_edge_list: _read_integer_edges,
    read_mtx: read_mtx,
    read_npy: read_npy,
    read_npz: read_npz,
}
_EDGE_READERS: dict[str, Callable[[Path], EdgeArrays | None]] = {
    suffix: _ARRAY_READERS.get(reader, _only_by_networkx) for suffix, reader in SUFFIXES.items()
}
KNOWN = f"{', '.join((*_TEXT_READERS, '.npy', '.npz'))}; text also with .gz"
