"""What satellites can afford: rates of their links, and a battery with its books."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from ntkexec.errors import ExperimentError

BOLTZMANN = 1.380649e-23
LIGHT_KM = 299_792.458


@dataclasses.dataclass(frozen=True)
class Power:
    """A satellite's battery, panels, processor and radio.

    Args:
        capacity: of the battery, in joules.
        floor: below which no work may take it.
        sun: watts from the panels, for this work, in sunlight.
        compute: joules of one round's training; for a processor kappa C n E f^2.
        transmit: watts of the radio.
        bandwidth: in hertz.
        carrier: frequency in hertz.
        gain: of both antennas together, in decibels.
        temperature: of the noise, in kelvins.
    """

    capacity: float = 1000.0
    floor: float = 200.0
    sun: float = 0.1
    compute: float = 250.0
    transmit: float = 5.0
    bandwidth: float = 1e6
    carrier: float = 2e9
    gain: float = 20.0
    temperature: float = 290.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            least = {"gain": -np.inf, "floor": 0, "sun": 0, "compute": 0}.get(field.name, 1e-300)
            if not (np.isfinite(value) and value >= least):
                raise ExperimentError(f"{field.name} of a satellite cannot be {value!r}")
        if not self.floor < self.capacity:
            raise ExperimentError(f"a battery of {self.capacity:g} J has no floor {self.floor:g}")

    def rate(self, distance: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Bits a second over so many km: Shannon's, with free-space loss."""
        loss = (4 * np.pi * np.asarray(distance, float) * self.carrier / LIGHT_KM) ** 2
        noise = BOLTZMANN * self.temperature * self.bandwidth
        received = self.transmit * 10 ** (self.gain / 10) / loss
        return self.bandwidth * np.log2(1 + received / noise)


@dataclasses.dataclass(frozen=True, eq=False)
class Books:
    """A battery's levels and where its energy came from and went, in joules.

    Args:
        level: before every step and after the last.
        worked: in which steps each satellite did its work.
        harvested: came from the Sun, in each step.
        spent: on work.
        overflowed: came while the battery was full.
    """

    level: Float[np.ndarray, "T+1 S"]
    worked: Bool[np.ndarray, "T S"]
    harvested: Float[np.ndarray, "T S"]
    spent: Float[np.ndarray, "T S"]
    overflowed: Float[np.ndarray, "T S"]


def battery(
    start: Float[np.ndarray, "S"],
    harvest: Float[np.ndarray, "T S"],
    cost: Float[np.ndarray, "T S"],
    power: Power,
    *,
    wanted: Bool[np.ndarray, "T S"] | None = None,
) -> Books:
    """Batteries step by step: work is done where it leaves the floor, and panels fill up to the capacity.

    Args:
        start: levels at the beginning, between floor and capacity.
        harvest: joules that the panels give in each step.
        cost: joules of each step's work.
        power: whose floor and capacity count.
        wanted: in which steps there is work; by default in all.

    Raises:
        ExperimentError: shapes differ, something is negative or not finite, or a battery starts outside of
            its range.
    """
    harvest, cost, start = (np.asarray(one, float) for one in (harvest, cost, start))
    asked = np.ones(cost.shape, bool) if wanted is None else np.asarray(wanted, bool)
    if not harvest.shape == cost.shape == asked.shape == (len(cost), *start.shape):
        raise ExperimentError(
            f"batteries {start.shape} with a harvest of {harvest.shape}, costs of {cost.shape} and work "
            f"of {asked.shape} do not fit"
        )
    if not all((np.isfinite(one) & (one >= 0)).all() for one in (harvest, cost)):
        raise ExperimentError("harvests and costs are finite and not negative")
    if not ((start >= power.floor) & (start <= power.capacity)).all():
        raise ExperimentError(f"batteries start between {power.floor:g} and {power.capacity:g} J")
    level, worked, overflowed = [start], [], []
    for came, asks, price in zip(harvest, asked, cost, strict=True):
        works = asks & (level[-1] - price >= power.floor)
        full = level[-1] - np.where(works, price, 0) + came
        level.append(np.minimum(full, power.capacity))
        worked.append(works)
        overflowed.append(full - level[-1])
    done = np.array(worked).reshape(cost.shape)
    return Books(
        np.array(level),
        done,
        harvest,
        np.where(done, cost, 0),
        np.array(overflowed).reshape(cost.shape),
    )
