"""Trained ensembles that come with the package: one for every graph, for each of a few programs.

A program of degree 3 with 10 slots runs on every graph whose nodes are split (`graphs.split`). So
its networks are trained once, and their complete certificate, for every graph, is proved once. Both
lie in `ensembles/`; the certificate is checked again by `ntkexec.recheck` before it is relied on.
"""

from ntkexec.universal.making import SIZES, difference, make
from ntkexec.universal.serving import Served, fitted, serve
from ntkexec.universal.shipped import FOLDER, names, proof_of, stored

__all__ = [
    "FOLDER",
    "SIZES",
    "Served",
    "difference",
    "fitted",
    "make",
    "names",
    "proof_of",
    "serve",
    "stored",
]
