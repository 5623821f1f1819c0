"""What is measured: the solver's identities, recovery, the released step, bytes on a mesh, training."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, TypedDict

import jax
import numpy as np

from experiments.harness.configuration import check_types, require
from experiments.harness.study import Studies, Trial
from experiments.kits.images import digits
from experiments.kits.mesh.children import run_with_devices
from experiments.systems.flag_aggregator.attacks import ATTACKS
from experiments.systems.flag_aggregator.contest import RELEASED, Setting, Task, accuracies
from experiments.systems.flag_aggregator.gram import default_dimension, gram_flag
from experiments.systems.flag_aggregator.meshes import aggregated_on_devices
from experiments.systems.flag_aggregator.reference import largest_sine, svd_flag
from experiments.systems.flag_aggregator.rules import ROBUST
from experiments.systems.flag_aggregator.sharded import predicted_bytes
from experiments.systems.flag_aggregator.transforms import flag_aggregate
from ntkexec.runtime.precision import float64

SOLVES = 10
DEVICES = 8
DRAWS = 9


@dataclasses.dataclass(frozen=True)
class FlagConfig:
    """Sizes of all studies, for each seed.

    Args:
        workers: that send gradients, 15 in the paper.
        faulty: of them, at most 3 in the paper.
        cases: of the solver.
        length: of a gradient whose single step is compared with principal components.
        mesh_length: of a gradient that is aggregated on eight devices.
        digits_steps: of training on digits.
        pictures_steps: of training on CIFAR-10.
        batch: pictures of one worker in one step.
    """

    workers: int = 15
    faulty: int = 3
    cases: int = 100
    length: int = 8000
    mesh_length: int = 100_003
    digits_steps: int = 100
    pictures_steps: int = 100
    batch: int = 8

    def __post_init__(self) -> None:
        check_types(self)
        require(self, faulty=self.faulty > 0, workers=self.workers >= 4 * self.faulty + 3)
        require(self, cases=self.cases > 1, length=self.length > self.workers)
        require(self, mesh_length=self.mesh_length > DEVICES, batch=self.batch > 0)
        require(self, digits_steps=self.digits_steps > 0, pictures_steps=self.pictures_steps > 0)


class SolverResult(TypedDict):
    """Largest deviations over all cases, each with that of its broken twin."""

    rise: float
    rise_between_cases: float
    by_svd: float
    by_svd_of_another: float
    invariance: float
    turned: float
    full: float
    nearly_full: float


def solver(config: FlagConfig, trial: Trial) -> SolverResult:
    """Random cases under all attacks, by inner products and by singular values, in float64."""
    generator, workers = trial.generator, config.workers
    shape = (config.cases, workers, 4 * workers)
    honest = generator.normal(size=(config.cases, 1, shape[2])) + generator.normal(size=shape)
    honest *= generator.uniform(0.1, 10, (config.cases, workers, 1))
    with float64():
        sent = np.concatenate(
            [
                np.asarray(jax.vmap(lambda one, a=attack: a(one, _faulty(config), trial.key))(part))
                for attack, part in zip(
                    ATTACKS.values(), np.array_split(honest, len(ATTACKS)), strict=True
                )
                if len(part)
            ]
        )
    dimensions = generator.integers(1, workers, config.cases)
    base, objectives = _aggregated(sent, dimensions)
    expected = [svd_flag(x, m, iterations=SOLVES) for x, m in zip(sent, dimensions, strict=True)]
    others = [svd_flag(x, m + 1, iterations=SOLVES) for x, m in zip(sent, dimensions, strict=True)]
    order = generator.permutation(workers)
    scale = np.exp(generator.normal(size=(config.cases, workers, 1)) * 3)
    turn, _ = np.linalg.qr(generator.normal(size=(shape[2], shape[2])))
    sign = np.where(np.arange(workers) == 0, -1, 1)[:, None]
    changed = [
        (_aggregated(sent[:, order], dimensions)[0], base),
        (_aggregated(sent * scale, dimensions)[0], base),
        (_aggregated(sent @ turn.T, dimensions)[0], base @ turn.T),
    ]
    units = sent / np.linalg.norm(sent, axis=2, keepdims=True)
    full = np.full(config.cases, workers)
    rises = objectives[:, 1:] - objectives[:, :-1]
    return {
        "rise": float(max(rises.max(), 0)),
        "rise_between_cases": float((np.roll(objectives, 1, 0)[:, 1:] - objectives[:, :-1]).max()),
        "by_svd": _apart(base, np.stack([one.direction for one in expected])),
        "by_svd_of_another": _apart(base, np.stack([one.direction for one in others])),
        "invariance": max(_apart(*pair) for pair in changed),
        "turned": _apart(_aggregated(sent * sign, dimensions)[0], base),
        "full": _apart(_aggregated(sent, full)[0], units.mean(1)),
        "nearly_full": _apart(_aggregated(sent, full - 1)[0], units.mean(1)),
    }


def _faulty(config: FlagConfig) -> np.ndarray:
    return np.arange(config.workers) >= config.workers - config.faulty


@functools.cache
def _many() -> Any:
    return jax.jit(jax.vmap(functools.partial(gram_flag, iterations=SOLVES)))


def _aggregated(sent: np.ndarray, dimensions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Aggregates of cases by their inner products, and the objectives on the way."""
    with float64():
        weights = _many()(sent @ sent.transpose(0, 2, 1), dimensions)
        coefficients, objectives = np.asarray(weights.coefficients), np.asarray(weights.objectives)
    return np.einsum("kp,kpn->kn", coefficients, sent), objectives


def _apart(ones: np.ndarray, others: np.ndarray) -> float:
    """The largest deviation of a number, relative to the largest one of its case."""
    return float((np.abs(ones - others).max(1) / np.abs(others).max(1)).max())


SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "recovered": {"iterations": 100, "epsilon": 1e-14},
    "by_default": {},
    "components": {"iterations": 1},
}
"""Of the transformation, where outliers are to be found."""


def recovery(config: FlagConfig, trial: Trial) -> dict[str, float]:
    """Honest gradients in a plane, 3, 5 and 7 others isotropic: how far off what lies in the plane.

    The largest relative deviation of `flag_aggregate`, by setting, from the sum of unit gradients inside
    the plane; and the sine of the largest angle between the plane and the subspace of the definition.
    """
    generator = trial.generator
    worst = dict.fromkeys((*SETTINGS, "sine"), 0.0)
    for outliers in (3, 5, 7):
        plane, _ = np.linalg.qr(generator.normal(size=(400, 2)))
        sent = generator.normal(size=(15, 400))
        sent[: 15 - outliers] = generator.normal(size=(15 - outliers, 2)) @ plane.T
        units = sent / np.linalg.norm(sent, axis=1, keepdims=True)
        inside = plane @ (plane.T @ units.sum(0)) / 2
        basis = svd_flag(sent, 2, **SETTINGS["recovered"]).basis
        deviations = {"sine": largest_sine(basis, plane)}
        with float64():
            for name, update in _of_plane()(sent).items():
                apart = np.linalg.norm(np.asarray(update) - inside) / np.linalg.norm(inside)
                deviations[name] = float(apart)
        worst = {name: max(worst[name], deviations[name]) for name in worst}
    return worst


@functools.cache
def _of_plane() -> Any:
    rules = {name: flag_aggregate(15, 2, **options) for name, options in SETTINGS.items()}

    def updates(sent: jax.Array) -> dict[str, jax.Array]:
        return {name: rule.update(sent, rule.init(None))[0] for name, rule in rules.items()}

    return jax.jit(updates)


def released(config: FlagConfig, trial: Trial) -> dict[str, float]:
    """One solve from a random subspace, as released, and three: sines of angles to principal components.

    By the definition, since `flag_aggregate` begins with equal weights, where one solve is principal
    components. Medians of nine draws each: where two eigenvalues nearly meet, any two subspaces differ.
    """
    generator, workers = trial.generator, config.workers
    size, rows = default_dimension(workers), []
    for _ in range(DRAWS):
        sent = generator.normal(size=config.length)
        sent = sent + generator.normal(size=(workers, config.length))
        sent[_faulty(config)] = generator.normal(size=(config.faulty, config.length))
        start, _ = np.linalg.qr(generator.normal(size=(config.length, size)))
        components = svd_flag(sent, size, iterations=1).basis
        bases = (
            svd_flag(sent, size, iterations=solves, start=first).basis
            for solves, first in ((1, start), (3, None))
        )
        rows.append([largest_sine(basis, components) for basis in bases])
    one, three = np.median(rows, 0)
    return {"one_step": float(one), "three_steps": float(three)}


def mesh(config: FlagConfig, trial: Trial) -> dict[str, Any]:
    """Bytes on eight devices of one process, and of two joined by jax.distributed, against the formula."""
    return _mesh(config.mesh_length)


@functools.cache  # no seed changes it
def _mesh(length: int) -> dict[str, Any]:
    rows = np.random.default_rng(0).normal(size=(DEVICES, length)).astype(np.float32)
    predicted = predicted_bytes(length, DEVICES)
    expected = svd_flag(rows.astype(np.float64), default_dimension(DEVICES)).direction
    result: dict[str, Any] = {"predicted": predicted}
    for name, processes in (("one_process", 1), ("two_processes", 2)):
        measured = run_with_devices(
            aggregated_on_devices,
            rows,
            default_dimension(DEVICES),
            devices=DEVICES // processes,
            processes=processes,
        )
        for way, one in measured.items():
            result[f"{way}_{name}"] = one["bytes"]
            result[f"{way}_{name}_off"] = _off(one["bytes"], predicted)
            apart = np.abs(one["aggregate"] - expected).max() / np.abs(expected).max()
            result[f"{way}_{name}_apart"] = float(apart)
    return result


def _off(measured: dict[str, int], predicted: dict[str, int]) -> int:
    kinds = {*measured, *predicted}
    return sum(abs(measured.get(kind, 0) - predicted.get(kind, 0)) for kind in kinds)


class TrainingResult(TypedDict):
    """Test accuracies by rule and attack, the mean over attacks, the best robust rival, learning rates."""

    by_attack: dict[str, dict[str, float]]
    under_attack: dict[str, float]
    best_rival: float
    rates: dict[str, float]


def training_on_digits(config: FlagConfig, trial: Trial) -> TrainingResult:
    """A network on scikit-learn's digits, by all rules under all attacks."""
    generator = trial.generator
    images = digits(num_train=1000, generator=generator)
    train, test = (x.reshape(len(x), -1) for x in (images.train, images.test))
    setting = Setting(config.workers, config.faulty, config.digits_steps, config.batch, 16)
    labels = (images.train_labels, images.test_labels)
    return _trained((train, test), labels, setting, 200, generator)


def training_on_pictures(config: FlagConfig, trial: Trial) -> TrainingResult:
    """A network on 2,000 pictures of CIFAR-10, averaged to 8 x 8 pixels in colour."""
    images, generator = trial.load("cifar-10-sample"), trial.generator
    order = generator.permutation(len(images.train))
    rows = []
    for pixels in (images.train[order], images.test):
        small = pixels.reshape(-1, 8, 4, 8, 4, 3).mean((2, 4)).reshape(len(pixels), -1)
        rows.append(((small - 120) / 60).astype(np.float32))
    labels = (images.train_labels[order].astype(np.int32), images.test_labels.astype(np.int32))
    setting = Setting(config.workers, config.faulty, config.pictures_steps, config.batch, 24)
    return _trained((rows[0], rows[1]), labels, setting, 400, generator)


def _trained(
    pictures: tuple[np.ndarray, np.ndarray],
    labels: tuple[np.ndarray, np.ndarray],
    setting: Setting,
    validation: int,
    generator: np.random.Generator,
) -> TrainingResult:
    """Pictures and labels to train on and of the test; the last ones to train on are for validation."""
    (train, test), (wanted, tested) = pictures, labels
    task = Task(
        train[:-validation],
        wanted[:-validation],
        np.concatenate([train[-validation:], test]),
        np.concatenate([wanted[-validation:], tested]),
        validation,
    )
    by_attack, rates = accuracies(task, setting, generator=generator)
    mean = {rule: float(np.mean([one[a] for a in RELEASED])) for rule, one in by_attack.items()}
    return {
        "by_attack": by_attack,
        "under_attack": mean,
        "best_rival": max(mean[rule] for rule in (*ROBUST, "mean")),
        "rates": rates,
    }


STUDIES = Studies(
    configs={
        "quick": FlagConfig(),
        "standard": FlagConfig(digits_steps=500, pictures_steps=1000, batch=32),
    },
    tiny=FlagConfig(
        cases=14, length=3000, mesh_length=1001, digits_steps=3, pictures_steps=3, batch=2
    ),
    functions={
        "solver": solver,
        "recovery": recovery,
        "released": released,
        "mesh": mesh,
        "digits": training_on_digits,
        "pictures": training_on_pictures,
    },
    slow=("mesh", "digits", "pictures"),
)
