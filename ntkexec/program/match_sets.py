"""All sets of templates that a state can match, listed completely."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt64

from ntkexec.errors import CertificateError
from ntkexec.program.invariants import NOTHING, Invariants
from ntkexec.program.templates import Template

MAX_TEMPLATES = 64
MAX_SETS = 1 << 20


def all_match_sets(
    templates: Sequence[Template], invariants: Invariants = NOTHING, *, limit: int = MAX_SETS
) -> Bool[np.ndarray, "s t"]:
    """Every set of templates that is exactly the set matched by some state, one a row.

    One condition bit after another is given both values; what is carried along is only which
    templates can still match and how far each invariant is used up, and equal such positions are
    joined. So the work grows with the number of sets and not with the number of states.

    Args:
        templates: those of a component, in the order of the columns.
        invariants: what is assumed of states; none for all states whatsoever.
        limit: most positions to carry along.

    Returns:
        The sets, increasing if the first template is the lowest bit of a number.

    Raises:
        CertificateError: more than 64 templates, or more positions than the limit.
    """
    if len(templates) > MAX_TEMPLATES:
        raise CertificateError(
            f"match sets of up to {MAX_TEMPLATES} templates can be listed, not of {len(templates)}"
        )
    read = {bit for entry in templates for bit, _ in entry.condition}
    # One with more than 64 groups would not fit a mask and is left out, which only lists more.
    counters = [
        (one.bound, {bit: g for g, group in enumerate(one.groups) for bit in group})
        for one in invariants.among(read)
        if len(one.groups) <= MAX_TEMPLATES
    ]
    order = _order(templates, counters)
    kills = {bit: [0, 0] for bit in read}
    for index, entry in enumerate(templates):
        for bit, value in entry.condition:
            kills[bit][not value] |= 1 << index
    # Columns: the templates that can still match; of every invariant how many groups are in use, and
    # which of those whose bits are not all decided yet.
    positions = np.zeros((1, 1 + 2 * len(counters)), np.uint64)
    positions[0, 0] = (1 << len(templates)) - 1
    for place, bit in enumerate(order):
        zero, one = positions.copy(), positions.copy()
        zero[:, 0] &= ~np.uint64(kills[bit][0])
        one[:, 0] &= ~np.uint64(kills[bit][1])
        allowed = np.ones(len(one), bool)
        for index, (bound, groups) in enumerate(counters):
            group = groups.get(bit)
            if group is None:
                continue
            count, in_use = one[:, 1 + 2 * index], one[:, 2 + 2 * index]
            count += 1 - (in_use >> np.uint64(group) & np.uint64(1))
            in_use |= np.uint64(1 << group)
            allowed &= count <= bound
        positions = np.concatenate([zero, one[allowed]])
        for index, (_, groups) in enumerate(counters):
            later = {groups[b] for b in order[place + 1 :] if b in groups}
            if not later:
                positions[:, 1 + 2 * index] = 0
            if bit in groups and groups[bit] not in later:
                positions[:, 2 + 2 * index] &= ~np.uint64(1 << groups[bit])
        positions = np.unique(positions, axis=0)
        if len(positions) > limit:
            raise CertificateError(
                f"the match sets of {len(templates)} templates over {len(read)} bits are too many "
                f"to list: more than {limit:,} positions"
            )
    return _as_matrix(np.unique(positions[:, 0]), len(templates))


def _order(
    templates: Sequence[Template], counters: Sequence[tuple[int, dict[int, int]]]
) -> list[int]:
    """What many templates read comes first, since it leaves few that can still match."""
    readers: dict[int, int] = {}
    for entry in templates:
        for bit, _ in entry.condition:
            readers[bit] = readers.get(bit, 0) + 1
    place = {
        bit: (index, group)
        for index, (_, groups) in enumerate(counters)
        for bit, group in groups.items()
    }
    return sorted(readers, key=lambda bit: (-readers[bit], place.get(bit, (-1, 0)), bit))


def _as_matrix(masks: UInt64[np.ndarray, "s"], num_templates: int) -> Bool[np.ndarray, "s t"]:
    """The masks as rows of template by template."""
    places = np.arange(num_templates, dtype=np.uint64)
    return (masks[:, None] >> places[None]) & np.uint64(1) == 1
