"""Studies as plain data: what JSON holds, and figures read."""

from collections.abc import Mapping
from typing import Literal, TypedDict

from ntkexec.vocabulary import Convention

BoundName = Literal["published", "theory", "numerical", "certificate", "union", "lower"]


class BoundsRecord(TypedDict):
    """`Bounds` as plain data; None where no number is enough."""

    published: int
    theory: int
    numerical: int | None
    certificate: int | None
    union: int | None
    lower: int | None


class CertaintyRecord(TypedDict):
    """`Certainty` as plain data; the lists are by number of networks."""

    members: list[int]
    predicted: list[float]
    union: list[float]
    independent: list[float]
    measured: list[float]
    low: list[float]
    high: list[float]
    simulations: int
    repeat: int


class StudyRecord(TypedDict):
    """`Study` as plain data; None for numbers that are not finite."""

    algorithm: str
    parameters: Mapping[str, int]
    kind: str
    draw: str
    width: int | None
    threshold: Convention
    weight_std: float
    num_inputs: int
    max_matches: int
    max_writers: int
    num_graphs: int
    num_nodes: int
    num_steps: int
    num_states: int
    num_decisions: int
    noise_ratio: float | None
    smallest_margin: float | None
    members: int
    delta: float
    bounds: BoundsRecord
    first: list[int | None]
    stable: list[int | None]
    certainty: CertaintyRecord
    seconds: float
    own_bounds: Mapping[str, float | None]
    exact_at: Mapping[str, float]
    median: float | None
    quantile_99: float | None
    median_interval: list[float | None]


class TrendRecord(TypedDict):
    """`Trend` as plain data."""

    size: str
    values: list[float]
    exponent: float
    interval: list[float]
    noise_exponent: float
