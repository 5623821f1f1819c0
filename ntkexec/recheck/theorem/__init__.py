"""Theorems about programs on all graphs, as obligations that machine-checked proofs discharge.

What is here is what a theorem *says*, and the checker of its proofs. `ntkexec.prove` finds the proofs
and is not to be trusted. Like all of `recheck`, this folder needs nothing else.
"""
