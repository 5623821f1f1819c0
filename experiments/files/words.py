"""Words of strangers, such as servers and data files, made fit for a message to a terminal."""

import re
import sys

from ntkexec.errors import clean

LONGEST = 300
"""Characters of a stranger that a message repeats."""


def shown(words: object, longest: int = LONGEST) -> str:
    """Words on one line, cut after some 300 characters, without what a terminal would obey.

    Args:
        words: of somebody else; what is no text is turned into it.
        longest: characters that are kept; what is cut off is stood for by an ellipsis.

    Returns:
        Printable characters alone: line ends, escape sequences, marks that turn the direction of
        writing and halves of surrogate pairs appear as `\\x1b`, `\\u202e` and the like.
    """
    try:
        text = str(words).strip()
    except RecursionError:
        text = f"a {type(words).__name__} nested too deeply"
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return clean(cut, limit=sys.maxsize)


def quoted(value: object, longest: int = LONGEST, *, secret: bool = False) -> str:
    """A value as Python writes it, cut and escaped as by `shown`.

    Args:
        value: of anybody.
        longest: characters that are kept.
        secret: whether it may hold an address with a password; see `redacted`.
    """
    try:
        text = repr(redacted(value) if secret and isinstance(value, str) else value)
    except RecursionError:
        return f"a {type(value).__name__} nested too deeply"
    return shown(redacted(text) if secret else text, longest)


def redacted(address: str) -> str:
    """An address without what could be a secret: a user, a password, a query.

    Everything up to the last `@` counts as user and password, since they may hold any other mark.
    """
    head, slashes, rest = address.partition("//")
    if not slashes:
        head, rest = "", head
    if "@" in rest:
        rest = "***@" + rest.rpartition("@")[2]
    return head + slashes + re.sub(r"(?s)([?#]).*", r"\1***", rest)
