"""Networks of infinite width after training, drawn as what they are then: Gaussian processes.

A member's outputs at match sets are jointly Gaussian with the mean `predictor.mean` and the
covariance `predictor.covariance`; its bits are independent, and so are members and components. A
draw is extended as new states come up, given the values that it already has, so that one network
stays one function however it is asked.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float64

from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.errors import EnsembleError
from ntkexec.program.problem import LearningProblem
from ntkexec.theory import predictor

MAX_STATES = 6000
"""Distinct match sets of one component: their covariance is factored, in cubic time."""

# Eigenvalues of a covariance below this part of the largest variance are rounding.
RELATIVE_RANK = 1e-12


def state_covariance(
    first: Bool[np.ndarray, "u s"],
    second: Bool[np.ndarray, "v s"],
    num_inputs: int,
    weight_std: float = 1.0,
) -> Float64[np.ndarray, "u v"]:
    """Covariance of one output of a member between match sets.

    Args:
        first: by state, which of the component's templates match, padding left out.
        second: likewise.
        num_inputs: n0 of the component, padding included.
        weight_std: standard deviation of the weights at initialisation.
    """
    a, b = first.astype(float), second.astype(float)
    return predictor.covariance(
        a.sum(axis=1)[:, None],
        b.sum(axis=1)[None, :],
        a @ b.T,
        float(num_inputs),
        weight_std=weight_std,
    )


def state_means(
    matched: Bool[np.ndarray, "u s"], writes: Bool[np.ndarray, "s o"], num_inputs: int
) -> Float64[np.ndarray, "u o"]:
    """Mean of every output at match sets.

    Args:
        matched: by state, which of the component's templates match.
        writes: which template writes which output.
        num_inputs: n0 of the component, padding included.
    """
    count = matched.sum(axis=1)[:, None]
    active = matched.astype(float) @ writes.astype(float)
    return predictor.mean(count, num_inputs, writes.sum(axis=0)[None, :], active)


def root(
    covariance: Float64[np.ndarray, "u u"], largest: float | None = None
) -> Float64[np.ndarray, "u r"]:
    """A matrix R with R R^T = covariance, of as many columns as its rank.

    Args:
        covariance: positive semi-definite up to rounding.
        largest: the variance to which rounding is compared, by default the largest here.
    """
    values, vectors = np.linalg.eigh(covariance)
    scale = covariance.diagonal().max(initial=0) if largest is None else largest
    kept = values > RELATIVE_RANK * scale
    return vectors[:, kept] * np.sqrt(values[kept])


@dataclasses.dataclass
class ComponentDraw:
    """The members of one component at all states that were asked for so far.

    Args:
        component: its index, part of the seed.
        config: members, seed and weight_std.
        writes: which template writes which output; (templates, outputs).
        num_inputs: n0, padding included.
    """

    component: int
    config: EnsembleConfig
    writes: Bool[np.ndarray, "s o"]
    num_inputs: int

    def __post_init__(self) -> None:
        members, outputs = self.config.members, self.writes.shape[1]
        self._row: dict[bytes, int] = {}
        self._matched = np.zeros((0, len(self.writes)), bool)
        self._factor = np.zeros((0, 0))
        self._noise = np.zeros((0, members, outputs))
        self._values = np.zeros((0, members, outputs))

    def at(self, matched: Bool[np.ndarray, "n s"]) -> Float64[np.ndarray, "n e o"]:
        """Outputs of all members at match sets; the same at the same state, always.

        Raises:
            EnsembleError: more distinct states than `MAX_STATES`.
        """
        packed = np.packbits(matched, axis=1)
        keys = [row.tobytes() for row in packed]
        fresh = {key: i for i, key in enumerate(keys) if key not in self._row}
        if fresh:
            self._extend(matched[list(fresh.values())], list(fresh))
        return self._values[[self._row[key] for key in keys]]

    def _extend(self, matched: Bool[np.ndarray, "u s"], keys: list[bytes]) -> None:
        known, rank = self._factor.shape
        if known + len(matched) > MAX_STATES:
            raise EnsembleError(
                f"component {self.component} meets more than {MAX_STATES} distinct match sets, too "
                "many for gaussian draws; use a smaller graph, a factored ensemble or another draw"
            )
        # The new rows of a factor of the joint covariance: the part that the known values explain,
        # and a root of what is left.
        explained = np.zeros((len(matched), rank))
        if rank:
            between = self._covariance(self._matched, matched)
            explained = np.linalg.lstsq(self._factor, between)[0].T
        own = self._covariance(matched, matched)
        rest = root(own - explained @ explained.T, own.diagonal().max(initial=0))
        self._factor = np.block(
            [[self._factor, np.zeros((known, rest.shape[1]))], [explained, rest]]
        )
        noise = [self._standard_normal(rank + i) for i in range(rest.shape[1])]
        self._noise = np.concatenate([self._noise, *(n[None] for n in noise)])
        spread = np.tensordot(self._factor[known:], self._noise, axes=1)
        means = state_means(matched, self.writes, self.num_inputs)
        self._values = np.concatenate([self._values, means[:, None, :] + spread])
        self._matched = np.concatenate([self._matched, matched])
        self._row |= {key: known + i for i, key in enumerate(keys)}

    def _covariance(
        self, first: Bool[np.ndarray, "u s"], second: Bool[np.ndarray, "v s"]
    ) -> Float64[np.ndarray, "u v"]:
        return state_covariance(first, second, self.num_inputs, self.config.weight_std)

    def _standard_normal(self, index: int) -> Float64[np.ndarray, "e o"]:
        # Row by row, so that member i has the same numbers in an ensemble of any size.
        rng = np.random.default_rng([self.config.seed, self.component, index])
        return rng.standard_normal(self._noise.shape[1:])


@dataclasses.dataclass(frozen=True, eq=False)
class GaussianEnsemble:
    """N networks of infinite width for every component of a learning problem.

    Args:
        problem: what they learned.
        config: members, seed and weight_std; the rest has no meaning here.

    Raises:
        EnsembleError: the config is of another draw.
    """

    problem: LearningProblem
    config: EnsembleConfig
    components: tuple[ComponentDraw, ...] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        if self.config.draw != "gaussian":
            raise EnsembleError(
                f"a gaussian ensemble has draw 'gaussian', not {self.config.draw!r}"
            )
        draws = tuple(
            ComponentDraw(i, self.config, self.problem.writes(i), int(num_inputs))
            for i, num_inputs in enumerate(self.problem.num_inputs)
        )
        object.__setattr__(self, "components", draws)

    @property
    def residual(self) -> float:
        """0: at infinite width and time the training set is learned."""
        return 0.0

    @property
    def max_steps(self) -> int:
        """0: nothing is trained."""
        return 0

    @property
    def predicted_steps(self) -> None:
        """None: nothing is trained."""
        return None

    @property
    def num_parameters(self) -> int:
        """0: there are no weights, only values."""
        return 0

    def first(self, members: int) -> "GaussianEnsemble":
        """The first `members` networks; as functions the same only if asked in the same order."""
        if not 1 <= members <= self.config.members:
            raise EnsembleError(f"the ensemble has {self.config.members} members, not {members}")
        return GaussianEnsemble(self.problem, dataclasses.replace(self.config, members=members))

    def means(self, matched: Bool[np.ndarray, "t n"]) -> Float64[np.ndarray, "k n"]:
        """Mean of the members at match sets, bit-major; 0 at bits that nothing writes.

        Args:
            matched: which templates match; further rows are ignored.
        """
        found = np.zeros((self.problem.program.layout.num_bits, matched.shape[1]))
        for draw, part in zip(self.components, self.problem.components, strict=True):
            distinct, inverse = np.unique(
                matched[list(part.templates)].T, axis=0, return_inverse=True
            )
            found[list(part.bits)] = draw.at(distinct).mean(axis=1)[inverse.ravel()].T
        return found
