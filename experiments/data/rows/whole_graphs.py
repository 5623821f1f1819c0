"""Sets of many graphs: with a class each, to be told apart, to be counted in, molecules."""

from experiments.data.sets import DataSet, Place

CLASSES = "many graphs with a class each"
APART = "graphs that are hard to tell apart"
COUNTED = "graphs whose substructures are counted"
MOLECULES = "molecules with numbers to predict"

TU = "https://github.com/muhanzhang/pytorch_DGCNN (data), also in https://chrsmrrs.github.io/datasets"
MORRIS = "Morris et al., TUDataset, 2020, arXiv:2007.08663"
MATLANG = "https://github.com/balcilar/gnn-matlang (dataset)"
BALCILAR = "Balcilar et al., ICML 2021, arXiv:2106.04319"
GRAPHIUM = "graphium 2.4.7"


def _tu(
    name: str, folder: str, what: str, made_by: str, reference: str, public: str = ""
) -> DataSet:
    one_file, public = "graph_text:read_one_file", public or folder
    folds = ("10fold_idx/test_idx-1.txt", "test_idx_10fold.txt")
    parts = tuple(f"{public}_{part}.txt" for part in ("A", "graph_indicator", "graph_labels"))
    return DataSet(
        name,
        CLASSES,
        f"{what}; ten folds",
        (
            Place(
                f"tu_graph_classification/{folder}", (f"{folder}.txt", folds[1]), one_file, folder
            ),
            Place(f"powerful-gnns/dataset/{folder}", (f"{folder}.txt", folds[0]), one_file, folder),
            Place(f"TUDataset/{public}", parts, "graph_text:read_folder", public),
        ),
        TU,
        f"{made_by}; {MORRIS}",
        reference=reference,
    )


def _gin(accuracy: str, kernel: str) -> str:
    return f"ten folds: GIN {accuracy}, WL kernel {kernel} (Xu et al., ICLR 2019)"


def _told_apart(
    name: str, file: str, what: str, made_by: str, reference: str, reader: str = "graph6:read"
) -> DataSet:
    return DataSet(
        name,
        APART,
        what,
        (Place(f"graph_isomorphism/{file}", reader=reader),),
        MATLANG,
        f"{made_by}; {BALCILAR}",
        reference=f"pairs that are not told apart: {reference} (Balcilar et al. 2021)",
    )


ROWS = (
    _tu(
        "mutag",
        "MUTAG",
        "188 molecules, mutagenic or not",
        "Debnath et al., 1991",
        _gin("89.4", "90.4"),
    ),
    _tu(
        "ptc",
        "PTC",
        "344 molecules, toxic to male rats or not",
        "Helma et al., 2001",
        _gin("64.6", "59.9"),
        "PTC_MR",
    ),
    _tu(
        "proteins",
        "PROTEINS",
        "1,113 proteins, enzymes or not",
        "Borgwardt et al., 2005",
        _gin("76.2", "75.0"),
    ),
    _tu(
        "nci1",
        "NCI1",
        "4,110 molecules, active or not",
        "Wale and Karypis, 2006",
        _gin("82.7", "86.0"),
    ),
    _tu(
        "enzymes",
        "ENZYMES",
        "600 enzymes of 6 classes",
        "Borgwardt et al., 2005",
        "ten folds: GIN 59.6, features alone 65.2 (Errica et al., ICLR 2020)",
    ),
    _tu(
        "imdb-binary",
        "IMDBBINARY",
        "1,000 circles of actors, of 2 genres",
        "Yanardag and Vishwanathan, 2015",
        _gin("75.1", "73.8"),
        "IMDB-BINARY",
    ),
    _told_apart(
        "graph8c",
        "graph8c.g6",
        "all 11,117 connected graphs of 8 nodes",
        "Brendan McKay's collection",
        "GCN 4,775, GIN 386, PPGN 0",
    ),
    _told_apart(
        "sr25",
        "sr251256.g6",
        "the 15 strongly regular graphs with parameters (25, 12, 5, 6)",
        "Brendan McKay's collection",
        "105, all of them",
    ),
    _told_apart(
        "exp",
        "EXP.npz",
        "600 pairs of graphs of formulas, of which one can be satisfied",
        "Abboud et al., IJCAI 2021, arXiv:2010.01179",
        "message passing 600, PPGN 0",
        "formula_graphs:read",
    ),
    DataSet(
        "substructure-counting",
        COUNTED,
        "5,000 random graphs of 10 nodes with five counts each",
        (Place("substructure_counting/er_graphs.npz", reader="substructures:read"),),
        "https://github.com/leichen2018/GNN-Substructure-Counting (synthetic/data)",
        "Chen, Chen, Villar and Bruna, NeurIPS 2020, arXiv:2002.04025",
        reference="error over variance, triangles / stars: GIN .12 / 1.6e-4 (Chen et al. 2020)",
    ),
    DataSet(
        "micro-zinc",
        MOLECULES,
        "1,002 molecules of ZINC with three targets",
        (
            Place("molecules/micro_zinc_graphs.npz", (), "molecules:read", "micro_zinc"),
            Place("molecules/micro_zinc.csv"),
        ),
        "https://github.com/datamol-io/graphium",
        "Irwin et al., ZINC, 2012",
        package=f"{GRAPHIUM} (graphium/data/micro_ZINC)",
        caution="these are not the 12,000 molecules of the published figures",
    ),
    DataSet(
        "micro-qm9",
        MOLECULES,
        "1,006 molecules of QM9 with 19 targets",
        (
            Place("molecules/micro_qm9_graphs.npz", (), "molecules:read", "micro_qm9"),
            Place("molecules/micro_qm9.csv"),
        ),
        "https://github.com/datamol-io/graphium",
        "Ramakrishnan et al., Scientific Data, 2014",
        package=f"{GRAPHIUM} (graphium/data/QM9)",
    ),
)
