"""Questions and sentences: read as their files have them, or refused by file and line."""

import json

import pytest
from support.damage import damage_files

from experiments.data import load
from experiments.data.formats.questions import number_of
from experiments.data.texts import Question, QuestionSet, Sentence, SentenceSet
from ntkexec.errors import ExperimentError

CHOSEN = {"question": "Which is a colour?", "choices": ["red", "run"], "answer": 0}
ASKED = {"question": "is it so?", "answer": True}
WORKED = {"question": "How many?", "answer": "3 * 2 = <<3*2=6>>6\n#### 1,006"}
PAIRS = (
    "index\tsentence1\tsentence2\tlabel\n"
    "0\tIt \"rains.\tIt's wet.\tentailment\n"
    "1\tNo.\tYes.\tnot_entailment\n"
)


def lines(*questions):
    return "".join(json.dumps(one) + "\n" for one in questions)


@pytest.fixture
def folder(tmp_path):
    text = tmp_path / "text"
    text.mkdir()
    files = {
        "arc_easy_test.jsonl": lines(CHOSEN, CHOSEN),
        "arc_easy_train.jsonl": lines(CHOSEN),
        "boolq_test.jsonl": lines(ASKED),
        "gsm8k_test.jsonl": lines(WORKED),
        "gsm8k_train_first1500.jsonl": lines(WORKED),
        "cola_train.tsv": 'gj04\t1\t\tWe "go".\ngj04\t0\t*\tGo we.\n',
        "cola_dev.tsv": "gj04\t1\t\tI go.\r\ngj04\t0\t*\tI goes.\r\n",
        "rte_train.tsv": PAIRS,
        "rte_dev.tsv": PAIRS,
        "sst2_train.txt": "1 good\n0 bad\n",
        "sst2_dev.txt": "1 cr\u00e8me\n",
        "sst2_test.txt": "0 so so\n",
    }
    for name, said in files.items():
        encoding = "latin-1" if name.startswith("sst2") else "utf-8"
        (text / name).write_bytes(said.encode(encoding))
    return tmp_path


def test_questions_are_read_with_their_choices(folder):
    chosen = Question("Which is a colour?", ("red", "run"), 0)
    assert load("arc-easy", folder) == QuestionSet("arc-easy", (chosen, chosen), (chosen,))
    assert load("boolq", folder).test == (Question("is it so?", ("no", "yes"), 1),)
    (worked,) = load("gsm8k", folder).test
    assert (worked.choices, number_of(worked.written)) == ((), 1006)
    assert number_of("no mark, 7") is None
    assert number_of("#### nan") is None


def test_sentences_are_read_with_their_classes(folder):
    assert load("cola", folder) == SentenceSet(
        "cola", ("0", "1"),
        (Sentence('We "go".', 1), Sentence("Go we.", 0)), (),
        (Sentence("I go.", 1), Sentence("I goes.", 0)),
    )  # fmt: skip
    rte = load("rte", folder)
    assert rte.labels == ("entailment", "not_entailment")
    assert rte.train == rte.test
    assert rte.test[0] == Sentence('It "rains.', 0, "It's wet.")
    sst2 = load("sst-2", folder)
    assert (sst2.labels, sst2.validation) == (("0", "1"), (Sentence("cr\u00e8me", 1),))


@pytest.mark.parametrize(
    ("file", "said", "message"),
    [
        ("arc_easy_test.jsonl", "\n", "arc_easy_test.jsonl holds no questions"),
        (
            "arc_easy_test.jsonl",
            lines(CHOSEN) + "{",
            r"line 2 of .*arc_easy_test.jsonl is no question",
        ),
        (
            "arc_easy_test.jsonl",
            lines({**CHOSEN, "answer": 2}),
            "answer 2 is none of its 2 choices",
        ),
        ("arc_easy_test.jsonl", lines({**CHOSEN, "answer": True}), "answer True is none of its 2"),
        ("arc_easy_test.jsonl", lines({**CHOSEN, "choices": "ab"}), "choices are no list of words"),
        ("arc_easy_test.jsonl", lines([1]), "no question in words"),
        ("boolq_test.jsonl", lines({**ASKED, "answer": "7"}), "true, false or ends in ####"),
        ("cola_dev.tsv", "gj04\t2\t\tI go.\nx\ty\n", "line 1 of .* no source, 0 or 1"),
        ("rte_dev.tsv", PAIRS.replace("label", "class"), "begin with the headings index"),
        (
            "rte_dev.tsv",
            PAIRS + "3\ta\tb\n",
            "line 4 of .* is no number, two sentences and a label",
        ),
        ("sst2_test.txt", "0 a\nb\n", "line 2 of .* is no class number and sentence: 'b'"),
        ("sst2_test.txt", "", "holds no sentences"),
        ("sst2_test.txt", "7 a\n", r"sst2_test.txt has the class 7, which sst2_train.txt has not"),
        ("sst2_train.txt", "0 a\n2 b\n", r"sst2_train.txt has the classes \[0, 2\], not all"),
        (
            "rte_dev.tsv",
            PAIRS.replace("not_", "un"),
            r"only one of .*rte_train.tsv and .*rte_dev.tsv has the label",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_file_and_line(folder, file, said, message):
    (folder / "text" / file).write_text(said)
    names = {"arc": "arc-easy", "boolq": "boolq", "cola": "cola", "rte": "rte", "sst2": "sst-2"}
    with pytest.raises(ExperimentError, match=message):
        load(names[file.partition("_")[0]], folder)


@pytest.mark.parametrize("name", ["arc-easy", "gsm8k", "cola", "rte", "sst-2"])
def test_damaged_files_are_read_or_refused(folder, name):
    stem = name.replace("-", "_" if name == "arc-easy" else "")
    files = sorted((folder / "text").glob(f"{stem}_*"))
    damage_files((name, folder, files), read_or_refused, 1, 60)


def read_or_refused(name, folder, path):
    try:
        load(name, folder)
    except ExperimentError as error:
        if path.name not in str(error):
            raise AssertionError("the file is not named") from error
        return False
    return True
