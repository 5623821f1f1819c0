"""Dynamic-DINO: dense feed-forward layers upcycled to fine-grained experts that begin as they were."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.vision.dynamic_dino.detector import Detector as Detector
    from experiments.vision.dynamic_dino.detector import initial_detector as initial_detector
    from experiments.vision.dynamic_dino.detector import upcycled as upcycled
    from experiments.vision.dynamic_dino.matching import matched as matched
    from experiments.vision.dynamic_dino.matching import set_loss as set_loss
    from experiments.vision.dynamic_dino.mixture import MoEFFN as MoEFFN
    from experiments.vision.dynamic_dino.prompts import named_prompts as named_prompts
    from experiments.vision.dynamic_dino.routing import balance_loss as balance_loss
    from experiments.vision.dynamic_dino.routing import co_activation as co_activation
    from experiments.vision.dynamic_dino.routing import partners as partners
    from experiments.vision.dynamic_dino.routing import route as route
    from experiments.vision.dynamic_dino.splitting import FeedForward as FeedForward
    from experiments.vision.dynamic_dino.splitting import from_dense as from_dense
    from experiments.vision.dynamic_dino.splitting import split_ffn as split_ffn
    from experiments.vision.dynamic_dino.upcycling import experts_of as experts_of
    from experiments.vision.dynamic_dino.upcycling import symmetry as symmetry
    from experiments.vision.dynamic_dino.upcycling import upcycle as upcycle
    from experiments.vision.dynamic_dino.upcycling import widened as widened

__all__, __getattr__, __dir__ = lazy(
    __name__,
    detector=("Detector", "initial_detector", "upcycled"),
    matching=("matched", "set_loss"),
    mixture=("MoEFFN",),
    prompts=("named_prompts",),
    routing=("balance_loss", "co_activation", "partners", "route"),
    splitting=("FeedForward", "from_dense", "split_ffn"),
    upcycling=("experts_of", "symmetry", "upcycle", "widened"),
)
