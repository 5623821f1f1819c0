"""Users and items, graphs of several types, triples of knowledge."""

from experiments.data.sets import DataSet, Place

RECOMMENDATION = "users and items"
HETEROGENEOUS = "a graph of several types"
KNOWLEDGE = "triples of knowledge"

HECO = "https://github.com/liun-online/HeCo (data)"
WANG = "Wang, Liu, Han and Shi, HeCo, KDD 2021, arXiv:2105.09111"
HGB_FILES = ("node.dat", "link.dat", "label.dat", "label.dat.test")
LIGHTGCN = "https://github.com/gusye1234/LightGCN-PyTorch (data/{})"


def _heco(name: str, what: str, key: str, made_by: str, reference: str) -> DataSet:
    files = ("labels.npy", *(f"{pair}.txt" for pair in key.split(",")[1:]))
    return DataSet(
        name,
        HETEROGENEOUS,
        what,
        (
            Place(f"heterogeneous/{name}.npz", reader="heco:read_archive", key=key),
            Place(f"HeCo/data/{name}", files, "heco:read_folder", key),
        ),
        HECO,
        f"{WANG}; the graph {made_by}",
        reference=f"Macro / Micro F1 at 20 labels a class: {reference} (HeCo)",
    )


def _hgb(name: str, what: str, made_by: str) -> DataSet:
    key = name.removesuffix("-hgb")
    folder = key.upper() if len(key) < 5 else key.capitalize()
    return DataSet(
        name,
        HETEROGENEOUS,
        what,
        (Place(f"hgb/{folder}", HGB_FILES, "hgb:read"),),
        "https://github.com/THUDM/HGB",
        f"Lv et al., KDD 2021, arXiv:2112.14936; the graph {made_by}",
        caution="another graph, and other splits, than HeCo's of that name",
    )


def _visits(name: str, what: str, made_by: str, reference: str) -> DataSet:
    return DataSet(
        name,
        RECOMMENDATION,
        what,
        tuple(
            Place(folder, ("train.txt", "test.txt"), reader="interactions:read_lists")
            for folder in (f"recommendation/{name}", name)
        ),
        LIGHTGCN.format(name),
        f"He et al., LightGCN, SIGIR 2020, arXiv:2002.02126; {made_by}",
        reference=f"Recall / NDCG at 20: LightGCN {reference} (He et al. 2020)",
    )


def _triples(name: str, what: str, made_by: str, reference: str) -> DataSet:
    files = ("train.txt", "valid.txt", "test.txt")
    return DataSet(
        name,
        KNOWLEDGE,
        what,
        (Place(f"knowledge_graphs/{name}", files), Place(name, files)),
        "https://github.com/ZhenfengLei/KGDatasets",
        f"{made_by}, by way of Kok and Domingos, ICML 2007",
        package=f"pykeen 1.11.1 (pykeen/datasets/{name})",
        reference=reference,
    )


ROWS = (
    DataSet(
        "gowalla",
        RECOMMENDATION,
        "29,858 users, 40,981 places, 810,128 visits to train on and 217,242 to test with",
        (
            Place("recommendation/gowalla.npz", reader="interactions:read_npz"),
            Place("gowalla", ("train.txt", "test.txt"), reader="interactions:read_lists"),
        ),
        LIGHTGCN.format("gowalla"),
        "Liang et al., WWW 2016; He et al., LightGCN, SIGIR 2020, arXiv:2002.02126",
        reference="Recall / NDCG at 20: LightGCN .1830 / .1554 (He et al. 2020)",
    ),
    DataSet(
        "amazon-cds",
        RECOMMENDATION,
        "43,169 users, 35,648 records, 604,475 ratings to train on and 172,951 to test with",
        (
            Place("recommendation/amazon_cds.npz", reader="interactions:read_npz"),
            Place("amazon_cds", ("train.txt", "test.txt"), reader="interactions:read_lists"),
        ),
        "https://github.com/xue-pai/UltraGCN (data)",
        "Mao et al., UltraGCN, CIKM 2021, arXiv:2110.15114; ratings of McAuley et al.",
        reference="Recall / NDCG at 20: UltraGCN .1622 / .1043 (its public log)",
    ),
    DataSet(
        "lastfm",
        RECOMMENDATION,
        "1,892 listeners, 4,489 artists, 52,668 pairs, 25,434 friendships",
        tuple(
            Place(
                folder,
                ("data1.txt", "test1.txt", "trustnetwork.txt"),
                reader="interactions:read_lastfm",
            )
            for folder in ("recommendation/lastfm", "lastfm")
        ),
        LIGHTGCN.format("lastfm"),
        "Cantador, Brusilovsky and Kuflik, HetRec 2011",
    ),
    DataSet(
        "movielens-100k",
        RECOMMENDATION,
        "943 viewers, 1,682 films, 100,000 ratings",
        tuple(
            Place(f"ml-100k/{file}", reader="interactions:read_ratings")
            for file in ("u.data", "ml-100k.inter")
        ),
        "https://grouplens.org/datasets/movielens/100k",
        "Harper and Konstan, ACM Transactions on Interactive Intelligent Systems, 2015",
        package="recbole 1.2.1 (recbole/dataset_example/ml-100k)",
        caution="its terms forbid passing it on",
    ),
    DataSet(
        "movielens-small",
        RECOMMENDATION,
        "610 viewers, 9,724 films, 100,836 ratings; its makers change it",
        (Place("ml-latest-small/ratings.csv", reader="interactions:read_ratings"),),
        "https://grouplens.org/datasets/movielens/latest",
        "Harper and Konstan, ACM Transactions on Interactive Intelligent Systems, 2015",
        caution="its terms forbid passing it on",
    ),
    _visits(
        "yelp2018",
        "31,668 users, 38,048 places, 1,237,259 reviews to train on and 324,147 to test with",
        "reviews of Yelp's challenge of 2018",
        ".0649 / .0530",
    ),
    _visits(
        "amazon-book",
        "52,643 readers, 91,599 books, 2,380,730 reviews to train on and 603,378 to test with",
        "reviews of McAuley et al.",
        ".0411 / .0315",
    ),
    _heco(
        "acm",
        "4,019 papers in 3 fields, 7,167 authors, 60 subjects",
        "p,pa,ps",
        "Zhao et al., 2020",
        "88.6 / 88.1",
    ),
    _heco(
        "dblp",
        "4,057 authors in 4 fields, 14,328 papers, 7,723 terms, 20 venues",
        "a,pa,pt,pc",
        "Fu et al., MAGNN, WWW 2020",
        "91.3 / 92.0",
    ),
    _heco(
        "freebase",
        "3,492 films in 3 classes, 33,401 actors, 2,502 directors, 4,459 writers",
        "m,ma,md,mw",
        "Li et al., 2020",
        "59.2 / 61.7",
    ),
    _hgb(
        "acm-hgb", "papers, authors, subjects, terms; papers in 3 fields", "Wang et al., HAN, 2019"
    ),
    _hgb("dblp-hgb", "authors in 4 fields, papers, terms, venues", "Fu et al., MAGNN, 2020"),
    _hgb("freebase-hgb", "books in 7 classes, and 7 other types", "Bollacker et al., 2008"),
    _triples(
        "nations",
        "14 nations, 55 relations, 1,992 triples",
        "Rummel, 1992",
        "filtered MRR: ConvE .82 (its public code)",
    ),
    _triples(
        "umls",
        "135 medical terms, 46 relations, 6,529 triples",
        "McCray, 2003",
        "filtered MRR: ConvE .94 (its public code)",
    ),
    _triples(
        "kinships",
        "104 people, 25 relations of kin, 10,686 triples",
        "Denham, 1973",
        "filtered MRR: ConvE .83 (its public code)",
    ),
)
