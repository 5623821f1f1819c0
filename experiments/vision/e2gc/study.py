"""What is measured: the energy model's identities, the networks' tables, its gains, and small networks."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypedDict

import jax
import numpy as np

from experiments.harness.configuration import check_types, require
from experiments.harness.study import Studies, Trial
from experiments.kits.convnets.fitting import fit
from experiments.kits.convnets.pictures import cifar_sample
from experiments.kits.convnets.scenes import textures
from experiments.kits.images import Images
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.e2gc.energy_model import (
    Convolution,
    arithmetic_intensity,
    balanced_group_size,
    energy,
)
from experiments.vision.e2gc.networks import FACTORS, SwitchedNet
from experiments.vision.e2gc.study_tables import gains, optimum, tables

CLASSES, SIDE = 10, 16
"""Of the pictures on which small networks are trained."""
NUM_TRAIN, NUM_TEST = 2000, 1000
"""Of generated pictures, as many as the sample of CIFAR-10 has, so that one program serves both."""


@dataclasses.dataclass(frozen=True)
class E2gcConfig:
    """Sizes of all studies, for each seed.

    Args:
        layers: drawn at random for the energy model's identities.
        width: of the small network's first grouped layer; later ones are two and four times as wide.
        sizes: of groups, held constant, at which fit and gap are compared; divisors of `width`.
        fixed: number of groups of the rival; `2 * width / fixed` is the size that costs as much.
        steps: of training.
        batch: pictures of a step.
    """

    layers: int = 500
    width: int = 16
    sizes: tuple[int, ...] = (1, 4, 16)
    fixed: int = 4
    steps: int = 400
    batch: int = 50

    def __post_init__(self) -> None:
        check_types(self)
        whole = all(size >= 1 and self.width % size == 0 for size in self.sizes)
        require(self, layers=self.layers >= 1, width=self.width >= 2, steps=self.steps >= 1)
        require(self, batch=1 <= self.batch <= NUM_TRAIN)
        require(self, sizes=whole and len(self.sizes) >= 2)
        require(self, fixed=self.fixed >= 2 and self.width % self.fixed == 0)

    @property
    def equal_size(self) -> int:
        """The constant size of groups that multiplies exactly as often as `fixed` groups."""
        return 2 * self.width // self.fixed


class IdentitiesResult(TypedDict):
    """Largest deviations over drawn layers, relative, and the same with a premise taken out.

    Args:
        width: of the intensity under other widths, groups of one size; `width_fixed`: one number of them.
        balance: of computing's energy from moving's at the balanced size; `balance_doubled`: at twice it.
        asymptote: of (G - 2 rho / k^2) s / G from rho; `asymptote_strided`: of layers that stride.
    """

    width: float
    width_fixed: float
    balance: float
    balance_doubled: float
    asymptote: float
    asymptote_strided: float


def identities(config: E2gcConfig, trial: Trial) -> IdentitiesResult:
    """The energy model's closed forms on layers drawn at random."""
    generator = trial.generator
    found: dict[str, list[float]] = {name: [] for name in IdentitiesResult.__annotations__}
    for _ in range(config.layers):
        side, window = int(generator.integers(4, 113)), int(generator.choice([9, 25, 49]))
        size = int(2 ** generator.integers(0, 6))
        rho = float(generator.uniform(1, side**2))
        intensities = {
            rule: [
                arithmetic_intensity(Convolution(side**2, side**2, window, n, n, groups))
                for n in (32, 256, 2048)
                for groups in [n // size if rule == "width" else 32 // min(size, 32)]
            ]
            for rule in ("width", "width_fixed")
        }
        for rule, values in intensities.items():
            found[rule].append(max(values) / min(values) - 1)
        layer = Convolution(side**2, side**2, window, 64, 64)
        strided = Convolution(4 * side**2, side**2, window, 64, 64)
        balanced = balanced_group_size(layer, rho)
        for name, scale in (("balance", 1), ("balance_doubled", 2)):
            found[name].append(_imbalance(layer, rho, scale * balanced))
        for name, one in (("asymptote", layer), ("asymptote_strided", strided)):
            target = balanced_group_size(one, rho)
            found[name].append((target - 2 * rho / window) * one.outputs / target / rho - 1)
    return IdentitiesResult(**{name: float(np.abs(v).max()) for name, v in found.items()})  # type: ignore[typeddict-item]


def _imbalance(layer: Convolution, rho: float, size: float) -> float:
    """Energy of computing minus that of moving, over the first, in groups of a size that may be no integer.

    Both are linear in the size: taken from the layer's depthwise and dense forms.
    """
    share = (size - 1) / (layer.channels - 1)
    ends = [layer.grouped(1), layer.grouped(layer.channels)]
    computing, total = (
        (1 - share) * low + share * high
        for low, high in (
            [float(one.multiplications) for one in ends],
            [energy(one, rho) for one in ends],
        )
    )
    return (2 * computing - total) / computing


class SmallResult(TypedDict):
    """Of small networks: accuracies and gaps (training minus test) by arm, and slopes over log2 of the size.

    Arms are called by their group size, `4`, and the rival `fixed`; `equal` costs as much as that.
    """

    train: dict[str, float]
    test: dict[str, float]
    gap: dict[str, float]
    loss: dict[str, float]
    fit_slope: float
    gap_slope: float
    multiplications: dict[str, int]


def photographs(config: E2gcConfig, trial: Trial) -> SmallResult:
    """Group sizes, and the fixed number of groups, on the sample of CIFAR-10 at 16 x 16 pixels."""
    images = cifar_sample(trial.load("cifar-10-sample"), size=SIDE)
    arms = {str(size): _groups(config, size) for size in config.sizes}
    found = _trained(config, trial, images, {**arms, **_equal(config)})
    sizes = np.log2(config.sizes)
    for slope, of in (("fit_slope", "train"), ("gap_slope", "gap")):
        values = [found[of][str(size)] for size in config.sizes]
        found[slope] = float(np.polyfit(sizes, values, 1)[0])
    return SmallResult(**found)  # type: ignore[typeddict-item]


def gratings(config: E2gcConfig, trial: Trial) -> SmallResult:
    """Constant size against fixed number on generated textures of ten orientations."""
    grey = textures(
        num_train=NUM_TRAIN,
        num_test=NUM_TEST,
        size=SIDE,
        orientations=CLASSES,
        noise=2.0,
        generator=trial.generator,
    )
    coloured = (np.repeat(part, 3, -1) for part in (grey.train, grey.test))
    train, test = coloured
    images = dataclasses.replace(grey, train=train, test=test)
    found = _trained(config, trial, images, _equal(config))
    return SmallResult(**found, fit_slope=float("nan"), gap_slope=float("nan"))  # type: ignore[typeddict-item]


def _equal(config: E2gcConfig) -> dict[str, np.ndarray]:
    """The two arms that multiply equally often."""
    fixed = np.full(len(FACTORS), config.fixed, np.int32)
    return {"equal": _groups(config, config.equal_size), "fixed": fixed}


def _groups(config: E2gcConfig, size: int) -> np.ndarray:
    """The number of groups of every layer, in groups of a size."""
    return np.array([config.width * factor // size for factor in FACTORS], np.int32)


def _trained(
    config: E2gcConfig, trial: Trial, images: Images, arms: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    names = ("train", "test", "gap", "loss", "multiplications")
    found: dict[str, Any] = {name: {} for name in names}
    model = SwitchedNet(config.width, CLASSES)
    for place, (arm, groups) in enumerate(arms.items()):
        # Anew for each arm: the same pictures in the same order, and variables of the same draws.
        generator = trial.generator
        made = fit(
            model,
            images,
            generator=generator,
            steps=config.steps,
            batch=config.batch,
            variables=_variables(model, generator, groups, config.batch),
            fields={"groups": groups},
        )
        found["train"][arm], found["test"][arm] = made.train, made.test
        found["gap"][arm] = made.train - made.test
        found["loss"][arm] = float(made.losses[-40:].mean())
        found["multiplications"][arm] = _multiplications(config, groups)
        trial.report(arm, place + 1, len(arms))
    return found


def _variables(
    model: SwitchedNet, generator: np.random.Generator, groups: np.ndarray, batch: int
) -> Any:
    """First variables; a grouped kernel has the variance 1 / (9 G) that its own inputs call for."""
    example = jax.ShapeDtypeStruct((batch, SIDE, SIDE, 3), np.float32)
    variables = initial_by_numpy(model, generator, example, groups=groups, train=False)
    for place, number in enumerate(groups):
        layer = variables["params"][f"grouped{place}"]
        layer["kernel"] = layer["kernel"] * np.float32(np.sqrt(number))
    return variables


def _multiplications(config: E2gcConfig, groups: np.ndarray) -> int:
    """Of the grouped layers, as groups and not as masks, on pictures of 16 x 16 that are halved first."""
    sides = SIDE // 2 // np.array(FACTORS)
    layers = (
        Convolution(side**2, side**2, 9, config.width * factor, config.width * factor, number)
        for side, factor, number in zip(sides.tolist(), FACTORS, groups.tolist(), strict=True)
    )
    return sum(layer.multiplications for layer in layers)


QUICK = E2gcConfig()
STANDARD = E2gcConfig(width=32, sizes=(1, 2, 4, 8, 16, 32), fixed=8, steps=1200)
TINY = E2gcConfig(5, 4, (1, 4), 2, 2, 50)

STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "identities": identities,
        "tables": tables,
        "gains": gains,
        "optimum": optimum,
        "photographs": photographs,
        "gratings": gratings,
    },
    num_seeds=3,
    slow=("tables", "photographs", "gratings"),
)
