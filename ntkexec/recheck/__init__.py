"""Verifies a complete certificate: `python -m ntkexec.recheck CERTIFICATE ENSEMBLE_FOLDER`.

For whoever trusts neither the certificate nor the folder. Needs numpy and safetensors only and imports
nothing else: this folder, copied away from the rest, works as it stands. It shares no code with what
makes certificates: match sets come from branching on templates instead of on bits, decisions from the
weights with a bound of its own, and what is printed from what was checked. The templates are taken as
they stand; their digest is printed.
"""
