"""A small detector taught by a larger one: their necks' maps are to look alike, channel by channel."""

import dataclasses
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.detection.assigners import Assigner
from experiments.kits.detection.head import Predictions
from experiments.vision.damo_yolo.backbone import EPSILON, check_whole
from experiments.vision.damo_yolo.detector import DamoYolo
from experiments.vision.damo_yolo.objective import Objective
from ntkexec.errors import ExperimentError

LEAST = 0.1
"""Share of the distillation's weight that is left at the end."""


def channel_distillation(
    student: Float[Array, "b h w c"], teacher: Float[Array, "b h w c"], *, temperature: float = 1.0
) -> Float[Array, ""]:
    """How far each channel of a student looks elsewhere than the teacher's: a mean of divergences.

    Each channel of each picture becomes a distribution over positions, by a softmax; what is told apart is
    where a channel is large, not by how much above 0 it lies: a constant in a channel changes nothing.

    Args:
        student, teacher: maps of one shape.
        temperature: by which both are divided before the softmax.

    Returns:
        The mean over pictures and channels of the divergence of teacher from student, at least 0, times
        the temperature squared.

    Source: Shu et al., arXiv:2011.13256, as in DAMO-YOLO.
    """
    count, height, width, channels = student.shape

    def logs(maps: Float[Array, "b h w c"]) -> Float[Array, "b p c"]:
        flat = maps.reshape(count, height * width, channels) / temperature
        return jax.nn.log_softmax(flat, 1)

    ours, theirs = logs(student), logs(teacher)
    divergence = jnp.sum(jnp.exp(theirs) * (theirs - ours))
    return temperature**2 * divergence / (count * channels)


def mimicry(student: Float[Array, "b h w c"], teacher: Float[Array, "b h w c"]) -> Float[Array, ""]:
    """The mean squared difference of two maps: what channel distillation is compared with."""
    return jnp.mean(jnp.square(student - teacher))


class Lesson(NamedTuple):
    """What a student says while it is taught.

    Args:
        predictions: its own.
        apart: how far its maps are from the teacher's, weighed as the moment wants it.
    """

    predictions: Predictions
    apart: Float[Array, ""]


class Taught(nn.Module):
    """A student beside its teacher, for training; in the end the student's variables are what is kept.

    Variables hold the teacher's under `teacher`, which no gradient reaches, and count steps under `moment`:
    the weight falls from 1 to a tenth as a cosine. A pointwise convolution for each level brings the
    student's channels to the teacher's number, and both are normalised without scale and bias.

    Args:
        student: a detector.
        teacher: a larger one of the same strides.
        steps: of the training.
        weight: of the distillation at first.
        temperature: of `channel_distillation`.

    Raises:
        ExperimentError: one of the two is no detector, their strides differ, or there is no step.

    Source: Xu et al., arXiv:2211.15444; weight, normalisation and decay are the public code's.
    """

    student: DamoYolo
    teacher: DamoYolo
    steps: int
    weight: float = 0.5
    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_whole(self, "steps")
        for name in ("student", "teacher"):
            if not isinstance(getattr(self, name), DamoYolo):
                raise ExperimentError(f"a {name} is a DamoYolo, not {getattr(self, name)!r}")
        if self.student.strides != self.teacher.strides:
            raise ExperimentError(
                f"the student's strides are {self.student.strides}, the teacher's {self.teacher.strides}: "
                "their maps could not be compared"
            )
        if self.steps < 1 or not self.temperature > 0:
            raise ExperimentError(
                f"a lesson has steps and a temperature above 0, not {self.steps} and {self.temperature:g}"
            )
        super().__post_init__()

    @property
    def strides(self) -> tuple[int, ...]:
        """Of the student's levels."""
        return self.student.strides

    @nn.compact
    def __call__(
        self, images: Float[Array, "b h w 3"], share: Any = 1.0, *, train: bool = False
    ) -> Any:
        """A `Lesson` while training, the student's predictions else.

        Args:
            images: from 0 to 1.
            share: of the weight; 0 trains the student alone, by the same program.
            train: whether a lesson is wanted.
        """
        if not train:
            return self.student(images)
        maps = self.student.maps(images, train=True)
        taught: Any = {
            name: self.get_variable("teacher", name) for name in ("params", "batch_stats")
        }
        shown = self.teacher.clone(parent=None).apply(taught, images, method="maps")
        moment = self.variable("moment", "steps", jnp.zeros, ())
        share = share * self.weight * (LEAST + (1 - LEAST) * _falling(moment.value, self.steps))
        moment.value = moment.value + 1
        apart = jnp.float32(0)
        for number, (ours, theirs) in enumerate(zip(maps, shown, strict=True)):
            align = nn.Dense(theirs.shape[-1], name=f"align_{number}")
            apart += channel_distillation(
                normalised(align(ours)), normalised(theirs), temperature=self.temperature
            )
        return Lesson(self.student.head(maps, train=True), share * apart)


def lesson_variables(student: Any, teacher: Any, aligning: Any) -> dict[str, Any]:
    """Variables of a `Taught` at the beginning.

    Args:
        student, teacher: variables of the two detectors.
        aligning: kernels (channels of the student, of the teacher), a level each.
    """
    params = {"student": student["params"]}
    for number, kernel in enumerate(aligning):
        bias = jnp.zeros(kernel.shape[1], kernel.dtype)
        params[f"align_{number}"] = {"kernel": kernel, "bias": bias}
    return {
        "params": params,
        "batch_stats": {"student": student["batch_stats"]},
        "teacher": {name: teacher[name] for name in ("params", "batch_stats")},
        "moment": {"steps": jnp.float32(0)},
    }


def student_variables(variables: Any) -> dict[str, Any]:
    """The student's own variables among those of a `Taught`."""
    return {name: variables[name]["student"] for name in ("params", "batch_stats")}


def normalised(maps: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """Each channel with mean 0 and variance 1 over the batch's pictures and positions."""
    mean = maps.mean((0, 1, 2), keepdims=True)
    variance = maps.var((0, 1, 2), keepdims=True)
    return (maps - mean) / jnp.sqrt(variance + EPSILON)


@dataclasses.dataclass(frozen=True)
class TaughtObjective:
    """The detector's own loss, and what a lesson says of the maps.

    Args:
        own: of the predictions.
    """

    own: Objective

    @property
    def assigners(self) -> tuple[Assigner, ...]:
        """Those of the detector's own loss."""
        return self.own.assigners

    def __call__(self, lesson: Lesson, truth: Any, priors: Any, given: Any = None) -> Array:
        """The loss of a batch; see `Objective`."""
        return self.own(lesson.predictions, truth, priors, given) + lesson.apart


def _falling(at: Any, steps: int) -> Any:
    return (1 + jnp.cos(jnp.pi * at / steps)) / 2
