"""What the paper says, as we read its first page, as claims on the records of the studies."""

from collections.abc import Callable

from experiments.harness.claim import Claim, at_least, beats, equals, identity, no_worse
from experiments.harness.study import Record

PAPER = "arXiv:2505.00966, abstract"
READING = f"{PAPER}; the weights are our reading"
ORBITS = (
    "float64, gateway rounds of 48 satellites of a Walker shell over six gateways, places drawn"
)
FLOWN = (
    "24 satellites at 550 km, six gateways, fifteen cloud rounds of two gateway rounds of 12 minutes; "
    "PSNR at 10 dB of SNR, the mean of pictures' decibels, trained at SNRs drawn from 0 to 20 dB; paired"
)


def _gain(which: str) -> Callable[[Record], float]:
    def gain(record: Record) -> float:
        curve = record["tiles"]["by_snr"][which]
        return float(curve[-1] - curve[0])

    return gain


CLAIMS: tuple[Claim, ...] = (
    identity(
        "covered-is-fedavg",
        "where all satellites are served all the time, both tiers together are FedAvg, whoever serves them",
        "averages.covered",
        broken="averages.uncovered",
        source=READING,
        how=f"{ORBITS}, shares divided by each satellite's coverage; the twin does not divide",
        formula="w = sum n_s w_s / sum n_s",
        provenance="reconstructed",
    ),
    identity(
        "fixed-point",
        "with quadratic clients, rounds end at the mean of their optima, weighted by samples and coverage: "
        "whom several gateways serve counts once",
        "averages.fixed_point",
        broken="averages.naive_fixed_point",
        tolerance=1e-8,
        source=READING,
        how=f"{ORBITS}; one step of half the way a round; the twin is where the naive weights end",
        formula="w = sum n_s c_s b_s / sum n_s c_s",
        provenance="reconstructed",
    ),
    identity(
        "energy-conserved",
        "a battery's level is what came from the Sun less what was spent, reflected at the capacity",
        "batteries.reflected",
        broken="batteries.without_overflow",
        source=f"{PAPER} (energy constraints); the model is ours",
        how="levels and joules that found it full, against Skorokhod's closed form; random harvests and "
        "costs; the twin forgets the capacity",
        formula="level = x - max(0, max over the past of (x - capacity))",
        provenance="reconstructed",
    ),
    identity(
        "mesh-average",
        "over a mesh of gateways and satellites both tiers are the dense ones",
        "mesh.deviation",
        broken="mesh.unweighted",
        tolerance=1e-6,
        source="this port",
        how="models of the cloud and of four gateways on host devices, float32, relative to the largest "
        "parameter; the twin's gateways have "
        "equal weights",
        provenance="ours",
    ),
    equals(
        "mesh-bytes",
        "over that mesh, each tier sends one sum of a model and of one number, and nothing else",
        "mesh.beyond",
        count=0,
        broken="mesh.gathered",
        source="this port",
        how="operands of all collectives in the compiled program; the twin's gateways gather their "
        "satellites' models",
        provenance="ours",
    ),
    at_least(
        "snr-gain",
        "the trained codec receives better over a better channel: by 3 dB at least, from 0 to 20 dB of SNR",
        _gain("trained"),
        bound=3.0,
        broken=_gain("shuffled"),
        source=PAPER,
        how="PSNR, noise drawn for each SNR; the twin is the same codec whose symbols come in another order",
        bound_from="half the error; set after a pilot of one seed, in which training gained more, and "
        "shuffled symbols and an untrained codec gained less",
        provenance="reconstructed",
    ),
    beats(
        "better-than-naive",
        "with weights by the time of each association the codec is better than where every gateway counts "
        "a satellite in full",
        "tiles.quality.mobility",
        "tiles.quality.naive",
        source=READING,
        how=FLOWN,
        provenance="reconstructed",
    ),
    beats(
        "better-than-uniform",
        "it is better than where all gateways count alike at the cloud",
        "tiles.quality.mobility",
        "tiles.quality.uniform",
        source=READING,
        how=FLOWN,
        provenance="reconstructed",
    ),
    beats(
        "better-than-unbiased",
        "it is better than where whoever is served counts as much, however long",
        "tiles.quality.mobility",
        "tiles.quality.unbiased",
        source="this port",
        how=f"{FLOWN}; the rival's weights are divided by coverage",
        provenance="ours",
    ),
    no_worse(
        "centralised",
        "it loses at most 1 dB to training in one place, for eight steps a round",
        "tiles.quality.mobility",
        "tiles.quality.centralised",
        margin=1.0,
        source=PAPER,
        how=f"{FLOWN}; in one place steps are of 64 pictures, in every round; on a satellite of 8, for "
        "eight steps in a round in which it is served and affords it",
        provenance="reconstructed",
    ),
    no_worse(
        "centralised-photographs",
        "with photographs whose labels are uneven over satellites, it loses at most 1 dB to training in one "
        "place",
        "photographs.quality.mobility",
        "photographs.quality.centralised",
        margin=1.0,
        source=PAPER,
        how="CIFAR-10's sample at 16 x 16, labels by Dirichlet shares of 0.3, the same orbits and steps",
        provenance="reconstructed",
    ),
)
