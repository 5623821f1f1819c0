"""Links whose bandwidth is known over time, as running sums in which a download is looked up.

```python
import numpy as np
from experiments.language.netllm import Links

links = Links.of([(np.arange(60.0), np.full(60, 2.0))])  # seconds, megabits a second
print(links.total)  # [118.]
```
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from ntkexec.errors import ExperimentError

FINEST_SECONDS, FINEST_MEGABITS = 1e-3, 2e-3
"""What a float must tell apart at a trace's end: some hundredth of a round trip, and some five hundredth of
a chunk of 4 s at 300 kilobits a second."""


class Links(NamedTuple):
    """Traces of bandwidth, filled up on the right to one length; each begins anew when it ends.

    Args:
        end: of every segment in seconds, beginning with 0; infinite where filled up.
        sent: megabits that the link could have carried until then.
        rate: of the segment that ends there, in megabits a second.
        period: seconds until the trace begins anew.
        total: megabits in that time.
    """

    end: Float[Array, "N S"]
    sent: Float[Array, "N S"]
    rate: Float[Array, "N S"]
    period: Float[Array, "N"]
    total: Float[Array, "N"]

    @classmethod
    def of(
        cls,
        traces: Sequence[tuple[Float[ArrayLike, "S"], Float[ArrayLike, "S"]]],
        *,
        kind: Any = np.float32,
    ) -> "Links":
        """Links of traces.

        Args:
            traces: seconds that grow, and the megabits a second since the time before; the first
                bandwidth is of no time, as in the public simulator.
            kind: of floats; float64 needs JAX in that mode. In float32 a trace may last four and a half
                hours and carry 32,768 megabits; more it cannot count finely enough.

        Raises:
            ExperimentError: a trace whose times do not grow, which carries nothing, or is no trace; one
                that is too long for `kind`.
        """
        rows = [(np.asarray(time, float), np.asarray(speed, float)) for time, speed in traces]
        for number, (time, speed) in enumerate(rows):
            good = time.ndim == 1 and time.shape == speed.shape and len(time) > 1
            if not good or not np.isfinite(time).all() or (np.diff(time) <= 0).any():
                raise ExperimentError(f"times of trace {number} do not grow, or are not two")
            if not np.isfinite(speed).all() or speed.min() < 0 or not speed[1:].any():
                raise ExperimentError(f"trace {number} carries nothing, or less")
        if not rows:
            raise ExperimentError("there is no trace")
        length = max(len(time) for time, _ in rows)
        end, sent, rate = (np.full((len(rows), length), filled) for filled in (np.inf, np.inf, 1.0))
        for row, (time, speed) in enumerate(rows):
            size = len(time)
            end[row, :size], rate[row, :size] = time - time[0], speed
            sent[row, :size] = np.concatenate([[0], np.cumsum(np.diff(time) * speed[1:])])
        last = np.array([len(time) - 1 for time, _ in rows])
        each = np.arange(len(rows))
        made = (end, sent, rate, end[each, last], sent[each, last])
        _refuse_coarse(made[3], "seconds", FINEST_SECONDS, kind)
        _refuse_coarse(made[4], "megabits", FINEST_MEGABITS, kind)
        return cls(*(np.asarray(one, kind) for one in made))  # type: ignore[arg-type]

    def chosen(self, rows: Int[ArrayLike, "M"]) -> "Links":
        """Some of them."""
        return Links(*(one[np.asarray(rows)] for one in self))


def _refuse_coarse(counted: np.ndarray, what: str, finest: float, kind: Any) -> None:
    """Sums up to which floats leave out more than the finest step that counts."""
    row = int(counted.argmax())
    largest = np.asarray(counted[row], kind)
    step = float(largest - np.nextafter(largest, np.asarray(0, kind)))
    if not step <= finest:
        raise ExperimentError(
            f"{np.dtype(kind)} counts the {counted[row]:,.0f} {what} of trace {row} in steps of {step:.2g}, "
            f"not {finest:g}: give kind=numpy.float64, with JAX in that mode, or cut the trace"
        )
