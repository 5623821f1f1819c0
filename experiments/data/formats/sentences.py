"""Sentences with classes: GLUE's tables, and a class number before each sentence."""

from pathlib import Path

from experiments.data.texts import Sentence, SentenceSet
from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

HEADER = ["index", "sentence1", "sentence2", "label"]


def read_glue(path: Path, name: str, key: str) -> SentenceSet:
    """GLUE's `train.tsv` and `dev.tsv`, which stands for test, whose labels GLUE keeps.

    Args:
        path: of the folder.
        name: of the set: `cola` has single sentences, the others pairs under a line of headings.
        key: is not needed.

    Raises:
        ExperimentError: names the file and the line that does not fit.
    """
    stem = "" if (path / "train.tsv").is_file() else f"{name}_"
    parts = {part: path / f"{stem}{part}.tsv" for part in ("train", "dev")}
    rows = {
        part: _single(file) if name == "cola" else _paired(file) for part, file in parts.items()
    }
    named = {part: {label for _, _, label in listed} for part, listed in rows.items()}
    if odd := named["train"] ^ named["dev"]:
        raise ExperimentError(
            f"only one of {shown(parts['train'])} and {shown(parts['dev'])} has the label "
            f"{quoted(min(odd), 40)}"
        )
    labels = tuple(sorted(named["train"]))
    train, test = (
        tuple(Sentence(text, labels.index(label), second) for text, second, label in listed)
        for listed in rows.values()
    )
    return SentenceSet(name, labels, train, (), test)


def read_labelled(path: Path, name: str, key: str) -> SentenceSet:
    """Files of lines "label sentence" in Latin-1, `NAME_train.txt`, `NAME_test.txt`, perhaps `NAME_dev.txt`.

    Raises:
        ExperimentError: names the file and the line that does not fit.
    """
    stem = name.replace("-", "")
    found = {}
    for part in ("train", "dev", "test"):
        file = path / f"{stem}_{part}.txt"
        found[part] = _labelled(file) if part != "dev" or file.is_file() else ()
    classes = sorted({one.label for one in found["train"]})
    if classes != list(range(len(classes))):
        raise ExperimentError(
            f"{shown(path / f'{stem}_train.txt')} has the classes {quoted(classes, 60)}, not all from 0 on"
        )
    for part in ("dev", "test"):
        if odd := {one.label for one in found[part]} - set(classes):
            raise ExperimentError(
                f"{shown(path / f'{stem}_{part}.txt')} has the class {min(odd)}, which "
                f"{stem}_train.txt has not"
            )
    labels = tuple(map(str, classes))
    return SentenceSet(name, labels, found["train"], found["dev"], found["test"])


def _labelled(path: Path) -> tuple[Sentence, ...]:
    found = []
    for number, line in enumerate(content(path).decode("latin-1").split("\n"), 1):
        label, _, text = line.partition(" ")
        if not line.strip():
            continue
        if not (label.isascii() and label.isdecimal() and len(label) < 4) or not text.strip():
            raise ExperimentError(
                f"line {number} of {shown(path)} is no class number and sentence: {quoted(line)}"
            )
        found.append(Sentence(text.strip(), int(label)))
    if not found:
        raise ExperimentError(f"{shown(path)} holds no sentences")
    return tuple(found)


def _single(path: Path) -> list[tuple[str, str, str]]:
    found = []
    for number, cells in _table(path):
        if len(cells) != 4 or cells[1] not in ("0", "1"):
            raise ExperimentError(
                f"line {number} of {shown(path)} is no source, 0 or 1, mark and sentence"
            )
        found.append((cells[3], "", cells[1]))
    return found


def _paired(path: Path) -> list[tuple[str, str, str]]:
    lines = _table(path)
    if lines[0][1] != HEADER:
        raise ExperimentError(f"{shown(path)} does not begin with the headings {', '.join(HEADER)}")
    found = []
    for number, cells in lines[1:]:
        if len(cells) != 4 or not all(cells):
            raise ExperimentError(
                f"line {number} of {shown(path)} is no number, two sentences and a label"
            )
        found.append((cells[1], cells[2], cells[3]))
    return found


def _table(path: Path) -> list[tuple[int, list[str]]]:
    """Lines that are not empty, with their numbers; a quotation mark is a letter like any other."""
    try:
        lines = content(path).decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise ExperimentError(f"{shown(path)} is no UTF-8 text: byte {error.start}") from None
    found = [(number, line.split("\t")) for number, line in enumerate(lines, 1) if line]
    if len(found) < 2:
        raise ExperimentError(f"{shown(path)} holds no sentences")
    return found
