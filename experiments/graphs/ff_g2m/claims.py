"""What the paper says of FF-G2M, and what must then hold of our records."""

from collections.abc import Callable
from typing import Any

from experiments.harness import plots
from experiments.harness.claim import Claim, beats, equals, identity, reported
from experiments.harness.study import Record

PAPER = "Wu et al., arXiv:2305.10758"


def _drawn(model: str) -> Callable[[Record], float]:
    return lambda record: _mean(record["drawn"]["accuracy"], ("alike", "unlike"), model)


def _real(model: str) -> Callable[[Record], float]:
    return lambda record: _mean(record, ("cora", "citeseer"), model)


def _mean(record: Any, graphs: tuple[str, ...], model: str) -> float:
    return sum(record[graph][model] for graph in graphs) / len(graphs)


CLAIMS: tuple[Claim, ...] = (
    identity(
        "split-identities",
        "low and high part sum to the signal, and the high one is the differences across edges",
        "exact.split",
        broken="exact.split_row",
        formula="x = F_L x + F_H x;  <x, F_H x> = 1/4 sum_ij |x_i/sqrt(d_i) - x_j/sqrt(d_j)|²",
        source=f"{PAPER}, factorisation of knowledge; scale reconstructed",
        how="sum, energies, inner product and edge differences; the twin normalises by rows",
    ),
    identity(
        "lfd-is-averaged-glnn",
        "LFD is GLNN on a teacher averaged once over closed neighbourhoods, weighted by degree + 1",
        "exact.averaged",
        broken="exact.not_averaged",
        formula="L_low(h) = sum_i w_i KL(p_i || softmax h_i) + c",
        source=f"{PAPER}, low-frequency distillation",
        how="values, gradients by autodiff, and GLNN itself without edges; the twin does not average",
        provenance="ours",
    ),
    identity(
        "hfd-blind-to-sign",
        "HFD is 0 for a student of minus the teacher's logits, so it cannot teach alone",
        "exact.sign",
        broken="exact.sign_signed",
        source=f"{PAPER}, high-frequency distillation",
        how="h = -z + c for a random c, one number a class; the twin distils signed differences",
        provenance="ours",
    ),
    equals(
        "student-has-no-edges",
        "no array of the student's traced inference has the number of edges for a dimension",
        "exact.student_edge_arrays",
        count=0,
        broken="exact.teacher_edge_arrays",
        source=f"{PAPER}, abstract",
        how="shapes in the jaxpr; the twin traces the GCN",
    ),
    beats(
        "beats-mlp",
        "the student beats the same network taught by labels alone, drawn graph",
        "drawn.accuracy.alike.full",
        "drawn.accuracy.alike.mlp",
        source=f"{PAPER}, abstract: 12.6 % on average",
        how="stochastic block model whose neighbours are mostly alike, paired seeds",
        plot=plots.arms("accuracy"),
    ),
    beats(
        "beats-tuned-teacher",
        "the student beats its teacher, a GCN of the best of four settings, drawn graph",
        "drawn.accuracy.alike.full",
        "drawn.accuracy.alike.teacher",
        source=f"{PAPER}, abstract: 2.6 % on average",
        how="as before; dropout and decay of the teacher are picked by validation",
        plot=plots.arms("accuracy"),
    ),
    beats(
        "beats-glnn",
        "the student beats distillation node by node: mean over a graph of like, one of unlike ends",
        _drawn("full"),
        _drawn("glnn"),
        names=("FF-G2M", "GLNN"),
        source=f"{PAPER}, main table",
        how="as before, the same teachers; a SAGE where neighbours are mostly unlike",
        plot=plots.arms("accuracy"),
    ),
    *(
        beats(
            f"hfd-adds-{kind}",
            f"HFD adds to LFD where neighbours are mostly {kind}",
            f"drawn.accuracy.{kind}.full",
            f"drawn.accuracy.{kind}.low",
            source=f"{PAPER}, ablation",
            how="accuracy of LFD + HFD less that of LFD, drawn graph, paired seeds",
            plot=plots.arms("accuracy"),
        )
        for kind in ("alike", "unlike")
    ),
    reported(
        "published-gcn",
        "the teacher has a GCN's published accuracy, 81.5 on Cora and 70.3 on CiteSeer, in the mean",
        _real("teacher"),
        figure=75.9,
        within=1.0,
        unit="%",
        data="cora, citeseer",
        source="Kipf and Welling, arXiv:1609.02907, table 2",
        how="standard splits, over initialisations",
    ),
    beats(
        "real-teacher",
        "the student beats its GCN: mean over Cora and CiteSeer",
        _real("full"),
        _real("teacher"),
        names=("FF-G2M", "GCN"),
        source=f"{PAPER}, abstract and main table",
        how="test accuracy, standard split, paired seeds",
        plot=plots.arms("%"),
    ),
    beats(
        "real-glnn",
        "the student beats distillation node by node: mean over Cora and CiteSeer",
        _real("full"),
        _real("glnn"),
        names=("FF-G2M", "GLNN"),
        source=f"{PAPER}, main table",
        how="as before",
        plot=plots.arms("%"),
    ),
)
