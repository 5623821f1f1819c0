"""How the number of networks grows with the sizes of the program and of the networks."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import stats

from ntkexec.complexity.records import TrendRecord
from ntkexec.complexity.studies import Study, as_floats

SIZES: Mapping[str, Callable[[Study], float | None]] = {
    "n0": lambda s: s.num_inputs,
    "m": lambda s: s.max_matches,
    "degree": lambda s: s.sizes.get("degree"),
    "word": lambda s: s.sizes.get("word", s.sizes.get("message_bits")),
    "width": lambda s: s.width,
    "weight_std": lambda s: s.weight_std,
}

FEWEST_SIZES = 3


@dataclasses.dataclass(frozen=True)
class Trend:
    """A power law: N grows like size^exponent, fitted to all repetitions of all studies.

    Args:
        size: n0, m, degree, word, width or weight_std.
        values: the sizes that were studied.
        exponent: of the stable N.
        interval: its 95 % confidence interval, from the regression's residuals.
        noise_exponent: likewise of sigma^2 / mu^2, which is computed, not sampled.
    """

    size: str
    values: tuple[float, ...]
    exponent: float
    interval: tuple[float, float]
    noise_exponent: float

    def to_data(self) -> TrendRecord:
        """As plain data, for JSON."""
        return TrendRecord(
            size=self.size,
            values=list(self.values),
            exponent=self.exponent,
            interval=list(self.interval),
            noise_exponent=self.noise_exponent,
        )


def trends(studies: Sequence[Study]) -> tuple[Trend, ...]:
    """The trend with every size of which the studies have three values or more.

    Through two points runs every law.

    Sizes that grow together (n0 with the degree) each show the whole growth. There is none where a
    repetition had no exact ensemble: it would have needed the most, and a fit to the others would be
    too shallow. Give such studies more members.
    """
    if any(n is None for study in studies for n in study.stable):
        return ()
    found = []
    for name, size_of in SIZES.items():
        sizes = [size_of(s) for s in studies]
        if any(size is None for size in sizes) or len(set(sizes)) < FEWEST_SIZES:
            continue
        x, y, ratio = [], [], []
        for size, study in zip(sizes, studies, strict=True):
            numbers = as_floats(study.stable)
            x += [np.log(float(size or 0))] * len(numbers)
            y += np.log(numbers).tolist()
            ratio += [np.log(study.noise_ratio)] * len(numbers)
        fit = stats.linregress(x, y)
        slack = float(stats.t.ppf(0.975, max(1, len(x) - 2)) * fit.stderr)
        found.append(
            Trend(
                size=name,
                values=tuple(sorted({float(size or 0) for size in sizes})),
                exponent=float(fit.slope),
                interval=(float(fit.slope) - slack, float(fit.slope) + slack),
                noise_exponent=float(stats.linregress(x, ratio).slope),
            )
        )
    return tuple(found)
