"""FF-G2M: a network without a graph learns what a graph network knows along edges."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.graphs.ff_g2m.losses import high_frequency_loss as high_frequency_loss
    from experiments.graphs.ff_g2m.losses import low_frequency_loss as low_frequency_loss
    from experiments.graphs.ff_g2m.spectrum import frequency_report as frequency_report
    from experiments.graphs.ff_g2m.student import distil as distil

__all__, __getattr__, __dir__ = lazy(
    __name__,
    losses=("high_frequency_loss", "low_frequency_loss"),
    spectrum=("frequency_report",),
    student=("distil",),
)
