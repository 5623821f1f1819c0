"""What the paper claims of shared memory, sleeping processes, placement and reuse, and what we ask of it."""

from experiments.harness.claim import Claim, at_least, at_most, beats, equals, identity
from experiments.harness.study import Record

PAPER = "arXiv:2405.10968"
HANDED = (
    "median time of 11.7 million float32 from one process to another, in turns within one run, until the "
    "receiver answers with a number that was changed just before; the rivals get raw bytes and no pickling, "
    "a pipe has a buffer of 1 MiB"
)


def _tree(record: Record) -> float:
    found = record["states"]
    return max(found["tree"], found["associative"], record["rounds"]["deviation"])


def _crash(record: Record) -> float:
    found = record["rounds"]
    return float(found["crash"] + found["unreplaced"] + abs(found["killed"] - 2))


def _schedules(record: Record) -> float:
    found = record["waiting"]
    return max(abs(found[name] - 1) for name in ("eager", "lazy", "tree"))


CLAIMS: tuple[Claim, ...] = (
    identity(
        "tree-is-flat",
        "Weighted sums merge associatively, and every tree of aggregators arrives at the mean in one sum",
        _tree,
        broken="states.unweighted",
        source=f"{PAPER}, hierarchical aggregation; McMahan et al., arXiv:1602.05629",
        how="largest deviation in float64 over random trees and weights, some of them 0, and over rounds of "
        "real processes; the twin leaves out the weights",
    ),
    equals(
        "byte-ledger",
        "For every model 16 bytes travel inside a node, beside two notes for each task and start; between "
        "nodes travels one sum for every node but one",
        "rounds.ledger",
        count=0,
        broken="rounds.ledger_leaves",
        source=f"{PAPER}, shared memory and locality-aware placement",
        how="bytes as the system's calls return them, headers and answers included, less those of the "
        "formulas, hop by hop, and notes less theirs. Notes are JSON; their bytes, `control`, exceed those "
        "of the keys. The twin expects a sum of every leaf",
    ),
    equals(
        "memory-shared",
        "An aggregator folds a model in the gateway's own memory, without a copy",
        "rounds.unshared",
        count=0,
        broken="rounds.copied",
        source=f"{PAPER}, shared memory for data, keys for control",
        how="numbers of an aggregator's sum without a change that a third process made to the stored model "
        "after it came; the twin changes a copy",
    ),
    at_least(
        "shm-pipe",
        "Shared memory hands a model over three times as fast as a pipe, the copy into it included",
        "handing.pipe",
        bound=3.0,
        broken="handing.pipe_twin",
        source=f"{PAPER}, intra-node aggregation; the factor is ours, from pickling pipes",
        how=f"{HANDED}; the twin is the pipe, measured once more, in the place of shared memory",
        bound_from="fixed before measuring",
        provenance="ours",
    ),
    at_least(
        "shm-broker",
        "Shared memory hands a model over five times as fast as a broker, the copy into it included",
        "handing.broker",
        bound=5.0,
        broken="handing.broker_twin",
        source=f"{PAPER}, against brokers of serverless platforms; the factor is ours",
        how=f"{HANDED}; the broker is a process that has the model whole before it passes it on over the "
        "loopback. The twin is the broker, measured once more, in the place of shared memory",
        bound_from="fixed before measuring",
        provenance="ours",
    ),
    at_most(
        "idle-is-free",
        "Without traffic a gateway and two aggregators take at most 4 ms of processor time in a second",
        "waiting.events",
        bound=0.004,
        broken="waiting.polling",
        source=f"{PAPER}, event-driven proxies instead of sidecars; ours sleep in the system's selectors, "
        "without eBPF",
        how="processor time of all three by their own clocks; in the twin they look every millisecond",
        bound_from="0.02 s in 5 s, fixed before measuring",
        provenance="reconstructed",
    ),
    equals(
        "best-fit",
        "On equal nodes and for updates of one size best fit, as any rule that opens a node only where no "
        "open one has room, uses the fewest nodes",
        "placements.more_nodes",
        count=0,
        broken="placements.round_robin",
        source=f"{PAPER}, locality-aware placement",
        how="nodes above the least number over random traces; the twin places in turns",
    ),
    beats(
        "best-fit-mixed",
        "For updates of many sizes best fit uses fewer nodes than first fit",
        lambda record: -record["placements"]["mixed_best"],
        lambda record: -record["placements"]["mixed_first"],
        names=("best fit", "first fit"),
        source="this port; the paper's updates are of one size, for which all such rules are equal",
        how="nodes, negative, for 300 updates whose sizes are uniform from 0.01 to 1 of a node; the mean of "
        "traces that both place",
        provenance="ours",
    ),
    at_most(
        "best-fit-unequal",
        "Best fit uses the fewest nodes also where nodes differ",
        "placements.unequal_best",
        bound=1.0,
        broken="placements.unequal_round_robin",
        source="this port; the paper's nodes are equal",
        how="nodes used over the fewest, found by search, for up to 12 updates on four nodes with room for 2 "
        "to 10; the twin places in turns",
        provenance="ours",
    ),
    at_most(
        "eager-lazy",
        "Eager, lazy and hierarchical aggregation end when their recursions say, within 20 %",
        _schedules,
        bound=0.2,
        broken=lambda record: abs(record["waiting"]["lazy_as_eager"] - 1),
        source=f"{PAPER}, eager aggregation and hierarchy",
        how="worst of three deviations of real processes, whose folds are made to take a set time, from the "
        "formulas at the measured arrivals; the twin takes the lazy one for eager",
        bound_from="fixed before measuring",
        provenance="reconstructed",
    ),
    equals(
        "crash-restart",
        "A gateway and a leaf that are killed within a round change no bit of its result",
        _crash,
        count=0,
        broken="rounds.lost",
        source=f"{PAPER}, stateless aggregators; that updates outlive them in the store",
        how="numbers of the result that differ from the same round without a crash, processes that were not "
        "killed, and killed ones that were not started again; the twin loses the update that was on its way",
        provenance="reconstructed",
    ),
    equals(
        "reuse",
        "With promotion no more aggregators are ever started than fold at a time",
        lambda record: float(record["rounds"]["starts"] - record["rounds"]["peak"]),
        count=0,
        broken=lambda record: float(record["rounds"]["fresh"] - record["rounds"]["peak"]),
        source=f"{PAPER}, opportunistic reuse of aggregator runtimes",
        how="processes started over rounds in a row less the most that were folding at a time by their own "
        "clocks, in a round that lets all leaves begin before any can end; the twin starts one for each role",
    ),
)
