"""The result of a run, as a value and as plain data."""

import dataclasses
import functools
import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from ntkexec import summary
from ntkexec.engines.packed import PackedEngine
from ntkexec.ensemble import Ensemble, GaussianEnsemble
from ntkexec.ensemble.sizing import at_width_of
from ntkexec.executor import Diagnosis, Execution, diagnose
from ntkexec.executor.protocol import Engine
from ntkexec.program.fields import INVALID, Word
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.programs import split_words
from ntkexec.programs.instance import Answer, Instance
from ntkexec.programs.reference import NONE
from ntkexec.theory.at_width import AtWidth
from ntkexec.theory.certificate import Certificate
from ntkexec.universal.checking import Checked
from ntkexec.vocabulary import EngineName


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Result:
    """A run and its verdict.

    Args:
        instance: what was executed.
        engine: how the learned function was evaluated.
        certificate: why, or under which bound, it is exact.
        delta: probability of an error that the ensemble size was chosen for.
        ensemble: the trained networks, or None if the engine has none.
        execution: states, steps and verification.
        train_seconds: time spent on training.
        update: the learned update that was executed.
        universal: what was checked of the ensemble, if it is one that comes with the package.
    """

    instance: Instance
    engine: EngineName
    certificate: Certificate
    delta: float
    ensemble: Ensemble | GaussianEnsemble | None
    execution: Execution
    train_seconds: float
    update: Engine
    universal: Checked | None = None

    @functools.cached_property
    def answer(self) -> Answer:
        """By field, the value at every node."""
        return self.instance.decode(self.execution.states)

    @functools.cached_property
    def expected(self) -> Answer:
        """The same, from the reference."""
        return self.instance.reference()

    @functools.cached_property
    def diagnosis(self) -> Diagnosis | None:
        """The first wrong bit, if a verified step went wrong."""
        found = self.execution.verification
        return None if found is None else diagnose(self.update, self.instance.program, found)

    @property
    def relies_on(self) -> str | None:
        """What an engine that skips work relies on to equal the plain one, or None."""
        return self.update.relies_on if isinstance(self.update, PackedEngine) else None

    @property
    def compared_with(self) -> str | None:
        """What every step was compared with; None if no step was."""
        if (found := self.execution.verification) is None:
            return None
        alone = found.smallest_margin is None or self.relies_on is None
        return "program" if alone else "plain engine and program"

    @property
    def wrong_nodes(self) -> np.ndarray:
        """Indices of the nodes whose answer differs from the reference.

        Without one, of those that differ in any bit from the program's own execution.
        """
        if self.instance.final is not None:
            return np.flatnonzero((self.execution.states != self.instance.final).any(axis=1))
        wrong = np.zeros(self.instance.graph.num_nodes, bool)
        for field, values in self.expected.items():
            wrong |= self.answer[field] != values
        return np.flatnonzero(wrong)

    @property
    def exact(self) -> bool:
        """Whether every node's answer equals the reference, or the program's own execution."""
        return len(self.wrong_nodes) == 0

    @property
    def covered(self) -> bool | None:
        """Whether the run stayed within the certificate's bound; None if matches were not counted."""
        if (found := self.execution.verification) is None or found.largest_matches is None:
            return None
        return self.certificate.covers(found.largest_matches)

    @property
    def void(self) -> bool:
        """Whether the certificate rests on a bound that was given, and that this run exceeded."""
        return self.certificate.bound.given and self.covered is False

    @functools.cached_property
    def finite_width(self) -> AtWidth | None:
        """What the certificate says of networks of this width; None for the limit itself."""
        return at_width_of(self.certificate, self.ensemble)

    def __repr__(self) -> str:
        instance = self.instance
        where = f"{instance.program.name} on {instance.graph.label} by {self.engine}"
        return f"Result({where}: {summary.verdict(self)})"

    def __str__(self) -> str:
        return summary.text(self)

    def _repr_html_(self) -> str:
        return summary.page(self)

    def by_node(self) -> dict[Hashable, dict[str, Any]]:
        """The answer by node name (of a single graph).

        A value is None where a field has none, and "invalid" where the bits of a run that went
        wrong stand for nothing, such as two choices at once.
        """
        names, formats = self.instance.graph.names, self.instance.formats
        columns = {
            field: [
                None
                if v == (NONE if field in self.instance.signed else -1)
                else "invalid"
                if v == INVALID
                else formats.get(field, int)(v)
                for v in values.tolist()
            ]
            for field, values in self.answer.items()
        }
        return {
            name: {f: column[i] for f, column in columns.items()} for i, name in enumerate(names)
        }

    def to_data(self) -> dict[str, Any]:
        """The result as plain data, the object that `--json` prints."""
        graph, found = self.instance.graph, self.execution.verification
        return {
            **certified_data(
                self.instance.program.name,
                self.instance.sizes,
                self.certificate,
                self.finite_width,
                delta=self.delta,
                num_decisions=self.instance.num_decisions,
                void=self.void,
            ),
            "own_program": self.instance.is_own,
            "inputs": {name: _plain(value) for name, value in self.instance.inputs.items()},
            "graph": {
                "name": graph.label,
                "nodes": graph.num_nodes,
                "edges": graph.num_edges,
                "max_degree": graph.degree,
                "colours": graph.num_colours,
                "components": graph.num_components,
            },
            "split": split_words.split_data(self.instance),
            "num_inputs": self.instance.num_inputs,
            "engine": self.engine,
            "relies_on": self.relies_on,
            "ensemble": None
            if self.ensemble is None
            else ensemble_data(self.ensemble, self.train_seconds),
            "universal": None if self.universal is None else self.universal._asdict(),
            "steps": self.execution.steps,
            "stopped": self.execution.stopped,
            "collisions": self.execution.collisions,
            "exact": self.exact,
            "judged_by": "reference" if self.instance.final is None else "program",
            "mismatched_nodes": len(self.wrong_nodes),
            "compared_with": self.compared_with,
            "mismatched_bits": None if found is None else found.wrong_bits,
            "smallest_margin": None if found is None else found.smallest_margin,
            "largest_matches": None
            if found is None or found.largest_matches is None
            else int(found.largest_matches.max()),
            "covered": self.covered,
            "first_error": None if self.diagnosis is None else str(self.diagnosis),
            "seconds": {
                "compile": self.execution.compile_seconds,
                "train": self.train_seconds,
                "run": self.execution.run_seconds,
            },
            "answer": {str(name): fields for name, fields in self.by_node().items()},
        }


def certified_data(
    algorithm: str,
    sizes: Mapping[str, int],
    certificate: Certificate,
    finite: AtWidth | None,
    *,
    delta: float,
    num_decisions: int,
    void: bool = False,
) -> dict[str, Any]:
    """What is said alike of a program that is run, certified or trained, as plain data.

    Args:
        algorithm: its name.
        sizes: the program's sizes.
        certificate: at infinite width.
        finite: what becomes of it at a width, if that is asked.
        delta: probability of any error that ensembles are sized for.
        num_decisions: in so many decisions.
        void: whether a run exceeded the bound that the certificate rests on.
    """
    problem = certificate.problem
    return {
        "algorithm": algorithm,
        "parameters": dict(sizes),
        "program": program_data(problem.program, problem),
        "certificate": certificate_data(certificate, delta=delta, num_decisions=num_decisions),
        "finite_width": None if finite is None else finite_width_data(finite, void=void),
    }


def program_data(program: Program, problem: LearningProblem) -> dict[str, int]:
    """Sizes of a program, and the padding of its learning problem, as plain data."""
    leaves = program.layout.leaves
    # Flooding's word is its message; other programs have numbers of one length.
    named = {path: leaf.num_bits for path, leaf in leaves.items() if isinstance(leaf, Word)}
    words = [named["message"]] if "message" in named else list(named.values())
    return {
        "templates": program.num_templates,
        "idle": len(program.idle),
        "repeated": len(program.repeated),
        "padding": problem.num_padding,
        "state_bits": program.layout.num_bits,
        "message_bits": program.layout.num_message_bits,
        "word_bits": max(words, default=0),
        "max_writers": int(program.num_writers.max()),
    }


def certificate_data(
    certificate: Certificate, *, delta: float, num_decisions: int
) -> dict[str, Any]:
    """A certificate as plain data; `capacity` is None where it is unbounded.

    It speaks of infinite width; `finite_width_data` says what becomes of it at a width.
    """
    size = None
    if certificate.certified:
        size = certificate.ensemble_size(delta=delta, num_decisions=num_decisions)
    return {
        "certified": certificate.certified,
        "verdict": certificate.verdict(),
        "speaks_of": "infinite width",
        "kernel": certificate.kernel.told,
        "kind": certificate.problem.kind,
        "draw": certificate.draw,
        "basis": certificate.bound.basis,
        "max_matches": certificate.max_matches,
        "capacity": certificate.capacity if math.isfinite(certificate.capacity) else None,
        "threshold": certificate.threshold,
        "convention": certificate.convention_in_use,
        "conventions": {
            name: {
                "certified": one.certified,
                "smallest_margin": one.smallest_margin,
                "ensemble_size": one.ensemble_size(delta=delta, num_decisions=num_decisions)
                if one.certified
                else None,
            }
            for name, one in certificate.conventions().items()
        },
        "weight_std": certificate.weight_std,
        "smallest_margin": certificate.smallest_margin,
        "ensemble_size": size,
        "delta": delta,
        "decisions": num_decisions,
    }


def finite_width_data(found: AtWidth, *, void: bool = False) -> dict[str, Any]:
    """What a certificate says of networks of a finite width, as plain data.

    Where it rests on a bound that a run exceeded (`void`) nothing holds of that run.
    """
    tight = found.tightest if found.covered else None
    return {
        "width": found.width,
        "descent": found.descent,
        "covered": found.covered,
        "holds": found.holds and not void,
        "bias": None if tight is None else tight.bias,
        "margin": None if tight is None else tight.margin,
        "bit": None if tight is None else tight.bit_name,
        "verdict": found.verdict(),
    }


def ensemble_data(trained: Ensemble | GaussianEnsemble, train_seconds: float) -> dict[str, Any]:
    """A trained ensemble's sizes as plain data."""
    return {
        "kind": trained.problem.kind,
        "members": trained.config.members,
        "draw": trained.config.draw,
        "width": None if trained.config.draw == "gaussian" else trained.config.width,
        "seed": trained.config.seed,
        "components": len(trained.problem.components),
        "parameters": trained.num_parameters,
        "train_seconds": train_seconds,
        "gradient_steps": trained.max_steps,
        "predicted_steps": trained.predicted_steps,
        "residual": trained.residual,
        "peak": None if isinstance(trained, GaussianEnsemble) else trained.peak,
        "alarm": None if isinstance(trained, GaussianEnsemble) else trained.overshoot,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
