"""The part of an error message that says what the user may have meant."""

import difflib
from collections.abc import Iterable

from ntkexec.errors import shown


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """A clause that names the candidates nearest to a word, or nothing if none is near.

    Args:
        word: what the user wrote.
        candidates: what would have been valid.

    Returns:
        For example `"; did you mean 'karate'?"`, or `""`.
    """
    near = difflib.get_close_matches(word, list(candidates), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(map(shown, near))}?" if near else ""
