"""Sheaf diffusion: networks that learn, for every edge, how its two ends are to be compared."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.graphs.neural_sheaf_diffusion.model import RULES as RULES
    from experiments.graphs.neural_sheaf_diffusion.model import BundleSheaf as BundleSheaf
    from experiments.graphs.neural_sheaf_diffusion.model import DiagonalSheaf as DiagonalSheaf
    from experiments.graphs.neural_sheaf_diffusion.model import GeneralSheaf as GeneralSheaf
    from experiments.graphs.neural_sheaf_diffusion.model import layer_sheaf as layer_sheaf
    from experiments.graphs.neural_sheaf_diffusion.report import sheaf_report as sheaf_report
    from experiments.graphs.neural_sheaf_diffusion.sheaf import harmonic_space as harmonic_space
    from experiments.graphs.neural_sheaf_diffusion.sheaf import sheaf_laplacian as sheaf_laplacian
    from experiments.graphs.neural_sheaf_diffusion.sheaf import sheaf_on as sheaf_on
    from experiments.graphs.neural_sheaf_diffusion.sheaf import transport as transport

__all__, __getattr__, __dir__ = lazy(
    __name__,
    sheaf=("harmonic_space", "sheaf_laplacian", "sheaf_on", "transport"),
    model=("RULES", "BundleSheaf", "DiagonalSheaf", "GeneralSheaf", "layer_sheaf"),
    report=("sheaf_report",),
)
