"""What the paper and this port say, and the measurement that can refute it."""

from experiments.harness.claim import (
    Claim,
    at_least,
    at_most,
    equals,
    identity,
    no_worse,
)

PAPER = "Jha, Saini, Nag and Mittal, E2GC, VLSID 2020, arXiv:2006.15100"
MODEL = f"{PAPER}; the energy model is reconstructed"
TRAINED = (
    "small networks like MobileNet, 2,000 pictures of 16 x 16 to train on, paired first weights"
)
SLOPE = "least-squares slope over log2 of the size, seed by seed; 95 % t interval"
GAINS = (
    "percentage points from the farther of +10.8 % images per joule (MobileNet-V1) and +4.73 % (ResNeXt-50): "
    "one rho from 0.1 to 10,000, pairs whose multiplications differ by at most 15 %, of 3 x 3 layers or of "
    "whole networks, whichever comes nearer; the twin: fixed number and constant size exchanged. With so "
    "many choices every second pair of figures could be met: it says that the model does not contradict them"
)
A_POINT = "a percentage point, fixed before measuring"

CLAIMS: tuple[Claim, ...] = (
    identity(
        "width",
        "With groups of a constant size, arithmetic intensity does not depend on a layer's width",
        "identities.width",
        broken="identities.width_fixed",
        source=PAPER,
        how="largest ratio minus 1 between the widths 32, 256 and 2,048, random layers, stride 1; the twin: "
        "one number of groups",
    ),
    identity(
        "balance",
        "At the group size in closed form, computing takes as much energy as moving",
        "identities.balance",
        broken="identities.balance_doubled",
        source=MODEL,
        how="largest difference of the two, over the first, random layers and rho; the twin: groups twice as "
        "large",
        provenance="reconstructed",
    ),
    equals(
        "parameters-mobilenet",
        "MobileNet-V1 has 4,231,976 parameters",
        "tables.parameters.mobilenet",
        count=4_231_976,
        source="Howard et al., arXiv:1704.04861 (4.2 M); github.com/osmr/imgclsmob, exactly",
        how="the walker, on our network",
        provenance="public code",
    ),
    equals(
        "parameters-resnext",
        "ResNeXt-50 of 32 groups has 25,028,904 parameters",
        "tables.parameters.resnext",
        count=25_028_904,
        source="Xie et al., arXiv:1611.05431 (25.0 M); torchvision's page on resnext50_32x4d, exactly",
        how="the walker, on our network",
        provenance="public code",
    ),
    equals(
        "tables",
        "Multiplications, weights and elements moved of every 3 x 3 layer of both networks are the same by "
        "closed form, by the walker and by XLA",
        "tables.different",
        count=0,
        broken="tables.different_swapped",
        source="the formulas of this folder's `energy_model`",
        how="whole numbers that differ, with 32 groups and with groups of 8; the twin: number and size taken "
        "for each other",
        provenance="ours",
    ),
    at_most(
        "gains",
        "With some rho and some pairs of groups the energy model gives both published gains",
        "gains.distance",
        bound=1.0,
        broken="gains.distance_exchanged",
        source=MODEL,
        how=GAINS,
        bound_from=A_POINT,
        provenance="reconstructed",
    ),
    at_most(
        "gains-published-groups",
        "It gives both if ResNeXt-50 has the 32 groups with which it was published",
        "gains.published_groups",
        bound=1.0,
        broken="gains.published_groups_exchanged",
        source=MODEL,
        how=GAINS,
        bound_from=A_POINT,
        provenance="reconstructed",
    ),
    at_most(
        "optimum",
        "A constant size of groups takes the least energy of all groups that multiply as often",
        "optimum.excess",
        bound=0.01,
        broken="optimum.excess_fixed",
        source=f"{PAPER}: its optimum group size; that it is also this optimum is our question",
        how="energy of groups of 8 over the least by integer programming, minus 1, 3 x 3 layers, rho 32, the "
        "larger of both networks; the twin: 32 groups",
        bound_from="a hundredth of the energy",
        provenance="ours",
    ),
    no_worse(
        "accuracy",
        "At exactly equal multiplications, groups of a constant size classify CIFAR-10's sample as well as a "
        "fixed number of groups",
        "photographs.test.equal",
        "photographs.test.fixed",
        margin=0.01,
        resolution=1e-3,
        source=f"{PAPER}, on ImageNet and Food-101",
        how=f"test accuracy, {TRAINED}; paired 95 % t interval",
    ),
    no_worse(
        "textures",
        "At exactly equal multiplications, groups of a constant size classify generated textures as well as "
        "a fixed number of groups",
        "gratings.test.equal",
        "gratings.test.fixed",
        margin=0.01,
        resolution=1e-3,
        source=f"{PAPER}, on ImageNet and Food-101",
        how=f"test accuracy, {TRAINED}; paired 95 % t interval",
    ),
    at_least(
        "fit",
        "Larger groups fit the training pictures better",
        "photographs.fit_slope",
        bound=0.0,
        broken=lambda record: -float(record["photographs"]["fit_slope"]),
        source=f"{PAPER}: the size trades representation against generalisation",
        how=f"training accuracy, {TRAINED}; {SLOPE}; the twin: sizes in reverse",
    ),
    at_least(
        "gap",
        "Larger groups leave a larger gap between training and test accuracy",
        "photographs.gap_slope",
        bound=0.0,
        broken=lambda record: -float(record["photographs"]["gap_slope"]),
        source=f"{PAPER}: the size trades representation against generalisation",
        how=f"training minus test accuracy, {TRAINED}; {SLOPE}; the twin: sizes in reverse",
    ),
)
