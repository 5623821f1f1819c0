"""One pass over a typed graph, before any training: tensors of regular shape, a row for each target."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int64

from experiments.data.typed import Relation, TypedGraph
from experiments.graphs.rphgnn.squashing import Rows, named, project, random_squash, unit_rows
from experiments.kits.typed.operators import operator, reverse_of, with_reverses
from ntkexec.errors import ExperimentError, shown

if TYPE_CHECKING:
    from scipy import sparse

Scheme = Literal["all", "odd", "even"]
Groups: TypeAlias = dict[str, Float[np.ndarray, "n k d"]]
ODD, EVEN, SELF = "odd", "even", "self"


@dataclasses.dataclass(frozen=True)
class Iteration:
    """One propagate-then-update iteration.

    Args:
        inputs: x of each type before it.
        heard: for each type, what it collects, by `group_name`.
    """

    inputs: Mapping[str, Rows]
    heard: Mapping[str, Mapping[str, Rows]]


@dataclasses.dataclass(frozen=True)
class Collected:
    """What all target nodes have collected; a mini-batch is a choice of rows.

    Args:
        groups: (n, K, d) by `group_name`: a slice for each iteration, and the target's own features
            before those of even groups if they were asked for; `self` may be there.
        products: of a relation's operator with features, in all.
        projections: of features with a random matrix, in all.
    """

    groups: Groups
    products: int
    projections: int

    @property
    def numbers(self) -> int:
        """Numbers stored."""
        return sum(group.size for group in self.groups.values())


class Walks:
    """The operators of a typed graph and for each the one that leads back.

    Args:
        graph: relations get reverses; one within a type, such as citations, none: its even step
            goes forwards again, as in the public code.
        dtype: of the operators.
        returns: whether relations within a type get a reverse, too, so that all even steps go back.
    """

    def __init__(
        self, graph: TypedGraph, dtype: Any = np.float32, *, returns: bool = False
    ) -> None:
        pairs = with_reverses(graph, same_type=returns)
        sizes = graph.num_nodes
        self.products = 0
        self.operators: dict[Relation, sparse.csr_array] = {
            relation: operator(links, sizes[relation[0]], sizes[relation[2]]).astype(dtype)
            for relation, links in pairs.items()
        }
        self.back = {relation: _back(relation, pairs) for relation in pairs}

    def odd(self, relation: Relation, x: Rows) -> Rows:
        """What the relation's receivers hear: the mean over its senders."""
        self.products += 1
        return np.asarray(self.operators[relation] @ x)

    def even(self, relation: Relation, heard: Rows) -> Rows:
        """What its senders hear back, of what `odd` gave."""
        return self.odd(self.back[relation], heard)

    def stays(self, relation: Relation) -> Float[np.ndarray, " n"]:
        """For each sender, the probability to be met again after both steps."""
        forth, back = self.operators[relation], self.operators[self.back[relation]]
        return np.asarray(back.multiply(forth.T).sum(1)).reshape(-1)


def _back(relation: Relation, pairs: Mapping[Relation, Int64[np.ndarray, "m 2"]]) -> Relation:
    if reverse_of(relation) in pairs:
        return reverse_of(relation)
    links = pairs[relation][:, ::-1]
    turned = links[np.lexsort((links[:, 1], links[:, 0]))]
    for other, found in pairs.items():
        if (other[2], other[0]) == (relation[0], relation[2]) and np.array_equal(found, turned):
            return other
    return relation  # within one type: there is no other way


def group_name(parity: str, relation: Relation) -> str:
    """Such as `even p-pa-a`: two hops, from p along pa to a and back."""
    return f"{parity} {'-'.join(relation)}"


def inputs_of(
    graph: TypedGraph,
    *,
    generator: np.random.Generator,
    width: int,
    project_features: bool = False,
    use_all_feat: bool = True,
    dtype: Any = np.float32,
) -> dict[str, Rows]:
    """First features of each type: given ones, or a standard normal draw over sqrt(width).

    Args:
        graph: any.
        generator: one draw is taken, whatever the graph is.
        width: of what is drawn.
        project_features: whether given ones are projected to that width, too, rows of length 1.
        use_all_feat: otherwise only the target's are used, as the public code does for Freebase.
        dtype: of the result.
    """
    seed, found = int(generator.integers(2**32)), {}
    for kind, number in graph.num_nodes.items():
        given = graph.features.get(kind) if use_all_feat or kind == graph.target else None
        draw = named(seed, kind)
        if given is None:
            x: Any = draw.normal(size=(number, width)) / np.sqrt(width)
        elif project_features:
            x = unit_rows(project(given, width, draw))
        else:
            x = given if isinstance(given, np.ndarray) else given.toarray()
        found[kind] = x.astype(dtype)
    return found


def iterate(
    graph: TypedGraph,
    walks: Walks,
    inputs: Mapping[str, Rows],
    *,
    generator: np.random.Generator,
    squash: str = "sparse",
    squash_width: int = 0,
    scheme: Scheme = "all",
    squash_self: bool = False,
) -> Iterator[Iteration]:
    """Iterations without end: all types hear, what they heard is squashed, and is said next.

    Args:
        graph: of the target and the types' order.
        walks: the graph's.
        inputs: of the first iteration.
        generator: one draw for each iteration after the first.
        squash: as for `random_squash`.
        squash_width: of what all types say from the second iteration on; 0 for the width of each
            type's inputs, as in the public code. Of slices of several widths the narrower ones are
            filled with zeros.
        scheme: hears odd steps, even steps, or both.
        squash_self: whether a type's own features are squashed with what it hears.
    """
    current = dict(inputs)
    widths = {kind: squash_width or x.shape[1] for kind, x in inputs.items()}
    while True:
        heard: dict[str, dict[str, Rows]] = {kind: {} for kind in graph.num_nodes}
        for relation in walks.operators:
            source, _, target = relation
            odd = walks.odd(relation, current[source])
            if scheme != EVEN:
                heard[target][group_name(ODD, relation)] = odd
            if scheme != ODD:
                heard[source][group_name(EVEN, relation)] = walks.even(relation, odd)
        yield Iteration(current, heard)
        seed, following = int(generator.integers(2**32)), {}
        for kind, parts in heard.items():
            own = {SELF: current[kind]} if squash_self else {}
            if not parts and not own:  # of no relation: it has nothing to forget for
                following[kind] = current[kind]
                continue
            following[kind] = random_squash(
                parts | own, widths[kind], generator=named(seed, kind), squash=squash
            )
        current = following


def collect(
    graph: TypedGraph,
    iterations: int,
    *,
    generator: np.random.Generator,
    width: int = 64,
    project_features: bool = False,
    use_all_feat: bool = True,
    use_input: bool = True,
    self_group: bool = False,
    squash: str = "sparse",
    squash_width: int = 0,
    scheme: Scheme = "all",
    squash_self: bool = False,
    returns: bool = False,
    dtype: Any = np.float32,
) -> Collected:
    """All that the target's nodes hear in some iterations, relation by relation; nothing is trained.

    Args:
        graph: relations get reverses. Each collects twice in an iteration: the mean over senders
            (odd, one hop), and the mean back along it (even, two hops).
        iterations: K, at least 1.
        generator: draws features and projections, by names of types and relations, so that their
            order does not matter.
        width, project_features, use_all_feat: as for `inputs_of`.
        use_input: whether even groups begin with the target's own features; the public scripts have
            it off for DBLP and Freebase.
        self_group: whether the target's given features, not projected, are a group of one slice.
        squash, squash_width, scheme, squash_self: as for `iterate`. With `odd` the public script doubles K.
        returns: as for `Walks`.
        dtype: of everything; the public code stores float16.

    Raises:
        ExperimentError: there is no iteration, or nobody speaks to the target.

    Source: Hu, Hooi and He, arXiv:2310.14481, Relation-wise Neighbor Collection and the Even-odd
        Propagation Scheme; as in CrawlScript/RpHGNN.
    """
    if iterations < 1:
        raise ExperimentError(f"something is heard in at least one iteration, not in {iterations}")
    walks = Walks(graph, dtype, returns=returns)
    inputs = inputs_of(
        graph, generator=generator, width=width, project_features=project_features,
        use_all_feat=use_all_feat, dtype=dtype,
    )  # fmt: skip
    steps = iterate(
        graph, walks, inputs, generator=generator, squash=squash, squash_width=squash_width,
        scheme=scheme, squash_self=squash_self,
    )  # fmt: skip
    slices: dict[str, list[Rows]] = {}
    heard = [next(steps).heard for _ in range(iterations)]
    for name in heard[0][graph.target]:
        own = [inputs[graph.target]] if use_input and name.startswith(EVEN) else []
        slices[name] = own + [one[graph.target][name] for one in heard]
    if not slices:
        raise ExperimentError(f"no relation reaches the target {shown(graph.target)}")
    groups = {name: _stacked(found) for name, found in slices.items()}
    if self_group and (given := graph.features.get(graph.target)) is not None:
        raw = given if isinstance(given, np.ndarray) else given.toarray()
        groups[SELF] = raw[:, None].astype(dtype)
    squashed = sum(len(parts) for one in heard[:-1] for parts in one.values())
    return Collected(groups, walks.products, squashed if squash not in ("sum", "concat") else 0)


def _stacked(slices: list[Rows]) -> Float[np.ndarray, "n k d"]:
    """Slices side by side, narrower ones filled with zeros."""
    made = np.zeros((len(slices[0]), len(slices), max(x.shape[1] for x in slices)), slices[0].dtype)
    for place, x in enumerate(slices):
        made[:, place, : x.shape[1]] = x
    return made


def collect_labels(
    graph: TypedGraph, known: Bool[np.ndarray, " n"], *, returns: bool = True
) -> Groups:
    """One iteration of labels, in which no node hears its own: an even group for each relation.

    Labels of known nodes are one-hot, all others say each class alike. Of what comes back in two steps,
    a node's own share q is taken out, `(h - q x) / (1 - q)`; a node that hears nobody else gets the
    uniform vector. Groups of relations within the target's type are odd, too.

    Args:
        graph: labels are taken.
        known: of the target's nodes, those whose labels may be used: those trained on.
        returns: as for `Walks`; the public code, where even steps of citations go forwards twice, takes
            the q of steps that return for them, which leaves some of a node's own label in.

    Returns:
        (n, 1, classes) in doubles, by `group_name`.

    Source: label propagation in CrawlScript/RpHGNN.
    """
    if not known.any() or (graph.labels[known] < 0).any():
        raise ExperimentError("labels are spread from nodes that have one, at least one")
    classes = graph.num_classes
    x = np.full((len(known), classes), 1 / classes)
    x[known] = np.eye(classes)[graph.labels[known]]
    walks, groups = Walks(graph, np.float64, returns=returns), {}
    for relation, forth in walks.operators.items():
        if relation[0] != graph.target:
            continue
        odd = walks.odd(relation, x)
        if relation[2] == graph.target:
            groups[group_name(ODD, relation)] = without_own(odd, x, forth.diagonal())[:, None]
        back = walks.even(relation, odd)
        groups[group_name(EVEN, relation)] = without_own(back, x, walks.stays(relation))[:, None]
    return groups


def without_own(
    heard: Rows, x: Rows, share: Float[np.ndarray, " n"], *, tolerance: float = 1e-9
) -> Rows:
    """What a node heard of others: `(heard - share x) / (1 - share)`, rows of uniform if there are none.

    Args:
        heard: rows of a walk's operator times x.
        x: what was said.
        share: of each node in what it heard.
        tolerance: a share nearer to 1 than that is all.
    """
    rest = 1 - share
    others = (rest > tolerance) & (np.abs(heard).sum(1) > 0)
    found = (heard - share[:, None] * x) / np.where(others, rest, 1)[:, None]
    found[~others] = 1 / x.shape[1]
    return found
