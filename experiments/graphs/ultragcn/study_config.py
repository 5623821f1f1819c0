"""How much is measured."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class UltraConfig:
    """Sizes of all studies, for each seed.

    Args:
        planted_users, planted_items, planted_epochs, planted_width: of planted communities.
        lastfm_epochs, lastfm_width: of trainings on LastFM.
        gowalla_epochs, cds_epochs: of trainings at full size with negatives in the mean, some ten
            seconds of processor time each; 0 leaves the set out.
        large_width: of embeddings there.
    """

    planted_users: int = 400
    planted_items: int = 500
    planted_epochs: int = 120
    planted_width: int = 32
    lastfm_epochs: int = 50
    lastfm_width: int = 64
    gowalla_epochs: int = 0
    cds_epochs: int = 0
    large_width: int = 64

    def __post_init__(self) -> None:
        check_types(self)
        least = {"gowalla_epochs": 0, "cds_epochs": 0, "planted_users": 20, "planted_items": 20}
        names = (field.name for field in dataclasses.fields(self))
        require(self, **{name: getattr(self, name) >= least.get(name, 1) for name in names})
