"""The decision on which a certificate hangs."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class WeakestDecision:
    """The decision that comes closest to its threshold: where the certificate is tight, or fails.

    Args:
        component: which learning problem.
        bit: which bit.
        bit_name: its name.
        expected: whether the bit must be 1.
        num_matches: m.
        num_writers: w.
        num_matched_writers: a.
        mean: at infinite width.
        threshold: which it must exceed, or not.
        margin: distance to the threshold, negative on its wrong side.
    """

    component: int
    bit: int
    bit_name: str
    expected: bool
    num_matches: int
    num_writers: int
    num_matched_writers: int
    mean: float
    threshold: float
    margin: float
