"""Mixture of Thoughts: frozen experts that exchange hidden states, a router, and a test of who listens."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.language.mixture_of_thoughts.experts import DecoderExpert as DecoderExpert
    from experiments.language.mixture_of_thoughts.experts import Expert as Expert
    from experiments.language.mixture_of_thoughts.fitting import fit_mixture as fit_mixture
    from experiments.language.mixture_of_thoughts.interaction import (
        InteractionLayer as InteractionLayer,
    )
    from experiments.language.mixture_of_thoughts.leaks import causality_report as causality_report
    from experiments.language.mixture_of_thoughts.model import (
        MixtureOfThoughts as MixtureOfThoughts,
    )
    from experiments.language.mixture_of_thoughts.model import initial_mixture as initial_mixture
    from experiments.language.mixture_of_thoughts.router import Router as Router
    from experiments.language.mixture_of_thoughts.router import choose as choose

__all__, __getattr__, __dir__ = lazy(
    __name__,
    experts=("DecoderExpert", "Expert"),
    fitting=("fit_mixture",),
    interaction=("InteractionLayer",),
    leaks=("causality_report",),
    model=("MixtureOfThoughts", "initial_mixture"),
    router=("Router", "choose"),
)
