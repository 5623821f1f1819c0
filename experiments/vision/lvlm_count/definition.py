"""The LVLM-Count experiment."""

from experiments.harness.experiment import Application, Experiment, Paper
from experiments.vision.lvlm_count import exact, learned, noisy, pictures
from experiments.vision.lvlm_count.apply import OPTIONS, apply
from experiments.vision.lvlm_count.claims import CHECKS
from experiments.vision.lvlm_count.config import FULL, QUICK, STANDARD, TINY

EXPERIMENT = Experiment(
    slug="lvlm-count",
    title="LVLM-Count: counting many objects by dividing the picture around them",
    paper=Paper(
        title="LVLM-COUNT: Enhancing the Counting Ability of Large Vision-Language Models",
        authors="Fetrat Qharabagh, Ghofrani and Fountoulakis",
        year=2026,
        arxiv="2412.00686",
    ),
    configs={"quick": QUICK, "standard": STANDARD, "full": FULL},
    tiny=TINY,
    studies={
        "division": exact.division,
        "line": exact.line,
        "paths": exact.paths,
        "shift": exact.shift,
        "kinds": exact.kinds,
        "simulated": learned.simulated,
        "noise": noisy.noise,
        "counter": learned.counter,
        "emoji": pictures.emoji,
        **{name: pictures.asked(name) for name in pictures.ASKED},
    },
    checks=CHECKS,
    slow_studies=("counter",),
    application=Application(OPTIONS, apply),
)
