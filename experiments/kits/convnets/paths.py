"""Names of layers: the keys of their parameters, or else those of the modules around them."""

import itertools
import re
from collections.abc import Collection, Iterable

_LIFTED = re.compile(r"^(?:\w+\()+")
_METHOD = re.compile(r"^(\w+)\.\w+$")


def modules_of(leaves: Iterable[str]) -> frozenset[str]:
    """Every module that holds parameters, or has one within that does."""
    return frozenset(
        module
        for leaf in leaves
        for module in itertools.accumulate(leaf.split("/")[:-1], "{}/{}".format)
    )


def path_of(scope: str, name: str, leaves: Collection[str], modules: Collection[str]) -> str:
    """The path of a layer within the tree of parameters.

    Flax's scopes say more than that: `encoder.encode` where another method than `__call__` runs,
    `vmap(dense)`, and a module twice where it calls its own methods. RNNs run their cell in a scope of
    their own, although it is their neighbour.

    Args:
        scope: of the trace, such as `Model/block/conv`; an einsum's formula is its last part.
        name: of the model, where the scope begins with it.
        leaves: parameters that the layer multiplies with, such as `block/conv/kernel`; where they are
            of one module, that is the layer's.
        modules: all that the tree has.
    """
    parts = _parts(scope, name, modules)
    formula = parts[-1:] if parts and "->" in parts[-1] else []
    holders = {leaf.rpartition("/")[0] for leaf in leaves}
    if len(holders) > 1:  # such as a kernel, and its scale in a wrapper
        holders = {one for one in holders if [one.rpartition("/")[2]] == parts[-1:]}
    if len(holders) == 1:
        parts = [*filter(None, holders), *formula]
    return "/".join(parts)


def _parts(scope: str, name: str, modules: Collection[str]) -> list[str]:
    cleaned = (_LIFTED.sub("", part).rstrip(")") for part in scope.split("/"))
    left = [_METHOD.sub(r"\1", part) for part in cleaned if part]
    if left[:1] == [name]:
        left = left[1:]
        while left[:1] == [name] and name not in modules:
            left = left[1:]
    parts: list[str] = []
    for part in left:
        if parts[-1:] != [part] or "/".join([*parts, part]) in modules:
            parts.append(part)
    return parts
