"""Replies of a vision model: a count where there is one way to read it, a refusal where there is not."""

import json
import os
import random
import time

import pytest

from experiments.files.words import LONGEST
from experiments.vision.lvlm_count.replies import MOST, Reply, message, parsed

TARGET = "red discs"
SAID = json.dumps({"can_not_count_because_too_many": False, "count": 12})
TOO_MANY = json.dumps({"can_not_count_because_too_many": True, "count": 0})


@pytest.mark.parametrize(
    "text, count",
    [
        (SAID, 12),
        (f"```json\n{SAID}\n```", 12),
        (f"Here it is:\n```\n{SAID}\n```\nI looked at 3 rows.", 12),
        (f"```{SAID}```", 12),
        (f"Of 40 things: {SAID} are red.", 12),
        (f"{SAID}\n{SAID}", 12),
        ("12", 12),
        ("**12**", 12),
        (" 12.\n", 12),
        ("There are 12 red discs.", 12),
        ("There is 1 red disc in the picture.", 1),
        ("I count 1,234 of them.", 1234),
        ("Answer: 12", 12),
        ("The number of red discs is approximately ~70!", 70),
        ("about 70 of them", 70),
        ("Zero.", 0),
        ("<think>In row 2 there are 5, or 6.</think>12", 12),
        (f"<THINK>7</THINK>\n<think>8</think>\n{SAID}", 12),
        (f"They are 7, no, 8.\n</think>\n{SAID}", 12),
        (f'<think>{{"count": 5}}</think>{SAID}', 12),
    ],
)
def test_a_count_is_read(text, count):
    assert parsed(text, TARGET) == Reply(count)


@pytest.mark.parametrize("text", [TOO_MANY, f"```json\n{TOO_MANY}\n```", f"So: {TOO_MANY}"])
def test_too_many_is_heard_also_from_within_a_fence(text):
    assert parsed(text, TARGET) == Reply(0, too_many=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "none",
        "many",
        "3 or 4",
        "20-30",
        "20 to 30",
        "at least 20",
        "up to 10 red discs",
        "more than 50",
        "not 12",
        "I cannot count more than 20 discs.",
        "There are 2 rows of red discs.",
        "In row 2 there are many.",
        "the 2nd one",
        "GPT4",
        "-5",
        ".5",
        "2.5",
        "50%",
        "1e3",
        "1,23",
        "12 blue discs",
        "٣",
        "½",
        "9" * 5000,
        str(MOST + 1),
        '{"count": 12',
        '{"count": -1}',
        '{"count": 12.0}',
        '{"count": "12"}',
        '{"count": true}',
        '{"count": NaN}',
        '{"count": null}',
        '{"count": 1, "count": 2}',
        '{"number": 3}',
        f'{{"count": {MOST + 1}}}',
        f"{SAID} {TOO_MANY}",
        f"```json\n{SAID}\n```\n```json\n{TOO_MANY}\n```",
        f"<think>{SAID}",
        f"<think>{SAID}</think>",
        f"12 <think> or {SAID}",
        "{" * 100_000,
        '{"a":' * 100_000,
        "[" * 100_000 + "7",
        "[12]",
    ],
)
def test_what_may_mean_something_else_is_no_count(text):
    with pytest.raises(ValueError) as refusal:
        parsed(text, TARGET)
    assert len(str(refusal.value)) <= 2 * LONGEST
    assert str(refusal.value).isprintable()


def test_a_number_of_the_question_is_no_answer():
    with pytest.raises(ValueError, match="something else, by '4'"):
        parsed("There are 4 leaf clovers.", "4 leaf clovers")


def test_terminal_commands_in_a_reply_are_escaped():
    with pytest.raises(ValueError, match=r"\\x1b\[2J\\u202e"):
        parsed("\x1b[2J\u202e many", TARGET)


@pytest.mark.parametrize(
    "text", ["<think" * 50_000, "```" * 100_000, "```\n" * 100_000, "{}" * 99_999]
)
def test_long_replies_are_read_in_time_that_grows_with_them(text):
    start = time.process_time()
    with pytest.raises(ValueError):
        parsed(text, TARGET)
    # A quadratic reading takes minutes.
    assert time.process_time() - start < 3


def choice(content, **more):
    return {"choices": [{"message": {"content": content}, **more}]}


def test_the_message_is_taken_whole_or_in_parts():
    assert message(choice("12")) == "12"
    assert message(choice("12", finish_reason="stop")) == "12"
    assert message(choice([{"type": "text", "text": "1"}, {"text": "2"}])) == "12"


@pytest.mark.parametrize(
    "answer, says",
    [
        (choice('{"count": 1', finish_reason="length"), "was cut"),
        (choice("12", finish_reason="length"), "was cut"),
        (choice("12", finish_reason="content_filter"), "was filtered"),
        (choice(None), "message of text"),
        (choice(12), "message of text"),
        (choice([{"image": 1}]), "message of text"),
        (choice([]), "message of text"),
        ({"choices": []}, "without a message"),
        ({"choices": {"0": 1}}, "without a message"),
        ({"choices": [7]}, "without a message"),
        ([1], "without a message"),
        (None, "without a message"),
        ("12", "without a message"),
    ],
)
def test_a_cut_or_absent_message_is_none(answer, says):
    with pytest.raises(ValueError, match=says):
        message(answer)


# The fuzzer: replies put together from what models say, and damaged.

PIECES = (
    SAID,
    TOO_MANY,
    "```json\n",
    "```",
    "<think>",
    "</think>",
    "There are ",
    "12",
    "3",
    "1,000",
    "red discs",
    " or ",
    "at least ",
    "{",
    "}",
    '"count"',
    ": ",
    "\x00",
    "\x1b[31m",
    "\ud800",
    "\u2028",
    "٣",
    "\U0001d7d9",  # a digit, but none of ours
    "NaN",
    "-",
    ".",
    "\n",
)


def damaged(chance):
    text = "".join(chance.choices(PIECES, k=chance.randint(0, 8)))
    for _ in range(chance.choice((0, 0, 1, 3))):
        place = chance.randrange(len(text) + 1)
        text = text[:place] + chance.choice(("", chr(chance.randrange(1, 400)))) + text[place + 1 :]
    return text


def try_replies(seed, number):
    chance, counted, said = random.Random(seed), 0, []
    for _ in range(number):
        text = damaged(chance)
        for reply in (text, choice(text, finish_reason=chance.choice(("stop", "length", None, 3)))):
            try:
                found = parsed(reply if isinstance(reply, str) else message(reply), TARGET)
            except ValueError as refusal:
                said.append(str(refusal))
                continue
            counted += 1
            assert type(found.count) is int, text
            assert 0 <= found.count <= MOST, text
            # It stands in the reply, as a figure or as the word that was asked for.
            assert str(found.count) in text.replace(",", "") or text.strip().lower() == "zero", text
    assert all(words.isprintable() and len(words) <= 2 * LONGEST for words in said)
    return counted


def test_damaged_replies_are_read_or_refused():
    assert try_replies(0, 3000) > 100


@pytest.mark.slow
def test_many_damaged_replies_are_read_or_refused():
    assert try_replies(int(os.environ.get("NTKEXEC_FUZZ_SEED", "1")), 400_000) > 10_000
