"""What the paper says of selecting sources, as claims on the records of the studies."""

from experiments.harness.claim import at_most, beats, identity
from experiments.harness.selectors import Of
from experiments.harness.study import Record
from experiments.language.flexible_llm.study_config import FlexibleConfig
from experiments.language.flexible_llm.study_world import TASKS

WORLD = (
    "a target that knows two of four tasks is trained on a corpus of all, one answer in four being wrong, "
    "with five sources: itself, three that know two tasks each and have other vocabularies or cuts of text, "
    "and one that has learned all answers wrong; share 0.1 and feedback 0.5 as in the paper"
)
SIGN = "the sign of the mean difference over paired seeds"
ANSWER = 1 / FlexibleConfig.tests
"""What one answer makes in the accuracy of a task; both scales ask as many questions."""


def accuracy(way: str) -> Of:
    """Mean over the tasks after fusing one way."""

    def of(record: Record) -> float:
        found: list[float] = record["fused"]["ways"][way]["accuracy"]
        return sum(found) / len(found)

    return of


def interference(way: str) -> Of:
    """Minus what the tasks lose by fusing, summed over those that lose."""

    def of(record: Record) -> float:
        before, after = record["fused"]["before"], record["fused"]["ways"][way]["accuracy"]
        return -sum(max(0.0, one - other) for one, other in zip(before, after, strict=True))

    return of


def trend(record: Record) -> float:
    """Accuracy that each further source adds under plain averaging: a least-squares slope.

    The last source is left out: all of its answers are wrong, and sources come in one order, so that with it
    the slope would tell what that one does, not what more do.
    """
    number = len(record["fused"]["loss"]) - 1
    names = [f"average of {one}" for one in range(1, number + 1)]
    found = [accuracy(name)(record) for name in names]  # type: ignore[operator]
    middle = (number - 1) / 2
    spread = sum((one - middle) ** 2 for one in range(number))
    return float(sum((one - middle) * value for one, value in enumerate(found)) / spread)


def harmful(record: Record) -> float:
    """The larger one of its weights at the end of joint and bilevel training."""
    return max(float(record["fused"]["ways"][way]["use"][-1]) for way in ("joint", "bilevel"))


def real(way: str) -> Of:
    """Minus nats a token of held-out text, a mean over its kinds."""

    def of(record: Record) -> float:
        found = record["real"]["ways"][way]
        return -sum(found.values()) / len(found)

    return of


CLAIMS = (
    identity(
        "gradients",
        "Cross-entropy and divergence from the mixed distribution have the same gradient in the model",
        "exact.model",
        broken="exact.weights",
        source="section 3 and the public trainer's two kinds of loss: they differ by the mixture's entropy",
        how="drawn distributions, float64, relative to the larger gradient; the twin takes the gradient "
        "in the weights of the sources, on which the entropy depends",
        provenance="public code",
        formula="grad_theta CE(P, Q) = grad_theta KL(P | Q)",
    ),
    identity(
        "untrained",
        "In the public trainer's arrangement nothing is learned about sources: they are used as networks "
        "that nobody trained use them",
        "fused.learned.released",
        broken="fused.learned.joint",
        tolerance=1e-5,
        source="the trainer of ZLKong/LLM_Integration makes the selection network anew in every call",
        how=f"{WORLD}; mean weights of every step beside those of networks drawn outside of the training, "
        "float32; the twin compares a trained selector with the one it began as",
        provenance="public code",
    ),
    at_most(
        "tail",
        "Eight of 28 probabilities and the mass of the others give the fusion loss up to 5 %, provably",
        "fused.bounds.8.width",
        bound=0.05,
        broken="fused.bounds.1.width",
        source="ours: distributions.py; both ends of the interval are attained",
        how=f"{WORLD}; mean width of the interval over all sources' rows at answers, relative to the mean "
        "loss; the twin keeps one probability",
        provenance="ours",
        formula="max_P CE(P, Q) - min_P CE(P, Q), P cut to the same",
    ),
    beats(
        "usage",
        "The feedback loss makes the selector use more sources",
        "fused.ways.joint.entropy",
        "fused.ways.no feedback.entropy",
        names=("with feedback", "without"),
        source="section 3: the feedback loss keeps the selector from settling on a fixed subset",
        how=f"{WORLD}; entropy of a batch's mean weights, nats, over the last quarter of the steps",
        bound_from=SIGN,
        provenance="reconstructed",
    ),
    beats(
        "interference",
        "Fusing with selected sources makes tasks lose less accuracy than averaging all sources does",
        interference("joint"),
        interference("average"),
        names=("joint", "average"),
        source="abstract: interference is reduced by up to 50 %",
        how=f"{WORLD}; what tasks lose against the target before fusing, summed over those that lose",
        bound_from=SIGN,
        resolution=ANSWER,
        provenance="reconstructed",
    ),
    at_most(
        "more-sources",
        "Averaging more sources, none of them one that is always wrong, does not help by itself",
        trend,
        bound=0.0,
        broken=lambda record: abs(trend(record)) + 1,
        source="section 1: adding source models does not by itself help fusion",
        how=f"{WORLD}; least-squares slope of mean accuracy over one to four averaged sources, in one order "
        "under all seeds, the target itself first; the source with wrong answers is left out; the twin is "
        "a slope of more than 1",
        bound_from="the sign of the mean slope over seeds",
        resolution=ANSWER / len(TASKS),  # one answer more with every source
    ),
    beats(
        "selection",
        "A trained selector beats one that is made anew at every step, as the public trainer's is",
        accuracy("joint"),
        accuracy("released"),
        names=("trained", "made anew"),
        source="ours: if it does not, the gains are not the selector's",
        how=f"{WORLD}; mean accuracy over tasks",
        bound_from=SIGN,
        resolution=ANSWER / len(TASKS),
        provenance="ours",
    ),
    at_most(
        "harmful",
        "A source that is always wrong gets less than an even weight from a trained selector",
        harmful,
        bound=0.2,
        broken=lambda record: max(harmful(record), 1 - harmful(record)),
        source="section 3: sources are selected by how well they do",
        how=f"{WORLD}; mean weight over the last quarter of the steps, the larger one of joint and bilevel "
        "training; the twin is the weight of all others",
        provenance="reconstructed",
    ),
    beats(
        "real",
        "Experts of SmolLM2-135M fused into it by a trained selector help beyond the text alone",
        real("joint"),
        real("text alone"),
        names=("fused", "text alone"),
        source="abstract: one stronger model from several",
        how="three experts grown from it by LoRA on plays, sums and reviews, and itself, are the sources; "
        "the target adapts on other pieces of all three; nats a token of held-out pieces, paired over seeds",
        bound_from=SIGN,
        provenance="reconstructed",
    ),
)
