"""What is measured: the space; guidance at the start; searches on drawn landscapes and on Cora's table."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from experiments.graphs.auto_gnn.controller import Controller, rcnas
from experiments.graphs.auto_gnn.space import ArchitectureSpace
from experiments.graphs.auto_gnn.table import SPACE, CoraTable, stored_table
from experiments.harness.configuration import check_types, require
from experiments.harness.study import Studies, Trial
from experiments.kits.search.landscapes import PairwiseLandscape, Tabulated
from experiments.kits.search.ledger import Ledger, Trace
from experiments.kits.search.methods import (
    hill_climbing,
    policy_gradient,
    random_search,
    regularised_evolution,
)
from experiments.kits.search.regret import can_rank
from experiments.kits.search.spaces import Candidate

PATIENCE = 200
"""A search that asks for nothing new so many times in a row has converged, and ends."""
Arm = Callable[[ArchitectureSpace, Ledger, np.random.Generator], Trace]


@dataclasses.dataclass(frozen=True)
class AutoGnnConfig:
    """Sizes of all studies, for each seed.

    Args:
        evaluations: of each search on a drawn landscape.
        early: of them, after which regret is reported as well.
        noise: deviation of what a search sees there; single decisions have effects of deviation 1.
        trained: evaluations of each search on Cora's table.
        hidden: width of the controller's encoders; the paper's is 100, for twenty times the work.
        reinforce_rate: of the policy gradient over whole candidates, the best of 0.05 to 0.3 on
            pilot seeds at the quick budget.
        controllers: fresh ones whose guidance is read.
    """

    evaluations: int = 200
    early: int = 50
    noise: float = 0.3
    trained: int = 50
    hidden: int = 32
    reinforce_rate: float = 0.2
    controllers: int = 5

    def __post_init__(self) -> None:
        check_types(self)
        require(self, evaluations=self.evaluations > 1, noise=self.noise >= 0)
        require(self, early=0 < self.early <= self.evaluations, hidden=self.hidden > 0)
        require(self, reinforce_rate=self.reinforce_rate > 0)
        require(self, trained=1 < self.trained < SPACE.size, controllers=self.controllers > 0)


def counts(config: AutoGnnConfig, trial: Trial) -> dict[str, int]:
    """How many architectures there are."""
    found = {f"layers_{layers}": ArchitectureSpace(layers).size for layers in (1, 2, 3)}
    return {**found, "table": SPACE.size}


def guidance(config: AutoGnnConfig, trial: Trial) -> dict[str, float]:
    """How probably a controller that has learned nothing changes activations, by guidance."""
    space, generator = ArchitectureSpace(), trial.generator
    rows = []
    for _ in range(config.controllers):
        first = space.choices.sample(generator)
        fresh = Controller.start(space, first, 0.0, generator, hidden=config.hidden)
        rows.append([fresh.guide(how)["activation"] for how in ("softmax", "argmax", "uniform")])
    return dict(zip(("softmax", "argmax", "uniform"), np.mean(rows, 0).tolist(), strict=True))


def landscape(config: AutoGnnConfig, trial: Trial, *, strength: float) -> dict[str, Any]:
    """True regret of what each method returns, early and at the end, on one drawn landscape.

    Its twelve decisions add up, and 30 % of their pairs interact. A search sees values with noise, and
    what it returns is scored without.
    """
    space, generator = ArchitectureSpace(), trial.generator
    drawn = PairwiseLandscape.drawn(
        space.choices, generator, share=0.3, strength=strength, noise=config.noise
    )
    early: dict[str, float] = {}
    late: dict[str, float] = {}
    for name, arm in _arms(config).items():
        trial.report(f"searches of strength {strength:g}", len(late), len(_arms(config)))
        found = arm(
            space, Ledger(drawn, config.evaluations, patience=PATIENCE), _generator(generator)
        )
        early[name], late[name] = (
            drawn.optimum - drawn.truth(_best(found, paid))
            for paid in (config.early, config.evaluations)
        )
    return {"optimum": drawn.optimum, "early": early, "late": late}


def cora(config: AutoGnnConfig, trial: Trial) -> dict[str, Any]:
    """Regret, in points of validation accuracy, on the table of trained architectures.

    A search sees one training of each architecture, one of the three by the seed; what it returns is
    scored by the mean of the two others, in which the best architecture has regret 0. `test` is the
    test accuracy, in percent, of those two.
    """
    table, generator = stored_table(), trial.generator
    seen = int(generator.integers(table.validation.shape[1]))
    others = [repeat for repeat in range(table.validation.shape[1]) if repeat != seen]
    visible = Tabulated(SPACE.choices, table.validation[:, seen])
    truth, test = (part[:, others].mean(1) for part in (table.validation, table.test))
    regret: dict[str, float] = {}
    tested: dict[str, float] = {}
    for name, arm in _arms(config).items():
        trial.report("searches on Cora's table", len(regret), len(_arms(config)))
        found = arm(
            SPACE, Ledger(visible, config.trained, patience=PATIENCE), _generator(generator)
        )
        number = SPACE.choices.encode(found.best)
        regret[name] = 100 * float(truth.max() - truth[number])
        tested[name] = 100 * float(test[number])
    return {"regret": regret, "test": tested, **_ranking(table, config.trained, generator)}


def _ranking(table: CoraTable, budget: int, generator: np.random.Generator) -> dict[str, float]:
    """Whether the table can rank, and whether one could in which architectures did not matter."""
    validation = 100 * table.validation
    found = can_rank(validation, budget=budget)
    shuffled = np.stack([generator.permutation(column) for column in validation.T], 1)
    noise = can_rank(shuffled, budget=budget)
    return {
        "headroom": found.headroom,
        "standard_error": found.standard_error,
        "errors": found.headroom / found.standard_error,
        "errors_shuffled": noise.headroom / noise.standard_error,
        "reliability": found.reliability,
        "rivals": found.rivals,
    }


def _arms(config: AutoGnnConfig) -> Mapping[str, Arm]:
    """The methods by name, all called with the architectures' space."""

    def of_kit(method: Callable[..., Trace], **settings: float) -> Arm:
        return lambda space, ledger, generator: method(space.choices, ledger, generator, **settings)

    return {
        "rcnas": functools.partial(rcnas, hidden=config.hidden),
        "rcnas_uniform": functools.partial(rcnas, hidden=config.hidden, guidance="uniform"),
        "rcnas_argmax": functools.partial(rcnas, hidden=config.hidden, guidance="argmax"),
        "random": of_kit(random_search),
        "hill_climbing": of_kit(hill_climbing),
        "evolution": of_kit(regularised_evolution),
        "reinforce": of_kit(policy_gradient, learning_rate=config.reinforce_rate),
    }


def _generator(generator: np.random.Generator) -> np.random.Generator:
    """One for each search, so that what one draws does not depend on how much another drew."""
    return np.random.default_rng(int(generator.integers(2**63)))


def _best(trace: Trace, paid: int) -> Candidate:
    """The best as it was seen after so many evaluations."""
    places = trace.incumbents
    return trace.candidates[places[min(paid, len(places)) - 1]]


STUDIES = Studies(
    configs={
        "quick": AutoGnnConfig(),
        "standard": AutoGnnConfig(evaluations=1000, early=300, hidden=100),
    },
    tiny=AutoGnnConfig(evaluations=12, early=6, trained=6, hidden=8, controllers=2),
    functions={
        "counts": counts,
        "guidance": guidance,
        "smooth": functools.partial(landscape, strength=0.5),
        "rugged": functools.partial(landscape, strength=1.5),
        "cora": cora,
    },
    num_seeds=30,
    slow=("guidance", "smooth", "rugged", "cora"),
)
