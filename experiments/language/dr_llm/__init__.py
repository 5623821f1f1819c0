"""Dr.LLM: routers that let a frozen decoder skip, run or repeat its blocks, taught by a search of paths."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.language.dr_llm.checked_packed import Walker as Walker
    from experiments.language.dr_llm.checked_packed import pack as pack
    from experiments.language.dr_llm.checked_router import class_weights as class_weights
    from experiments.language.dr_llm.checked_router import fit_routers as fit_routers
    from experiments.language.dr_llm.checked_router import focal_loss as focal_loss
    from experiments.language.dr_llm.checked_router import initial_routers as initial_routers
    from experiments.language.dr_llm.checked_search import in_lockstep as in_lockstep
    from experiments.language.dr_llm.checked_search import released_search as released_search
    from experiments.language.dr_llm.checked_search import tree_search as tree_search
    from experiments.language.dr_llm.checked_search import uniform_edits as uniform_edits
    from experiments.language.dr_llm.knob import turned as turned
    from experiments.language.dr_llm.packed import Packed as Packed
    from experiments.language.dr_llm.paths import answers_of_all as answers_of_all
    from experiments.language.dr_llm.paths import right_along as right_along
    from experiments.language.dr_llm.paths import run_path as run_path
    from experiments.language.dr_llm.router import Router as Router
    from experiments.language.dr_llm.router import route as route
    from experiments.language.dr_llm.search import label_of as label_of

__all__, __getattr__, __dir__ = lazy(
    __name__,
    checked_packed=("Walker", "pack"),
    checked_router=("class_weights", "fit_routers", "focal_loss", "initial_routers"),
    checked_search=("in_lockstep", "released_search", "tree_search", "uniform_edits"),
    knob=("turned",),
    packed=("Packed",),
    paths=("answers_of_all", "right_along", "run_path"),
    router=("Router", "route"),
    search=("label_of",),
)
