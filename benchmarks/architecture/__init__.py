"""How the house is built, read from its sources: who imports whom, the layers, names, the picture.

`tests/architecture` holds the house to it; `python -m benchmarks.architecture` draws the layers.
"""
