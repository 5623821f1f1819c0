"""Graphs from files: the suffix chooses the reader, and every failure is a `GraphError`."""

import codecs
import logging
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import networkx as nx

from ntkexec.errors import GraphError, clean, did_you_mean, shown
from ntkexec.graphs.io.array_files import read_npy, read_npz
from ntkexec.graphs.io.content import check_file, content_of, place_of, text_of
from ntkexec.graphs.io.edge_arrays import EdgeArrays
from ntkexec.graphs.io.edge_list import parse_edge_list, with_integer_names
from ntkexec.graphs.io.gml import parse_gml
from ntkexec.graphs.io.graphml import parse_graphml
from ntkexec.graphs.io.integer_edges import read_integer_edges
from ntkexec.graphs.io.matrix_market import read_mtx
from ntkexec.graphs.io.node_link import parse_node_link

LOG = logging.getLogger("ntkexec")
Read = TypeVar("Read")
# A header that calls its graph directed: "# Directed graph: web.txt", but not "undirected".
_DIRECTED = re.compile(
    r"(?<!un)(?<!un-)(?<!non)(?<!non-)(?<!not )(?<![a-z])directed", re.IGNORECASE
)
_HEADER_LENGTH = 100_000


def read(path: str | os.PathLike[str], *, directed: bool | None = None) -> nx.Graph:
    """The graph in a file.

    Suffixes: .txt, .edges, .edgelist and .csv are edge lists (`edge_list.parse_edge_list`);
    .graphml; .gml; .json is networkx's node-link format; .npy and .npz hold an adjacency matrix
    (`adjacency.from_matrix`), the latter dense or as scipy.sparse.save_npz writes it; .mtx is
    Matrix Market. All but .npy and .npz may be compressed, with .gz appended. Text is in UTF-8, or in
    the encoding that a byte order mark or an XML declaration names. Nothing is ever unpickled.

    Names that are all text of integers become integers, except in .json, which can tell them apart.

    Args:
        path: the file.
        directed: whether the edges of a list lead from the first name to the second, which the file
            cannot say; for a matrix, whether they lead from row to column even if it is symmetric.
            Other formats say themselves, and must agree. None: lists are undirected (a word on
            stderr if a header calls the graph directed), and others are what they say.

    Returns:
        A networkx graph, its weights, if any, as the edge attribute "weight" (or as the file names
        them: .graphml, .gml, .json), with all their digits.

    Raises:
        GraphError: there is no such file, its suffix is unknown, or its content is not what the
            suffix promises; names the file, the place in it where known, and what was expected.
    """
    found = _read(Path(path), SUFFIXES, directed)
    graph = found.to_networkx() if isinstance(found, EdgeArrays) else found
    check_direction(graph, directed, place_of(Path(path)))
    return graph


def read_edges(path: str | os.PathLike[str], *, directed: bool | None = None) -> EdgeArrays | None:
    """The graph in a file as arrays, without a networkx graph on the way.

    Args:
        path: the file, as for `read`.
        directed: as for `read`.

    Returns:
        None if only `read` can tell: for .graphml, .gml and .json, and for edge lists in which
        something but integers occurs.

    Raises:
        GraphError: as `read`.
    """
    return _read(Path(path), _EDGE_READERS, directed)


def check_direction(graph: nx.Graph, directed: bool | None, place: str) -> None:
    """Raises GraphError if a graph is of the other kind than was asked for."""
    if directed is not None and graph.is_directed() != directed:
        is_, other = (
            ("directed", "undirected") if graph.is_directed() else ("undirected", "directed")
        )
        raise GraphError(
            f"{place} says that it is {is_}; {other} edges can be asked of edge lists and matrices, "
            f"which do not say"
        )


def _read(
    path: Path,
    readers: Mapping[str, Callable[[Path, bool | None], Read]],
    directed: bool | None,
) -> Read:
    suffix, place = suffix_of(path), place_of(path)
    try:
        if path.is_dir():
            raise GraphError(f"{place} is a directory; expected a graph file ({KNOWN})")
        if suffix not in SUFFIXES:
            raise GraphError(
                f"{place} has the suffix {shown(suffix)}; graph files end in {KNOWN}"
                f"{did_you_mean(suffix, SUFFIXES)}"
            )
        check_file(path)
        return readers[suffix](path, directed)
    except GraphError:
        raise
    except OSError as error:
        raise GraphError(f"{place} cannot be read: {error.strerror or error}") from error
    # Parsers of six formats raise what they like on bad content, KeyError to SyntaxError.
    except Exception as error:
        # All lines of it: the last of them may be the hint.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        detail = clean("; ".join(lines))
        detail = f"{detail} is missing" if isinstance(error, KeyError) else detail
        raise GraphError(
            f"{place} is not valid {suffix} content: {detail or type(error).__name__}"
        ) from error


def suffix_of(path: str | os.PathLike[str]) -> str:
    """The suffix in lower case, with the one before it if the file is compressed: `.mtx.gz`."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    return "".join(suffixes[-2:] if suffixes[-1:] == [".gz"] else suffixes[-1:])


def _read_edge_list(path: Path, directed: bool | None) -> nx.Graph:
    place, text = place_of(path), text_of(content_of(path), place_of(path))
    graph = parse_edge_list(
        text, place, directed=bool(directed), commas=suffix_of(path).startswith(".csv")
    )
    _say_direction(text[:_HEADER_LENGTH], directed, place)
    return graph


def _read_integer_edges(path: Path, directed: bool | None) -> EdgeArrays | None:
    data = content_of(path).removeprefix(codecs.BOM_UTF8)
    edges = read_integer_edges(data, directed=bool(directed))
    if edges is not None:
        _say_direction(data[:_HEADER_LENGTH].decode("latin-1"), directed, place_of(path))
    return edges


def _say_direction(text: str, directed: bool | None, place: str) -> None:
    """A word if an edge list calls itself directed, and nobody said how to read it."""
    if directed is not None:
        return
    for line in re.split(r"[\r\n]+", text):
        if line.strip() and not line.lstrip().startswith("#"):
            return
        if _DIRECTED.search(line):
            LOG.warning(
                "%s says %s, but is read as undirected; --directed (directed=True) keeps the "
                "directions of its edges, --undirected says that this is meant",
                place,
                shown(line.strip("# \t")),
            )
            return


def _only_by_networkx(path: Path, directed: bool | None) -> None:
    """Nothing of a file that networkx reads."""


def _read_graphml(path: Path, directed: bool | None) -> nx.Graph:
    return with_integer_names(parse_graphml(content_of(path), place_of(path)))


def _read_gml(path: Path, directed: bool | None) -> nx.Graph:
    place = place_of(path)
    return with_integer_names(parse_gml(text_of(content_of(path), place), place))


def _read_node_link(path: Path, directed: bool | None) -> nx.Graph:
    place = place_of(path)
    return parse_node_link(text_of(content_of(path), place), place)


def _read_mtx(path: Path, directed: bool | None) -> EdgeArrays:
    return read_mtx(path, directed=directed)


def _read_npy(path: Path, directed: bool | None) -> EdgeArrays:
    return read_npy(path, directed=directed)


def _read_npz(path: Path, directed: bool | None) -> EdgeArrays:
    return read_npz(path, directed=directed)


Reader = Callable[[Path, bool | None], nx.Graph | EdgeArrays]
_TEXT_READERS: dict[str, Reader] = {
    ".txt": _read_edge_list,
    ".edges": _read_edge_list,
    ".edgelist": _read_edge_list,
    ".csv": _read_edge_list,
    ".graphml": _read_graphml,
    ".gml": _read_gml,
    ".json": _read_node_link,
    ".mtx": _read_mtx,
}
SUFFIXES: dict[str, Reader] = {
    **_TEXT_READERS,
    **{f"{suffix}.gz": reader for suffix, reader in _TEXT_READERS.items()},
    ".npy": _read_npy,
    ".npz": _read_npz,
}
_ARRAY_READERS: dict[Reader, Callable[[Path, bool | None], EdgeArrays | None]] = {
    _read_edge_list: _read_integer_edges,
    _read_mtx: _read_mtx,
    _read_npy: _read_npy,
    _read_npz: _read_npz,
}
_EDGE_READERS: dict[str, Callable[[Path, bool | None], EdgeArrays | None]] = {
    suffix: _ARRAY_READERS.get(reader, _only_by_networkx) for suffix, reader in SUFFIXES.items()
}
KNOWN = f"{', '.join((*_TEXT_READERS, '.npy', '.npz'))}; text also with .gz"
"""Suffixes of graph files, for messages."""
