"""The errors that a user can meet, named by meaning.

Each message gives the value, the rule and the place.
"""


class NtkexecError(ValueError):
    """Base of every error raised for bad input; the command line turns it into exit status 2."""


class LayoutError(NtkexecError):
    """A field does not exist, overlaps, or was given a value that does not fit."""


class ProgramError(NtkexecError):
    """A template or a program is malformed."""


class GraphError(NtkexecError):
    """A graph cannot be read, or breaks a bound that the program needs."""


class ColouringError(GraphError):
    """Two nodes within two hops share a colour."""


class CertificateError(NtkexecError):
    """A program was asked to run under a certificate that does not hold."""


class EnsembleError(NtkexecError):
    """An ensemble could not be trained, or a stored one is damaged or belongs to another program."""


class ExperimentError(NtkexecError):
    """An experiment does not exist, was configured wrongly, or its stored results are damaged."""


class MissingExtraError(NtkexecError):
    """An optional dependency is needed; the message names the extra that brings it."""
