"""What the paper says, as we read its first page, as claims on the records of the studies."""

import itertools

import numpy as np

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


def _least_gain(record: Record) -> float:
    curve = record["tiles"]["by_snr"]
    return float(np.min([after - before for before, after in itertools.pairwise(curve)]))


def _books(record: Record) -> float:
    found = record["batteries"]
    return float(max(found["imbalance"], found["below_floor"], found["closed_form"]))


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
        "once-each",
        "a satellite that several gateways serve counts once, by its samples and coverage; where each "
        "gateway counts it in full, as often as there are gateways",
        "averages.once",
        broken="averages.naive_once",
        source=READING,
        how=f"{ORBITS}; weights in the cloud's model; the twin has the naive weights in their place",
        formula="n_s c_s / sum n c",
        provenance="reconstructed",
    ),
    identity(
        "fixed-point",
        "with quadratic clients, rounds end at the mean of their optima, weighted by samples and coverage",
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
        "what a battery holds is what came from the Sun less what was spent and what found it full; no work "
        "takes it below its floor, and in the dark work ends when the closed form says",
        _books,
        broken="batteries.without_overflow",
        source=f"{PAPER} (energy constraints); the model is ours",
        how="random harvests and costs; the largest of the imbalance, relative, joules below the floor, "
        "rounds off the closed form; the twin forgets what found batteries full",
        provenance="reconstructed",
    ),
    equals(
        "mesh-bytes",
        "over a mesh of gateways and satellites, each tier sends one sum of a model and of one number, and "
        "nothing else",
        "mesh.beyond",
        count=0,
        source="this port",
        how="operands of all collectives in the compiled program, float32, on four gateways' host devices",
        provenance="ours",
    ),
    at_least(
        "gaussian-bound",
        "over the codec's channel no Gaussian source is received better than reverse water-filling allows",
        "gaussian.least",
        bound=-0.1,
        broken="gaussian.with_half_the_noise",
        source="Shannon, 1959",
        how="decibels of the best linear code above the bound, the least of twelve sources, rates and SNRs, "
        "of which one meets it; the twin has half the noise",
        bound_from="0, less what drawing 4,000 vectors may be off",
        provenance="ours",
    ),
    at_least(
        "snr-monotone",
        "the trained codec receives no worse over a better channel",
        _least_gain,
        bound=-0.1,
        broken=lambda record: -abs(_least_gain(record)) - 1.0,
        source=PAPER,
        how="the least gain of PSNR from one of 0, 5, 10, 15, 20 dB to the next; the twin has it reversed, "
        "less 1 dB",
        bound_from="0, less a tenth of a decibel",
        provenance="reconstructed",
    ),
    identity(
        "no-hand-over",
        "where satellites stand still over their gateways, the paper's weights and the naive ones train the "
        "same codec",
        "tiles.standing",
        broken="tiles.handed_over",
        tolerance=1e-5,
        source=READING,
        how="largest difference of parameters over the largest one, float32, 30 rounds at 35,793 km over "
        "the equator; the twin is the same at 550 km, where there are hand-overs",
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
    no_worse(
        "centralised",
        "it loses at most 1 dB to training in one place, after equally many steps",
        "tiles.quality.mobility",
        "tiles.quality.centralised",
        margin=1.0,
        source=PAPER,
        how=f"{FLOWN}; in one place steps are of 64 pictures, on a satellite of 8",
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
        how="CIFAR-10's sample at 16 x 16, labels by Dirichlet shares of 0.3, the same orbits",
        provenance="reconstructed",
    ),
)
