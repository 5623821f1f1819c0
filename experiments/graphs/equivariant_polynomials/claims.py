"""What the paper claims, as statements that the records can refute."""

import math

from experiments.harness.claim import Claim, at_most, beats, equals, identity
from experiments.harness.study import Record

# Connected simple patterns that cannot be contracted, of degree 1, 2, ...: with 0, 1 or 2 marks by the
# edge-based model, and with one mark by message passing.
EDGE = (0, 0, 0, 0, 1, 11)
NODE = (0, 0, 1, 4, 17, 66)


def _off(record: Record, edge: str) -> float:
    found = record["lists"]
    rows = ((found[edge], EDGE), (found["node"], NODE))
    return float(sum(abs(a - b) for row, wanted in rows for a, b in zip(row, wanted, strict=False)))


def _confused(record: Record, what: str) -> float:
    """Of all pairs of strongly regular graphs: left by polynomials, and told apart by 2-FWL."""
    sets = record["strongly_regular"].values()
    return float(sum(part[what] + part["pairs"] - part["fwl2"] for part in sets))


def _gained(record: Record, network: str) -> float:
    found = record["untrained"]["25"]
    return float(found["ppgn"] - found[network])


def _precision(record: Record, network: str, target: str) -> float:
    """Orders of magnitude that the error lies below the variance."""
    return -math.log10(record["counting"][network][target])


def _gain(record: Record) -> float:
    """Orders of magnitude that polynomials take from PPGN's error on triangles."""
    plus, plain = (_precision(record, name, "triangle") for name in ("ppgn_plus", "ppgn"))
    return plus - plain


HALF = math.log10(2)
SET = "the 5,000 random graphs of Chen et al. (arXiv:2002.04025), four counts learned at once"

CLAIMS: tuple[Claim, ...] = (
    identity(
        "basis",
        "The polynomials of multigraphs are a basis: on random inputs their rank is the number of orbits "
        "that Burnside's lemma counts, and they span any other equivariant polynomial",
        lambda record: max(record["basis"]["gap"], record["basis"]["residual"]),
        broken=lambda r: min(r["basis"]["gap_of_graphs"], r["basis"]["residual_without_one"]),
        tolerance=1e-9,
        source="the basis theorem",
        how="pair outputs up to degree 2 on 3, 4 and 6 nodes; relative residual of random monomials "
        "averaged over all permutations of 4 nodes. Broken: symmetric inputs of 0 and 1, on which "
        "many polynomials coincide; one element left out.",
        bound_from="rank is exact; least squares on some hundred columns",
    ),
    identity(
        "missing",
        "Products of matrices (PPGN with transposes) contract every pattern of degree up to 4, and all but "
        "1 and 11 of degrees 5 and 6; message passing contracts trees, and misses 1, 4, 17 and 66 "
        "node polynomials of degrees 3 to 6",
        lambda record: _off(record, "edge"), broken=lambda record: _off(record, "edge_unordered"),
        source="contraction rules; the 12 extra channels of the public code's experiment on strongly "
        "regular graphs; node lists are ours",
        how="all connected simple patterns with 0, 1 or 2 ordered marks up to isomorphism. Broken: the "
        "marks of a pair unordered, as in the public code, which finds 9 and has 3 channels twice.",
    ),
    equals(
        "strongly-regular",
        "In whole numbers: of the 112 pairs of strongly regular graphs with the same 16, 25 or 28 nodes "
        "2-FWL tells none apart, and the 12 missing polynomials tell all apart",
        lambda record: _confused(record, "joint_all"), count=0,
        broken=lambda record: _confused(record, "sums_five"),
        source="section on expressive power; Rook 4x4 and Shrikhande, T(8) and Chang's, SR25",
        how="pairs left by the multiset over pairs of nodes of (joined, equal, polynomials), plus pairs "
        "that 2-FWL tells apart. Recorded beside: sums of each polynomial alone, and degree 5 alone. "
        "Broken: the sum of the one polynomial of degree 5.",
    ),
    equals(
        "sr25",
        "Networks with random weights: PPGN confuses all 105 pairs of SR25, PPGN++ none",
        lambda record: _gained(record, "ppgn_plus"), count=105,
        broken=lambda record: _gained(record, "ppgn"),
        source="PPGN 105 of 105: Balcilar et al., arXiv:2106.04319, table 1; PPGN++: section on strongly "
        "regular graphs",
        how="float64, width 8, 3 blocks; the same if outputs of size 1 differ by less than 1e-9. Counted: "
        "pairs that PPGN confuses less those that PPGN++ does.",
    ),
    equals(
        "graph8c",
        "Neither 2-FWL nor PPGN with random weights confuses any of the 61,788,286 pairs of connected "
        "graphs of eight nodes",
        lambda record: record["connected"]["fwl2"] + record["connected"]["ppgn"], count=0,
        broken="connected.wl",
        source="PPGN 0, GIN 386: Balcilar et al., arXiv:2106.04319, table 1",
        how="classes of colours, in whole numbers; outputs in float64 apart by 1e-9. Broken: 1-WL.",
    ),
    equals(
        "exp",
        "2-FWL, whose power PPGN has, tells all 600 pairs of EXP apart, and 1-WL, which bounds message "
        "passing, none",
        "formulas.gained", count=600,
        broken=lambda record: record["formulas"]["pairs"] - record["formulas"]["wl"],
        source="message passing 600, PPGN 0 confused: Balcilar et al., arXiv:2106.04319, table 1",
        how="counted in whole numbers: pairs that have the same colours of nodes and others of pairs. "
        "Recorded beside: how far outputs of PPGN with random weights are apart in float64, which is "
        "too little to decide by. Broken: 1-WL in the place of 2-FWL.",
    ),
    beats(
        "diamonds-learned",
        "Trained to count induced diamonds, which takes the clique K4 that PPGN cannot contract, PPGN++ has "
        "less than half the error of PPGN",
        lambda record: _precision(record, "ppgn_plus", "chordal_cycle"),
        lambda record: _precision(record, "ppgn", "chordal_cycle"),
        by=HALF, names=("PPGN++", "PPGN"),
        source="experiments: polynomials as features improve networks", provenance="reconstructed",
        how=f"{SET}; -log10 of squared error over variance on the set's 2,500 test graphs. Both are the "
        "edge-based model, with the polynomials' channels or with zeros in their place.",
        bound_from="a factor of two",
    ),
    at_most(
        "triangles-no-gain",
        "On triangles, which PPGN can contract, the polynomials do not halve its error: what they give "
        "elsewhere is power, not merely more features",
        _gain, bound=HALF, broken=lambda record: abs(_gain(record)) + 1,
        source="the hierarchy: what is computable already need not be added", provenance="ours",
        how=f"{SET}; difference of -log10 errors. Broken: ten times as much.",
        bound_from="a factor of two",
    ),
    beats(
        "message-passing",
        "The node polynomials of degrees 3 and 4 that message passing misses, as node features, take more "
        "than half of GIN's error on triangles",
        lambda record: _precision(record, "gin_plus", "triangle"),
        lambda record: _precision(record, "gin", "triangle"),
        by=HALF, names=("GIN with polynomials", "GIN"),
        source="node-based variant of the experiments", provenance="reconstructed",
        how=f"{SET}; as for diamonds.",
        bound_from="a factor of two",
    ),
)  # fmt: skip
