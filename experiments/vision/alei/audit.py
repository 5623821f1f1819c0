"""A leakage audit of real and fake pictures: does a trivial feature alone tell them apart?

A detector that is trained and tested on JPEG photographs against PNG fakes of one size learns the file
format. Before anything is trained, this asks of each trivial feature by itself, format, size, compression and
average content, how well it tells both classes of a set apart.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from scipy import sparse, stats

from experiments.files.words import shown
from experiments.vision.alei.features import trivial_features
from experiments.vision.alei.metadata import value_columns
from ntkexec.errors import ExperimentError, MissingExtraError

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
LAYOUTS = {"0_real": True, "1_fake": False, "nature": True, "ai": False}
"""Names of folders in ForenSynths and AIGCDetectBenchmark, and in GenImage: whether they hold real ones."""
FOLDS, LEAVES = 5, 8
CATEGORIES, SIZES = (
    ("suffix", "format", "mode", "subsampling", "metadata"),
    ("height", "width", "aspect"),
)


@dataclasses.dataclass(frozen=True)
class Fact:
    """How well one trivial feature tells real and fake apart.

    Args:
        name: of the feature.
        kind: "format", "size", "compression" or "content".
        accuracy: balanced, on pictures that the rule was not made from; 0.5 is chance.
        low, high: its interval, of 95 % for all features together. All three are 0.5 where the
            feature is the same in all pictures, which the table calls constant.
        leaks: whether all of the interval is above what the audit allows.
    """

    name: str
    kind: str
    accuracy: float
    low: float
    high: float
    leaks: bool


@dataclasses.dataclass(frozen=True)
class LeakageReport:
    """What an audit found.

    Args:
        facts: the feature that tells most first.
        real, fake: number of pictures.
        different: pictures of each class with all that repeat one another's pixels, or its pair's, counted
            once, as in every interval.
        repeated: how many more pictures there are than different pixels, both classes together.
        allowed: accuracy above which a feature leaks.
    """

    facts: tuple[Fact, ...]
    real: int
    fake: int
    different: tuple[int, int]
    repeated: int
    allowed: float

    @property
    def leaks(self) -> tuple[str, ...]:
        """Names of the features that leak."""
        return tuple(fact.name for fact in self.facts if fact.leaks)

    def __str__(self) -> str:
        numbers = zip((self.real, self.fake), ("real", "fake"), self.different, strict=True)
        counted = [f"{number} {name} ({distinct} different)" for number, name, distinct in numbers]
        rows = [f"{', '.join(counted)}, {self.repeated} repeated"]
        for fact in self.facts:
            interval = f"[{fact.low:.3f}, {fact.high:.3f}]"
            mark = "LEAKS" if fact.leaks else "constant" if fact.low == fact.high else ""
            rows.append(
                f"{fact.name:<14} {fact.kind:<12} {fact.accuracy:.3f} {interval} {mark}".rstrip()
            )
        return "\n".join(rows)


def leakage_audit(
    real: str | Path | Sequence[Any] | np.ndarray,
    fake: str | Path | Sequence[Any] | np.ndarray,
    *,
    paired: bool = False,
    allowed: float = 0.55,
    most: int = 2000,
    seed: int = 0,
) -> LeakageReport:
    """For each trivial feature, how well a small tree on it alone tells real from fake.

    A tree of at most eight leaves is made from four fifths of the pictures and judged on the others, five
    times; pictures of the same pixels, or of one pair, are a group, which is always on one side. The
    interval is Wilson's of each class, put together by squares, at a level divided by the number of
    features. It counts groups: a picture repeated a hundred times is one observation. Pictures that are
    nearly the same, such as two frames of a film, are taken for different ones.

    Of metadata the names of all entries are a feature, and so are the values of each entry, EXIF tag by
    tag, that differ and that at least ten pictures have.

    Args:
        real, fake: a folder, whose pictures at any depth are read; a list of such files; or arrays
            (h, w, 3) of bytes, of which format and bytes are unknown and not audited.
        paired: whether the fakes are made from the real ones, row by row.
        allowed: the accuracy that a feature may have.
        most: pictures of each class that are looked at, drawn at random where there are more.
        seed: of that, and of the folds.

    Raises:
        ExperimentError: a class has fewer than ten groups, of which none could be judged by others, pairs
            do not match, only one class is files, or a picture cannot be read.
        MissingExtraError: without scikit-learn or, for files, Pillow.
    """
    if not 0.5 <= allowed < 1 or most < 2 * FOLDS:
        raise ExperimentError(
            f"an audit allows an accuracy from 0.5 to below 1 on at least {2 * FOLDS} pictures, got "
            f"{allowed} and {most}"
        )
    classes = [_listed(each) for each in (real, fake)]
    if paired and len(classes[0]) != len(classes[1]):
        raise ExperimentError(
            f"{len(classes[0])} real pictures and {len(classes[1])} fakes are no pairs"
        )
    if min(map(len, classes)) < 2 * FOLDS:
        raise ExperimentError(
            f"an audit needs {2 * FOLDS} pictures of each class, got {len(classes[0])} real and "
            f"{len(classes[1])} fake ones"
        )
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(each))[:most] for each in classes]
    if paired:
        orders[1] = orders[0]
    chosen = [[each[i] for i in order] for each, order in zip(classes, orders, strict=True)]
    told = [trivial_features(each) for each in chosen]
    if set(told[0][0]) != set(told[1][0]):
        raise ExperimentError(
            "both classes are files, or neither: arrays have no format to compare"
        )
    labels = np.repeat([0, 1], [len(each) for each in chosen])
    digests = np.array(told[0][1] + told[1][1])
    known, groups = np.unique(digests, return_inverse=True)
    repeated = len(digests) - len(known)
    if paired:
        groups = _joined(groups.reshape(2, -1))
    different = (len(set(groups[labels == 0])), len(set(groups[labels == 1])))
    if min(different) < 2 * FOLDS:
        raise ExperimentError(
            f"an audit needs {2 * FOLDS} different {'pairs' if paired else 'pictures of each class'}; of "
            f"{len(chosen[0])} real and {len(chosen[1])} fake ones {different[0]} and {different[1]} repeat "
            "no other"
        )
    columns = {name: np.concatenate([one[0][name] for one in told]) for name in told[0][0]}
    columns |= value_columns(list(columns.pop("values", ())))
    facts = [
        _judged(name, column, labels, groups, allowed, len(columns), seed)
        for name, column in columns.items()
    ]
    facts.sort(key=lambda fact: -fact.accuracy)
    return LeakageReport(tuple(facts), len(chosen[0]), len(chosen[1]), different, repeated, allowed)


def benchmark_files(root: str | Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Real and fake files below a folder laid out as ForenSynths (0_real, 1_fake) or GenImage (nature, ai).

    Raises:
        ExperimentError: there is no such folder, or no picture of one of the two.
    """
    root, found = Path(root), dict[bool, list[Path]]({True: [], False: []})
    for path in _files(root):
        kinds = [LAYOUTS[part] for part in path.relative_to(root).parts if part in LAYOUTS]
        if kinds:
            found[kinds[-1]].append(path)
    if not found[True] or not found[False]:
        raise ExperimentError(
            f"{shown(root)} holds {len(found[True])} real and {len(found[False])} fake pictures in folders "
            f"called {', '.join(LAYOUTS)}"
        )
    return tuple(found[True]), tuple(found[False])


def _files(root: Path) -> list[Path]:
    if not root.is_dir():
        raise ExperimentError(f"there is no folder {shown(root)}")
    try:
        return sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    except OSError as error:
        raise ExperimentError(f"cannot read {shown(root)}: {error.strerror}") from error


def _listed(given: Any) -> Sequence[Any]:
    given = Path(given) if isinstance(given, str) else given
    return _files(given) if isinstance(given, Path) else given


def _joined(ends: Int[np.ndarray, "2 n"]) -> Int[np.ndarray, "2*n"]:
    """Groups of real pictures and then fakes: pairs that share a picture, over others too, are one."""
    number = int(ends.max()) + 1
    graph = sparse.coo_matrix((np.ones(ends.shape[1]), ends), shape=(number, number))
    found: np.ndarray = sparse.csgraph.connected_components(graph, directed=False)[1][ends.ravel()]
    return np.unique(found, return_inverse=True)[1]


def _kind(name: str) -> str:
    if name in CATEGORIES or name.startswith("metadata "):
        return "format"
    if name in SIZES:
        return "size"
    return "compression" if name in ("bytes a pixel", "quantisation", "block edges") else "content"


def _judged(
    name: str,
    column: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    allowed: float,
    tried: int,
    seed: int,
) -> Fact:
    if len(np.unique(column)) == 1:
        return Fact(name, _kind(name), 0.5, 0.5, 0.5, False)
    values = np.unique(column, return_inverse=True)[1] if column.dtype.kind == "U" else column
    right = _cross_validated(values.astype(float)[:, None], labels, groups, seed) == labels
    z = float(stats.norm.isf(0.025 / tried))
    parts = [_wilson(_shares(right[labels == one], groups[labels == one]), z) for one in (0, 1)]
    accuracy = sum(share for share, _, _ in parts) / 2
    below = sum((share - low) ** 2 for share, low, _ in parts) ** 0.5 / 2
    above = sum((high - share) ** 2 for share, _, high in parts) ** 0.5 / 2
    low, high = accuracy - below, accuracy + above
    return Fact(name, _kind(name), accuracy, low, high, low > allowed)


def _cross_validated(
    values: np.ndarray, labels: np.ndarray, groups: np.ndarray, seed: int
) -> np.ndarray:
    """For every picture, the class that a tree says that was made without its group."""
    try:
        from sklearn.tree import DecisionTreeClassifier
    except ImportError as error:
        raise MissingExtraError("audits need scikit-learn: install ntkexec[experiments]") from error
    # A group's fold does not depend on its size, so both classes are in every fold, or nearly so.
    fold = np.random.default_rng(seed).permutation(int(groups.max()) + 1) % FOLDS
    _, places, numbers = np.unique(2 * groups + labels, return_inverse=True, return_counts=True)
    weights = 1 / numbers[places]
    said = np.zeros_like(labels)
    for held in range(FOLDS):
        out = fold[groups] == held
        if out.any() and not out.all():
            tree = DecisionTreeClassifier(max_leaf_nodes=LEAVES, random_state=seed)
            # A group weighs the same whatever its size, and so do the classes.
            balanced = weights[~out] / np.bincount(labels[~out], weights[~out])[labels[~out]]
            tree.fit(values[~out], labels[~out], sample_weight=balanced)
            said[out] = tree.predict(values[out])
    return said


def _shares(right: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Of every group, the share of its pictures that are judged rightly."""
    _, places, numbers = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(np.bincount(places, right) / numbers)


def _wilson(right: np.ndarray, z: float) -> tuple[float, float, float]:
    """The mean of shares and its interval, which is that of as many yeses and noes or wider."""
    number, share = len(right), float(right.mean())
    middle = (share + z**2 / (2 * number)) / (1 + z**2 / number)
    half = z * (share * (1 - share) / number + z**2 / (4 * number**2)) ** 0.5
    half /= 1 + z**2 / number
    return share, middle - half, middle + half
