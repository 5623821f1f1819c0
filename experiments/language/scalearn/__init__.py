"""ScaLearn: a task learns from others by nothing but factors of their adapters."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.language.scalearn.backbones import AdaptedEncoder as AdaptedEncoder
    from experiments.language.scalearn.backbones import KeptStates as KeptStates
    from experiments.language.scalearn.bank import SourceBank as SourceBank
    from experiments.language.scalearn.scaling import AdapterFusion as AdapterFusion
    from experiments.language.scalearn.scaling import ScaLearn as ScaLearn
    from experiments.language.scalearn.transfer import learn as learn
    from experiments.language.scalearn.worth import influence as influence
    from experiments.language.scalearn.worth import linearised as linearised
    from experiments.language.scalearn.worth import newton_start as newton_start

__all__, __getattr__, __dir__ = lazy(
    __name__,
    backbones=("AdaptedEncoder", "KeptStates"),
    bank=("SourceBank",),
    worth=("influence", "linearised", "newton_start"),
    scaling=("AdapterFusion", "ScaLearn"),
    transfer=("learn",),
)
