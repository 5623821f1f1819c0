"""Plots: one module a kind; its `plot` takes saved records, computes nothing, returns a figure."""
