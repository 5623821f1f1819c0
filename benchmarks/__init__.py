"""Benchmarks: `python -m benchmarks NAME` compares with a named rival in the same run."""
