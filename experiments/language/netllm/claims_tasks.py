"""What is claimed of viewports and clusters."""

from experiments.harness.claim import beats
from experiments.harness.selectors import Of
from experiments.harness.study import Record

DEGREES = (
    "mean absolute error of roll, pitch and yaw over 4 s at 5 Hz, the shorter way round, from 2 s, on "
    "Jin2022's test viewers of its test videos (three of six are in the public sample), learned on the "
    "train part"
)


def error(study: str, arm: str, *places: str) -> Of:
    """Minus an arm's error in degrees."""

    def of(record: Record) -> float:
        found = record[study]
        for place in places:
            found = found[place]
        return -float(found[arm])

    return of


def scheduled(record: Record) -> float:
    """Minus the mean seconds of a job under the adapted decoder, asked for a good schedule."""
    return -float(record["schedules"]["asked"]["good"])


def best_rule(record: Record) -> float:
    """Minus those under the better of the two rules."""
    rules = record["schedules"]["rules"]
    return -float(min(rules["fifo"], rules["shortest_first"]))


CLAIMS_TASKS = (
    beats(
        "viewport-still",
        "An adapted tiny decoder foretells viewports with a smaller error than that the viewer stays "
        "where he looks",
        error("viewports", "adapted", "home"),
        error("viewports", "still", "home"),
        names=("adapted decoder", "last value"),
        source="section 6.2, against velocity and linear regression; that the viewer stays is ours, "
        "and the study records all three",
        how=DEGREES,
        bound_from="the sign of the mean difference over seeds",
    ),
    beats(
        "viewport-real",
        "The first blocks of a real language model, adapted to viewports, err less than the same at "
        "random start",
        error("real_viewports", "pretrained"),
        error("real_viewports", "random"),
        names=("SmolLM2-135M", "random start"),
        source="section 6.5: knowledge of pretraining is what helps",
        how=f"{DEGREES}; the first blocks, frozen, low-rank weights on queries and values, equal budgets",
        bound_from="the sign of the mean difference over seeds",
    ),
    beats(
        "cluster-rivals",
        "An adapted tiny decoder, asked for a good schedule, ends jobs sooner than the better of "
        "first-come-first-served and shortest-first",
        scheduled,
        best_rule,
        names=("adapted decoder", "better rule"),
        source="section 6.2, against first come and fair; the card's rivals",
        how="mean seconds from arrival to end of TPC-H queries over 2 and 20 GB on ten executors, other "
        "workloads than learned from; the better rule under each seed; both are in the pool, and fair "
        "shares",
        bound_from="the sign of the mean difference over paired seeds",
    ),
)
