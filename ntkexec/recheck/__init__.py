"""Verifies certificates and theorems; for whoever trusts neither them nor what made them.

    python -m ntkexec.recheck CERTIFICATE ENSEMBLE_FOLDER
    python -m ntkexec.recheck THEOREM_FOLDER [ENSEMBLE_FOLDER]
    python -m ntkexec.recheck example

A certificate says that networks decide as a program does; a theorem, what a program computes on all
graphs, and, with an ensemble, that its networks do. `example` is a theorem that comes along.

Needs numpy and safetensors only and imports nothing else: this folder, copied away from the rest, works
as it stands. It shares no code with what makes certificates: match sets come from branching on templates
instead of on bits, decisions from the weights in integers with a bound of its own on rounding, and what
is printed from what was checked. Proofs are found elsewhere, and checked here step by step. The
templates are taken as they stand; their digest is printed.

Exit status: 0 if all of it is right, 1 if not, 2 if it cannot be read.
"""
