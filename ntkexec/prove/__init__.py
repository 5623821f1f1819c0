"""Finds proofs for the obligations of theorems; `ntkexec.recheck` checks them and trusts nothing here.

Needs python-sat: `pip install -e '.[prove]'` in a checkout.
"""
