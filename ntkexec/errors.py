"""The errors that a user can meet, named by meaning, and the words of strangers in them.

Each message gives the value, the rule and the place.
"""

import difflib
import re
from collections.abc import Iterable


def clean(text: str, *, limit: int = 300) -> str:
    """Text from a file, a name or a server, fit to be shown in one line of a message.

    Args:
        text: anything.
        limit: characters to keep, escapes counted; of a longer text the middle is left out.

    Returns:
        The text with every character that is not printable escaped as Python writes it: control
        characters, line breaks, marks that turn the direction of writing, lone surrogates.

    Example:
        >>> clean("a\\x1b[31m\\nb")
        'a\\\\x1b[31m\\\\nb'
    """
    if not text.isprintable():
        text = "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
        )
    if len(text) > limit:
        text = f"{text[: limit * 2 // 3]} ... {text[len(text) - limit // 3 :]}"
    return text


def shown(value: object, *, limit: int = 80) -> str:
    """A value as Python writes it, for a message: in quotes if it is text, on one line, cut."""
    return clean(repr(value), limit=limit)


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


class NtkexecError(ValueError):
    """Base of every error raised for bad input; the command line turns it into exit status 2."""


class OwnCodeError(NtkexecError):
    """A user's own module or function ended in an error of its own.

    Args:
        message: in a line, what ended in what.
        trace: the lines of the user's code, as Python writes them.
    """

    def __init__(self, message: str, trace: str) -> None:
        super().__init__(message)
        self.trace = trace


class LayoutError(NtkexecError):
    """A field does not exist, overlaps, or was given a value that does not fit."""


class ProgramError(NtkexecError):
    """A template or a program is malformed."""


class GraphError(NtkexecError):
    """A graph cannot be read, or breaks a bound that the program needs.

    Args:
        message: may hold words of strangers, such as the names of nodes; they are escaped.
    """

    def __init__(self, message: str) -> None:
        super().__init__(clean(message, limit=800))


class ColouringError(GraphError):
    """Two nodes within two hops share a colour."""


class CertificateError(NtkexecError):
    """A program was asked to run under a certificate that does not hold."""


class InexactError(NtkexecError):
    """A learned update decided a bit otherwise than the program, where only an exact answer is given."""


class ExecutionError(NtkexecError):
    """An execution that leaves out what need not be done did something else than the program."""


class EnsembleError(NtkexecError):
    """An ensemble could not be trained, or a stored one is damaged or belongs to another program."""


class ExperimentError(NtkexecError):
    """An experiment does not exist, was configured wrongly, or its stored results are damaged."""


class ProofError(NtkexecError):
    """What was to be proved has no proof, or none was found."""


class SatisfiableError(ProofError):
    """A formula that was to be refuted has a model.

    Args:
        message: which.
        model: the value of every variable, by number; index 0 is none.
    """

    def __init__(self, message: str, model: list[bool]) -> None:
        super().__init__(message)
        self.model = model

    def __reduce__(self) -> tuple[type, tuple[str, list[bool]]]:
        return type(self), (str(self), self.model)  # it comes out of other processes


class MissingExtraError(NtkexecError):
    """An optional dependency is needed; the message names the extra that brings it.

    Args:
        message: names it as `ntkexec[plots]`. How it is installed is added here: ntkexec is on no package
            index, where that name may be anybody's.
    """

    def __init__(self, message: str) -> None:
        named = re.findall(r"\bntkexec\[([\w-]+)\]", message)
        how = "".join(f" (in a checkout: pip install -e '.[{extra}]')" for extra in named)
        super().__init__(message + how)
