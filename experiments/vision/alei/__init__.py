"""ALEI: a frozen transformer that looks for generated pictures in several low-level views at once."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.vision.alei.audit import benchmark_files as benchmark_files
    from experiments.vision.alei.audit import leakage_audit as leakage_audit
    from experiments.vision.alei.detector import Detector as Detector
    from experiments.vision.alei.detector import assembled as assembled
    from experiments.vision.alei.detector import detection_loss as detection_loss
    from experiments.vision.alei.detector import selection_loss as selection_loss
    from experiments.vision.alei.forgeries import forger as forger
    from experiments.vision.alei.layers import Adapter as Adapter
    from experiments.vision.alei.layers import CrossViewAttention as CrossViewAttention
    from experiments.vision.alei.layers import LoRAExperts as LoRAExperts
    from experiments.vision.alei.layers import ViewRouter as ViewRouter
    from experiments.vision.alei.layers import VisionTransformer as VisionTransformer
    from experiments.vision.alei.layers import merged_kernels as merged_kernels
    from experiments.vision.alei.training import detect as detect
    from experiments.vision.alei.training import fit_parts as fit_parts
    from experiments.vision.alei.views import bayar_constrained as bayar_constrained
    from experiments.vision.alei.views import keep_bayar as keep_bayar
    from experiments.vision.alei.views import neighbouring_pixels as neighbouring_pixels
    from experiments.vision.alei.views import noise_residual as noise_residual
    from experiments.vision.alei.views import views_of as views_of

__all__, __getattr__, __dir__ = lazy(
    __name__,
    audit=("benchmark_files", "leakage_audit"),
    detector=("Detector", "assembled", "detection_loss", "selection_loss"),
    forgeries=("forger",),
    layers=(
        "Adapter",
        "CrossViewAttention",
        "LoRAExperts",
        "ViewRouter",
        "VisionTransformer",
        "merged_kernels",
    ),
    training=("detect", "fit_parts"),
    views=(
        "bayar_constrained",
        "keep_bayar",
        "neighbouring_pixels",
        "noise_residual",
        "views_of",
    ),
)
