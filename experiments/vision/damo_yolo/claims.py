"""What the report says, as claims: identities, counts, the score and its search, small detectors."""

from experiments.harness.claim import at_least, at_most, beats, equals, identity
from experiments.harness.scene_plots import with_scenes
from experiments.harness.study import Record
from experiments.vision.damo_yolo.study_config import QUICK, STANDARD, DamoYoloConfig

PAPER = "Xu et al., arXiv:2211.15444"


def _scenes(config: DamoYoloConfig) -> str:
    fewest, most = config.objects
    return (
        f"{config.size} x {config.size} with {fewest} to {most} digits of {config.pixels[0]} to "
        f"{config.pixels[1]} pixels"
    )


SCENES = (
    f"generated pictures of handwritten digits, at quick of {_scenes(QUICK)}, at standard of "
    f"{_scenes(STANDARD)}, tested with digits that were not shown; a small detector of the same parts, "
    "strides 4, 8 and 16"
)
TRAINING = (
    f"every training is of {QUICK.steps} steps of {QUICK.batch} pictures at quick and of {STANDARD.steps} of "
    f"{STANDARD.batch} at standard, from the same start in the same order"
)
TEACHER = (
    f"the teacher is at quick the student trained for {QUICK.rounds} trainings more, at standard a wider "
    f"network trained for {STANDARD.rounds} from the beginning"
)
RESOLUTION = 0.003
"""Of an average precision: one of some 300 objects in 200 pictures; standard has 500 pictures."""
PUBLISHED = {"parameters": 8.5e6, "operations": 18.1e9}
"""Of DAMO-YOLO-T at 640 x 640; an operation is half a multiplication with its addition."""


def _met(record: Record, which: str = "fused") -> int:
    """How many of two published figures are ours, within 1 %."""
    found = record["counts"]
    ours = {
        "parameters": found[f"{which}_parameters" if which else "parameters"],
        "operations": 2 * found[f"{which}_multiplications" if which else "multiplications"],
    }
    return sum(abs(ours[name] / figure - 1) <= 0.01 for name, figure in PUBLISHED.items())


def _largest(record: Record, which: str = "not_largest") -> int:
    found = record["search"]
    return int(found["lowered"] + found[which])


CLAIMS = (
    identity(
        "fusion",
        "A convolution trained as two branches is one convolution at inference, also where it is strided",
        "fusion.deviation",
        broken="fusion.same_padding",
        tolerance=1e-10,
        source=f"{PAPER}, on RepGFPN; RepVGG, arXiv:2101.03697",
        how="drawn weights and statistics, windows 3 and 5, strides 1 and 2, in float64; the twin pads the "
        "strided one as XLA does by itself",
        provenance="public code",
    ),
    equals(
        "counts",
        "DAMO-YOLO-T, fused, has the published 8.5 million parameters and takes the published 18.1 billion "
        "operations at 640 x 640, within 1 %",
        _met,
        count=2,
        broken=lambda record: _met(record, ""),
        source=f"{PAPER}, its table of models",
        how="how many of the two figures are met by a walk through the network, an operation being half a "
        "multiplication with its addition; the twin counts the network as it is trained",
    ),
    at_most(
        "entropy",
        "The score is what it says: the entropies that white weights give to a backbone's maps, within 0.05",
        lambda record: abs(record["entropy"]["linear"]),
        bound=0.05,
        broken=lambda record: abs(record["entropy"]["rectified"]),
        source=f"{PAPER}, on MAE-NAS; Sun et al., arXiv:2111.13336",
        how="the score of drawn backbones of three convolutions and 16 to 32 channels, both levels weighed "
        "alike, against their maps' log deviations on white inputs, edges wrapped around, over draws of "
        "weights; the twin puts rectifiers between, which the score leaves out",
        bound_from="a quarter of log(24 / 16) / 2, by which a convolution's entropy changes when the stem is "
        "the search's next larger one",
    ),
    equals(
        "largest",
        "Enlarging any number of a backbone never lowers the score, so that without a budget the search "
        "finds the largest",
        _largest,
        count=0,
        broken=lambda record: _largest(record, "not_largest_at_random"),
        source="ours: from the score's formula",
        how="pairs of neighbours whose score falls, and decisions in which the backbone that evolution "
        "finds is not the largest of its space; the twin draws as many backbones at random",
        provenance="ours",
    ),
    identity(
        "minimal",
        "Both forms of AlignOTA's cost are least, 0, where the score is the overlap: the report's with a "
        "kink of slopes -H and +H, the code's flat",
        "alignment.deviation",
        broken="alignment.sim_ota",
        tolerance=1e-6,
        source=f"{PAPER}, on AlignOTA, and the public code",
        how="a grid of scores and overlaps in float64, derivatives 1e-9 beside the kink; H is the entropy "
        "of the overlap; the twin is by how much SimOTA's cost is less elsewhere",
        formula="|t - p| CE(p, t) and |t - p|^2 CE(p, t)",
    ),
    equals(
        "conflicts",
        "As released, a prior that several objects claim goes to the cheapest of all, claimant or not",
        "conflicts.code",
        count=0,
        broken="conflicts.report",
        source="the public code's dynamic matching",
        how="priors of drawn costs that a plain loop gives to another owner than the compiled matching; the "
        "twin gives them to the cheapest claimant",
        provenance="public code",
    ),
    identity(
        "shift",
        "Channel distillation does not see a constant added to a channel, of the student or of the teacher",
        "shifts.channel",
        broken="shifts.mimicry",
        source=f"{PAPER}, on distillation; Shu et al., arXiv:2011.13256",
        how="drawn maps in float64, relative; the twin is the mean squared difference, its rival",
    ),
    with_scenes(
        at_least(
            "detects",
            "A small DAMO-YOLO learns to find digits: an average precision of 0.3 at least at overlap 0.5",
            "trained.ap50.teacher",
            bound=0.3,
            broken="trained.ap50.untrained",
            source="ours: that the parts work together",
            how=f"the teacher's; {SCENES}; {TRAINING}; {TEACHER}; the twin is not trained",
            bound_from="three times a tenth, which boxes around every digit without telling which one would "
            "reach at most",
            resolution=RESOLUTION,
            provenance="ours",
        ),
        "trained",
        "scenes",
    ),
    beats(
        "assigners",
        "AlignOTA, as released, assigns better than SimOTA",
        "trained.ap50.align_ota_code",
        "trained.ap50.sim_ota",
        names=("AlignOTA", "SimOTA"),
        source=f"{PAPER}, its comparison of assignments: 45.6 against 44.2",
        resolution=RESOLUTION,
        how=f"average precision at overlap 0.5; {SCENES}; {TRAINING}",
        provenance="reconstructed",
    ),
    beats(
        "distillation",
        "A teacher's maps help: channel distillation is better than none",
        "trained.ap50.taught",
        "trained.ap50.align_ota_code",
        names=("taught", "alone"),
        source=f"{PAPER}, its comparison of distillations: 40.7 against 38.2",
        resolution=RESOLUTION,
        how=f"average precision at overlap 0.5; {SCENES}; {TRAINING}; {TEACHER}",
        provenance="reconstructed",
    ),
)
