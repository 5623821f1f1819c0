"""The commands, one module each: `command` is its function, `EXAMPLE` closes its help.

A module's own imports are light, so that help and completion do not wait for JAX.
"""
