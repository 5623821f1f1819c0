"""SemSpaceFL: learning a codec over a constellation of satellites, averaged by who serves whom how long."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.systems.semspacefl.aggregation import effective_weights as effective_weights
    from experiments.systems.semspacefl.aggregation import over_mesh as over_mesh
    from experiments.systems.semspacefl.aggregation import two_tier_average as two_tier_average
    from experiments.systems.semspacefl.aggregation import weights_by as weights_by
    from experiments.systems.semspacefl.codec import SemanticCodec as SemanticCodec
    from experiments.systems.semspacefl.energy import Power as Power
    from experiments.systems.semspacefl.energy import battery as battery
    from experiments.systems.semspacefl.missions import Mission as Mission
    from experiments.systems.semspacefl.missions import planned as planned
    from experiments.systems.semspacefl.orbits import Constellation as Constellation
    from experiments.systems.semspacefl.orbits import sites as sites
    from experiments.systems.semspacefl.orbits import visible as visible
    from experiments.systems.semspacefl.rate_distortion import least_distortion as least_distortion
    from experiments.systems.semspacefl.scenery import tiles_at as tiles_at
    from experiments.systems.semspacefl.scenery import tiles_from as tiles_from
    from experiments.systems.semspacefl.simulation import quality_by_snr as quality_by_snr
    from experiments.systems.semspacefl.simulation import run as run
    from experiments.systems.semspacefl.tracks import read_tracks as read_tracks

__all__, __getattr__, __dir__ = lazy(
    __name__,
    aggregation=("effective_weights", "over_mesh", "two_tier_average", "weights_by"),
    codec=("SemanticCodec",),
    energy=("Power", "battery"),
    rate_distortion=("least_distortion",),
    missions=("Mission", "planned"),
    orbits=("Constellation", "sites", "visible"),
    simulation=("quality_by_snr", "run"),
    scenery=("tiles_at", "tiles_from"),
    tracks=("read_tracks",),
)
