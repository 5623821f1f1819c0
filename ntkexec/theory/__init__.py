"""Closed forms of the theory, without graphs: kernels, predictions, thresholds, certificates."""
