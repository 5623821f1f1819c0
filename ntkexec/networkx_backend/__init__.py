"""ntkexec as a backend of networkx: its functions, computed by programs with a learned update.

networkx finds it by the entry points of the distribution: `interface` when a function is called with
`backend="ntkexec"`, `info` whenever networkx is imported, which is why nothing here loads JAX.
"""
