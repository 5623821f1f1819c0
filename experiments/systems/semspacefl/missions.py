"""From orbits to a plan of rounds: who is served by whom, who can afford it, what is sent over which hop."""

import dataclasses
from numbers import Integral

import numpy as np
from jaxtyping import Bool, Float, Int

from experiments.kits.federated.traffic import Traffic
from experiments.systems.semspacefl.aggregation import weights_by
from experiments.systems.semspacefl.energy import Books, Power, battery
from experiments.systems.semspacefl.orbits import elevations, sites
from experiments.systems.semspacefl.tracks import Tracks
from ntkexec.errors import ExperimentError

SITES = ((50.0, 8.0), (44.0, 16.0), (40.0, 0.0), (35.0, -105.0), (-25.0, 133.0), (-15.0, -55.0))
"""Latitudes and longitudes: three gateways that share a sky, and three that are alone."""


@dataclasses.dataclass(frozen=True)
class Mission:
    """When rounds happen and who takes part.

    Args:
        sites: latitudes and longitudes of the gateways, in degrees.
        least: elevation in degrees from which a gateway serves.
        slot: seconds for which a satellite is served by one gateway, the one that sees it highest.
        slots: of a gateway round.
        rounds: gateway rounds.
        cloud_every: gateway rounds of a cloud round.
        power: of the satellites.
        begin: when it does, in seconds by the clock of the tracks, such as 1.7e9 of a table in Unix time.
    """

    sites: tuple[tuple[float, float], ...] = SITES
    least: float = 10.0
    slot: float = 30.0
    slots: int = 24
    rounds: int = 30
    cloud_every: int = 2
    power: Power = dataclasses.field(default_factory=Power)
    begin: float = 0.0

    def __post_init__(self) -> None:
        counts = (self.slots, self.rounds, self.cloud_every)
        if not all(isinstance(n, Integral) and not isinstance(n, bool) for n in counts):
            raise ExperimentError(f"slots and rounds are whole numbers, not {counts}")
        sites(self.sites)
        if not abs(self.least) <= 90:
            raise ExperimentError(f"gateways serve from an elevation, not {self.least!r} degrees")
        if not (np.isfinite(self.begin) and 0 < self.slot < np.inf):
            raise ExperimentError(f"no slot of {self.slot!r} s begins at {self.begin!r} s")
        if min(counts) < 1:
            raise ExperimentError(
                f"there is at least one slot, round and cloud round, not {counts}"
            )
        if self.rounds % self.cloud_every:
            raise ExperimentError(
                f"{self.rounds} gateway rounds do not make cloud rounds of {self.cloud_every}"
            )

    @property
    def seconds(self) -> Float[np.ndarray, "T"]:
        """The beginnings of all slots."""
        return self.begin + self.slot * np.arange(self.rounds * self.slots)


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """What happens in each gateway round.

    Args:
        shares: of the round that each satellite that takes part is served by each gateway.
        first: the gateway with which each satellite begins; 0 where it takes no part.
        served: who was in sight at all, before time and energy were asked for.
        failed: updates that take longer than a gateway's slots, by round: they are not begun.
        handovers: changes from one gateway to another, by round, of those that take part.
        books: of the batteries, round by round.
        every: gateway rounds of a cloud round.
    """

    shares: Float[np.ndarray, "R S G"]
    first: Int[np.ndarray, "R S"]
    served: Bool[np.ndarray, "R S"]
    failed: Int[np.ndarray, "R"]
    handovers: Int[np.ndarray, "R"]
    books: Books
    every: int

    def weights(
        self, scheme: str, samples: Float[np.ndarray, "S"]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weights (R, S, G) of satellites and (R, G) of gateways, as `weights_by` of every round.

        A gateway's weight at the cloud is the sum over its cloud round, so far; with `uniform` it is 1
        if it served anybody in it.
        """
        both = [weights_by(scheme, samples, share) for share in self.shares]
        satellites, gateways = (np.stack(part) for part in zip(*both, strict=True))
        rounds = gateways.reshape(-1, self.every, gateways.shape[1])
        summed = np.cumsum(rounds, axis=1)
        if scheme == "uniform":
            summed = (summed > 0).astype(float)
        return satellites, summed.reshape(gateways.shape)

    def traffic(self, model_bytes: int) -> Traffic:
        """What goes over every hop: an update to each gateway that served, the model back, once a round."""
        up = int((self.shares > 0).sum())
        down = int((self.shares.sum(2) > 0).sum())
        busy = int(
            (self.shares.sum(1) > 0).reshape(-1, self.every, self.shares.shape[2]).any(1).sum()
        )
        rounds, gateways = len(self.shares) // self.every, self.shares.shape[2]
        return (
            Traffic()
            .plus("gateway to satellite", "model", down * model_bytes, down)
            .plus("satellite to gateway", "update", up * model_bytes, up)
            .plus("gateway to cloud", "model", busy * model_bytes, busy)
            .plus("cloud to gateway", "model", rounds * gateways * model_bytes, rounds * gateways)
        )


def serving(tracks: Tracks, mission: Mission) -> tuple[Int[np.ndarray, "T S"], np.ndarray]:
    """The gateway that serves each satellite in each slot, -1 for none, and how far away it is in km."""
    height, far = elevations(tracks.positions, sites(mission.sites))
    # Satellites that stand still halfway between two gateways are not handed over by rounding.
    height = height.round(6)
    best = height.argmax(2)
    seen = np.take_along_axis(height, best[..., None], 2)[..., 0] >= mission.least
    return np.where(seen, best, -1), np.take_along_axis(far, best[..., None], 2)[..., 0]


def planned(
    tracks: Tracks,
    mission: Mission,
    model_bytes: int,
    *,
    noon: float = 0.0,
    start: float = 1.0,
) -> Plan:
    """A mission's plan: a satellite takes part if a gateway sees it for as long as its update takes to
    send, and its battery affords it.

    Args:
        tracks: of an orbit or a table; taken at the mission's seconds.
        mission: what is planned.
        model_bytes: of one update.
        noon: longitude over which the Sun stands at second 0.
        start: of the batteries, as a share between floor and capacity.

    Raises:
        ExperimentError: the tracks do not cover the mission, the start is no share, or updates have no
            bytes.
    """
    if not 0 <= start <= 1:
        raise ExperimentError(f"batteries start with a share between 0 and 1, not {start!r}")
    if not (isinstance(model_bytes, Integral) and model_bytes > 0):
        raise ExperimentError(f"an update has a whole number of bytes, not {model_bytes!r}")
    known = np.array_equal(tracks.seconds, mission.seconds)
    tracks = tracks if known else tracks.at(mission.seconds)
    by, far = serving(tracks, mission)
    power, cut = mission.power, (mission.rounds, mission.slots, by.shape[1])
    by, far = by.reshape(cut), far.reshape(cut)
    mine = by[..., None] == np.arange(len(mission.sites))
    served = (by >= 0).any(1)
    # An update is sent within the slots of its gateway, each at the rate of its distance.
    seconds, bits = (
        mission.slot * mine.sum(1),
        (mission.slot * power.rate(far)[..., None] * mine).sum(1),
    )
    fits = bits >= 8 * model_bytes
    failed = (mine.any(1) & ~fits).sum((1, 2))
    shares = fits * mine.mean(1)
    by = np.where((mine & fits[:, None]).any(3), by, -1)
    sending = 8 * model_bytes * np.divide(seconds, bits, out=np.zeros_like(bits), where=fits)
    cost = np.where(fits.any(2), power.compute + power.transmit * sending.sum(2), 0)
    lit = tracks.sunlit(noon).reshape(cut).sum(1) * mission.slot
    level = np.full(cut[2], power.floor + start * (power.capacity - power.floor))
    books = battery(level, power.sun * lit, cost, power, wanted=fits.any(2))
    first = np.where(by >= 0, np.arange(mission.slots)[:, None], mission.slots).min(1)
    first = np.take_along_axis(by, np.minimum(first, mission.slots - 1)[:, None], 1)[:, 0]
    return Plan(
        shares * books.worked[..., None],
        np.where(books.worked, first, 0),
        served,
        failed,
        (_changes(by) * books.worked).sum(1),
        books,
        mission.cloud_every,
    )


def _changes(by: Int[np.ndarray, "R L S"]) -> Int[np.ndarray, "R S"]:
    """How often a satellite's gateway is another than the one that served it before, within a round."""
    changes = np.zeros((by.shape[0], by.shape[2]), int)
    last = np.full(changes.shape, -1)
    for slot in np.moveaxis(by, 1, 0):
        changes += (slot >= 0) & (last >= 0) & (slot != last)
        last = np.where(slot >= 0, slot, last)
    return changes
