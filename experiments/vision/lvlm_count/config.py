"""How much the LVLM-Count experiment measures."""

import dataclasses

from experiments.harness.configuration import check_types, require
from experiments.vision.lvlm_count.addresses import checked


@dataclasses.dataclass(frozen=True)
class LvlmCountConfig:
    """Sizes of all studies, for each seed.

    Args:
        scenes: divided and counted by the oracle.
        grids: of random obstacles, on which paths are searched.
        samples: of random points that are clustered.
        draws: of simulated counters.
        training_scenes: of the learned counter.
        train_steps: of it.
        band_scenes: test scenes in each band of numbers of objects.
        noise_scenes: for each rate of missed objects.
        emoji_pictures: drawn from Emoji-Count, whose division is measured; 0 for none.
        questions: drawn from each of the paper's data sets and asked of a vision model; 0 for none.
        endpoint: address of that model's OpenAI-compatible server, up to /v1; empty for none.
        model: the server's name of it.
    """

    scenes: int = 16
    grids: int = 12
    samples: int = 20
    draws: int = 4000
    training_scenes: int = 2000
    train_steps: int = 1000
    band_scenes: int = 8
    noise_scenes: int = 8
    emoji_pictures: int = 0
    questions: int = 0
    endpoint: str = ""
    model: str = ""

    def __post_init__(self) -> None:
        check_types(self)
        least = {"emoji_pictures": 0, "questions": 0, "scenes": 2, "draws": 100, "grids": 4}
        counts = {
            f.name: getattr(self, f.name) >= least.get(f.name, 1)
            for f in dataclasses.fields(self)
            if f.type is int
        }
        require(self, **counts, model=bool(self.model) == bool(self.endpoint))
        if self.endpoint:
            # Before it is stored beside results.
            checked(self.endpoint)


QUICK = LvlmCountConfig()
STANDARD = LvlmCountConfig(
    scenes=40,
    grids=40,
    samples=50,
    training_scenes=5000,
    train_steps=4000,
    band_scenes=40,
    noise_scenes=20,
)
FULL = dataclasses.replace(STANDARD, emoji_pictures=20, questions=500)
TINY = LvlmCountConfig(
    scenes=2,
    grids=6,
    samples=4,
    draws=400,
    training_scenes=20,
    train_steps=2,
    band_scenes=1,
    noise_scenes=1,
)
