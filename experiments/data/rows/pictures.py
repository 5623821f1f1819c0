"""Rows."""

from experiments.data.catalogue import DataSet, Place

EMOJI = ("benchmark_data.json", "images")

ROWS: tuple[DataSet, ...] = (
    DataSet(
        "emoji-count",
        "counting",
        "82 pictures of 2 to 6 kinds of look-alike icons and 415 questions of how many",
        (Place("emoji_count", EMOJI), Place("emoji-count", EMOJI)),
        "https://github.com/mrghofrani/lvlm-count",
        "Fetrat Qharabagh, Ghofrani and Fountoulakis, arXiv:2412.00686, 2024; CC BY 4.0",
        reference="mean absolute errors from 23.57 to 16.57 by dividing, GPT-4o (quoted by others)",
    ),
)
