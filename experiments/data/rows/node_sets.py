"""Graphs whose nodes have classes."""

from experiments.data.sets import DataSet, Place

KIND = "a graph with classes of nodes"

PARTS = ("x", "y", "tx", "ty", "allx", "ally", "graph", "test.index")
PLANETOID = "https://github.com/kimiyoung/planetoid (data/ind.*)"
YANG = "Yang, Cohen and Salakhutdinov, ICML 2016; graphs of Sen et al., 2008"
HETEROPHILOUS = "https://github.com/yandex-research/heterophilous-graphs (data)"
PLATONOV = "Platonov et al., ICLR 2023, arXiv:2302.11640"
GEOM_GCN = "https://github.com/graphdml-uiuc-jlu/geom-gcn (new_data and splits)"
PEI = "Pei et al., Geom-GCN, ICLR 2020, arXiv:2002.05287"
BENCHMARK = "https://github.com/shchur/gnn-benchmark (data/npz)"
SHCHUR = "Shchur et al., Pitfalls of graph neural network evaluation, 2018, arXiv:1811.05868"
SAINT = "https://github.com/GraphSAINT/GraphSAINT (its folder of data)"
ZENG = "Zeng et al., GraphSAINT, ICLR 2020, arXiv:1907.04931"
BODNAR = "Bodnar et al., 2022, over ten splits"
HU = "Hu et al., Open Graph Benchmark, NeurIPS 2020, arXiv:2005.00687"


def _planetoid(name: str, what: str, reference: str, caution: str = "") -> DataSet:
    files = tuple(f"ind.{name}.{part}" for part in PARTS)
    folders = ("planetoid", "planetoid/data", name, f"{name}/raw")
    return DataSet(
        name,
        KIND,
        what,
        (
            Place(f"planetoid/{name}.npz", reader="planetoid:read_npz"),
            *(Place(folder, files, "planetoid:read_pickles") for folder in folders),
        ),
        PLANETOID,
        YANG,
        reference=reference,
        caution=caution,
    )


def _archive(file: str) -> tuple[Place, ...]:
    return tuple(
        Place(f"{folder}/{file}.npz", reader="heterophilous:read")
        for folder in ("heterophilic", "heterophilous-graphs/data")
    )


def _dump(key: str) -> Place:
    texts = (f"new_data/{key}/out1_node_feature_label.txt", f"new_data/{key}/out1_graph_edges.txt")
    return Place("geom-gcn", texts, "geom_gcn:read", key)


def _ten_splits(key: str, figures: str) -> DataSet:
    files = (f"splits/{key}_split_0.6_0.2_0.npz", *(f"data/ind.{key}.{part}" for part in PARTS))
    return DataSet(
        f"{key}-ten-splits",
        KIND,
        f"the graph of {key} with ten splits of 48 / 32 / 20 percent",
        (Place("geom-gcn", files, "geom_gcn:read_citations", key),),
        GEOM_GCN,
        f"{PEI}; {YANG}",
        reference=f"test accuracy: GCN {figures} ({BODNAR})",
    )


def _heterophilous(name: str, what: str, reference: str = "", caution: str = "") -> DataSet:
    places = _archive(name.replace("-", "_"))
    return DataSet(
        name, KIND, what, places, HETEROPHILOUS, PLATONOV, reference=reference, caution=caution
    )


def _geom_gcn(name: str, what: str, reference: str, *, key: str = "", caution: str = "") -> DataSet:
    places = (*_archive(name), _dump(key or name))
    address = f"{HETEROPHILOUS}, or {GEOM_GCN}"
    return DataSet(name, KIND, what, places, address, PEI, reference=reference, caution=caution)


def _benchmark(name: str, what: str, file: str) -> DataSet:
    places = tuple(
        Place(f"{folder}/{file}.npz", reader="gnn_benchmark:read")
        for folder in ("gnn-benchmark", "gnn-benchmark/data/npz")
    )
    return DataSet(name, KIND, what, places, BENCHMARK, SHCHUR)


def _saint(name: str, what: str) -> DataSet:
    files = ("adj_full.npz", "role.json", "class_map.json", "feats.npy")
    places = tuple(
        Place(folder, files, "graphsaint:read") for folder in (f"graphsaint/{name}", name)
    )
    return DataSet(name, KIND, what, places, SAINT, ZENG)


def _ogb(name: str, what: str, scheme: str, reference: str) -> DataSet:
    folder = name.replace("-", "_")
    places = tuple(
        Place(
            f"{above}{folder}",
            (
                *(f"raw/{part}.csv{end}" for part in ("edge", "node-feat", "node-label")),
                *(f"split/{scheme}/{part}.csv{end}" for part in ("train", "valid", "test")),
            ),
            "ogb:read",
            scheme,
        )
        for above in ("ogb/", "")
        for end in (".gz", "")
    )
    address = f"https://ogb.stanford.edu/docs/nodeprop/#{name}"
    return DataSet(name, KIND, what, places, address, HU, reference=reference)


TWINS = (
    "nodes with equal neighbours and features lie in both training and test parts; the filtered set is "
    "without them"
)
MIXED_UP = (
    "the snapshot of Geom-GCN ships Texas's features and labels with Cornell's edges (edge homophily "
    "0.30, as many papers quote), which is loaded as cornell-geomgcn"
)
ROWS = (
    _planetoid(
        "cora",
        "2,708 papers in 7 fields, 5,278 citations, 1,433 words; 140 / 500 / 1,000 nodes",
        "test accuracy: MLP 55.1, GCN 81.5, GAT 83.0 (Kipf and Welling 2017; Velickovic et al. 2018)",
    ),
    _planetoid(
        "citeseer",
        "3,327 papers in 6 fields, 4,552 citations, 3,703 words; 120 / 500 / 1,000 nodes",
        "test accuracy: MLP 46.5, GCN 70.3, GAT 72.5 (Kipf and Welling 2017; Velickovic et al. 2018)",
        "15 nodes, often called isolated, have a link or two, but neither features nor a class",
    ),
    _planetoid(
        "pubmed",
        "19,717 papers in 3 fields, 44,324 citations, 500 words; 60 / 500 / 1,000 nodes",
        "test accuracy: MLP 71.4, GCN 79.0, GAT 79.0 (Kipf and Welling 2017; Velickovic et al. 2018)",
    ),
    DataSet(
        "pubmed-partial",
        KIND,
        "PubMed with the features of its training and test nodes alone",
        (Place("planetoid/pubmed_partial.npz", reader="planetoid:read_npz"),),
        PLANETOID,
        YANG,
        caution="fit to propagate labels, and not to compare with published figures",
    ),
    _ten_splits("cora", "87.0, sheaf diffusion 86.9"),
    _ten_splits("citeseer", "76.5, sheaf diffusion 76.7"),
    _ten_splits("pubmed", "88.4, sheaf diffusion 89.5"),
    _geom_gcn(
        "texas",
        "183 web pages of 5 kinds, 279 links, 1,703 words; ten splits",
        f"test accuracy: MLP 80.8, GCN 55.1, sheaf diffusion 85.9 ({BODNAR})",
    ),
    _geom_gcn(
        "wisconsin",
        "251 web pages of 5 kinds, 450 links, 1,703 words; ten splits",
        f"test accuracy: MLP 85.3, GCN 51.8, sheaf diffusion 89.4 ({BODNAR})",
    ),
    DataSet(
        "cornell",
        KIND,
        "183 web pages of 5 kinds, 277 links, 1,703 words; ten splits",
        (*_archive("cornell"), _dump("cornell")),
        HETEROPHILOUS,
        f"{PLATONOV}; pages of the WebKB project",
        caution=MIXED_UP,
    ),
    DataSet(
        "cornell-geomgcn",
        KIND,
        "Cornell's links with Texas's features and labels, as the snapshot of Geom-GCN has them",
        (*_archive("cornell_geomgcn_old"), _dump("cornell")),
        GEOM_GCN,
        PEI,
        reference=f"test accuracy: MLP 81.9, GCN 60.5, sheaf diffusion 84.9 ({BODNAR})",
        caution="no graph of the world has these features on these links",
    ),
    _geom_gcn(
        "actor",
        "7,600 actors of 5 kinds, 26,659 times on one page, 932 words; ten splits",
        f"test accuracy: MLP 36.5, GCN 27.3, sheaf diffusion 37.8 ({BODNAR})",
        key="film",
    ),
    _geom_gcn(
        "chameleon",
        "2,277 Wikipedia pages in 5 classes of visits, 31,371 links; ten splits",
        f"test accuracy: MLP 46.2, GCN 64.8, sheaf diffusion 68.0 ({BODNAR})",
        caution=TWINS,
    ),
    _geom_gcn(
        "squirrel",
        "5,201 Wikipedia pages in 5 classes of visits, 198,353 links; ten splits",
        f"test accuracy: MLP 28.8, GCN 53.4, sheaf diffusion 56.3 ({BODNAR})",
        caution=TWINS,
    ),
    _heterophilous("chameleon-filtered", "Chameleon's 890 nodes that are no twins, 8,854 links"),
    _heterophilous("squirrel-filtered", "Squirrel's 2,223 nodes that are no twins, 46,998 links"),
    _heterophilous(
        "minesweeper",
        "a grid of 10,000 cells, 39,402 borders, mines or none; ten splits",
        "ROC AUC: ResNet 50.9, GCN 89.8, SAGE 93.5 (Platonov et al. 2023)",
    ),
    _heterophilous("roman-empire", "22,662 words of one article by their role, 32,927 links"),
    _heterophilous("amazon-ratings", "24,492 products by their rating, 93,050 links"),
    _heterophilous("tolokers", "11,758 workers, banned or not, 519,000 links"),
    _heterophilous("questions", "48,921 users, active or not, 153,540 links"),
    _benchmark("amazon-photo", "7,650 products in 8 classes", "amazon_electronics_photo"),
    _benchmark("amazon-computers", "13,752 products in 10 classes", "amazon_electronics_computers"),
    _benchmark("coauthor-cs", "18,333 authors in 15 fields of computing", "ms_academic_cs"),
    _benchmark("coauthor-physics", "34,493 authors in 5 fields of physics", "ms_academic_phy"),
    _saint("flickr", "89,250 pictures in 7 classes, 500 words; one split"),
    _saint("reddit", "232,965 posts in 41 communities, 602 numbers each; one split"),
    _ogb(
        "ogbn-arxiv",
        "169,343 papers in 40 fields, 1,166,243 citations, 128 numbers each; split by time",
        "time",
        "test accuracy: GCN 71.7 (Hu et al. 2020)",
    ),
    _ogb(
        "ogbn-products",
        "2,449,029 products in 47 classes, 61,859,140 links; split by rank of sales",
        "sales_ranking",
        "test accuracy: GCN 75.6 (Hu et al. 2020)",
    ),
)
