"""Plots: one module a kind; a function takes saved records, computes nothing, returns a figure."""
