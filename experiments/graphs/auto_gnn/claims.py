"""What the paper says of its search, as claims on the records of the studies; and what a table can tell."""

from experiments.harness.claim import at_least, beats, equals
from experiments.harness.selectors import Of
from experiments.harness.study import Record

DRAWN = (
    "mean true regret of what is returned on two drawn landscapes of 199,148,544 architectures, whose "
    "12 decisions add up and of whose pairs 30 % interact (0.5 or 1.5 times as strongly), seen with "
    "noise of deviation 0.3; equal budgets of distinct evaluations, less where a search has converged"
)
TABLE = (
    "576 architectures trained three times each on Cora (tabulate.py); a search sees one training, and "
    "its result is scored by the mean validation accuracy of the two others"
)
GAIN = "the sign of the mean difference of regret over paired seeds"


def drawn(arm: str) -> Of:
    """Minus the mean regret of an arm on both landscapes at the end."""

    def of(record: Record) -> float:
        found: list[float] = [record[study]["late"][arm] for study in ("smooth", "rugged")]
        return -sum(found) / 2

    return of


def trained(arm: str) -> Of:
    """Minus the regret of an arm on Cora's table."""
    return lambda record: -float(record["cora"]["regret"][arm])


CLAIMS = (
    equals(
        "size",
        "Two layers can be chosen in 199,148,544 ways, 14,112 each",
        "counts.layers_2",
        count=199_148_544,
        broken="counts.layers_1",
        source="section 3.1, lists as in the public code of GraphNAS",
        how="the product of the options; that numbers and architectures are one to one is a test",
        provenance="reconstructed",
    ),
    at_least(
        "argmax",
        "A fresh controller that changes what has the largest entropy changes activations, the kind with "
        "most options, at least nine times in ten",
        "guidance.argmax",
        bound=0.9,
        broken="guidance.softmax",
        source="ours: entropies of nearly uniform distributions rank kinds by how many options they have",
        how="fresh controllers at random architectures; the twin draws from softmax(entropies)",
        provenance="ours",
        formula="max_c L log n_c",
    ),
    beats(
        "drawn-random",
        "On drawn landscapes RCNAS beats random search",
        drawn("rcnas"),
        drawn("random"),
        names=("RCNAS", "random search"),
        source="section 4, the search compared with random search",
        how=DRAWN,
        bound_from=GAIN,
    ),
    beats(
        "drawn-climbing",
        "On drawn landscapes RCNAS beats hill climbing, which learns nothing",
        drawn("rcnas"),
        drawn("hill_climbing"),
        names=("RCNAS", "hill climbing"),
        source="section 3.2: a learned controller makes the small steps; the baseline is ours",
        how=DRAWN,
        bound_from=GAIN,
        provenance="ours",
    ),
    beats(
        "drawn-reinforce",
        "On drawn landscapes RCNAS beats REINFORCE over whole architectures",
        drawn("rcnas"),
        drawn("reinforce"),
        names=("RCNAS", "REINFORCE"),
        source="section 4, the search compared with GraphNAS",
        how=f"{DRAWN}; REINFORCE has one softmax a decision instead of an LSTM, and its own rate",
        bound_from=GAIN,
        provenance="reconstructed",
    ),
    beats(
        "guidance",
        "Picking what changes by entropy beats picking it blindly",
        drawn("rcnas"),
        drawn("rcnas_uniform"),
        names=("by entropy", "blindly"),
        source="section 3.2, decision entropy guides the search",
        how=DRAWN,
        bound_from=GAIN,
    ),
    at_least(
        "cora-ranks",
        "Cora's table can rank methods: random search leaves at least two standard errors of an entry",
        "cora.errors",
        bound=2.0,
        broken="cora.errors_shuffled",
        source="ours: kits/search/regret.py, can_rank",
        how=f"{TABLE}; what random search leaves is exact, by halves of the trainings; the twin shuffles "
        "each training's accuracies among the architectures",
        provenance="ours",
    ),
    beats(
        "cora-random",
        "On Cora's table RCNAS beats random search",
        trained("rcnas"),
        trained("random"),
        names=("RCNAS", "random search"),
        source="section 4, the search compared with random search",
        how=TABLE,
        bound_from=GAIN,
    ),
    beats(
        "cora-climbing",
        "On Cora's table RCNAS beats hill climbing",
        trained("rcnas"),
        trained("hill_climbing"),
        names=("RCNAS", "hill climbing"),
        source="section 3.2; the baseline is ours",
        how=TABLE,
        bound_from=GAIN,
        provenance="ours",
    ),
)
