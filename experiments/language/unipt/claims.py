"""What the paper says of parallel tuning, as claims on the records of the studies."""

from experiments.harness.claim import at_most, beats, equals, identity, no_worse, slope

SIZE = (
    "XLA's own account of one training step, loss and gradient, of a decoder with SmolLM2-135M's proportions "
    "at an eighth of its width and 12 blocks that XLA sees one by one, 32 texts of 64 places; projections "
    "half as wide as the states, adapters of 16, LoRA of rank 4 at queries and values"
)
LETTERS = (
    "a decoder of letters (4 blocks of width 48) trained on Shakespeare; accuracy on 400 of TREC's test "
    "questions after 500 of its training questions, which each seed draws of 1,000. The interval is over "
    "seeds: it is of these test questions and training sets that share half of their questions, and says "
    "nothing of others. Rates were picked on a pilot seed by accuracy on the same test questions"
)
REAL = (
    "states of SmolLM2-135M after 0, 6, 12, 18, 24 and 30 blocks; accuracy in percent on parts of CoLA, RTE, "
    "SST-2 and TREC, the mean of the four; each seed draws four fifths of the sentences to train on. The "
    "interval is over seeds: it is of these fixed test sentences and training sets that mostly overlap, and "
    "says nothing of others"
)
SIGN = "the sign of the mean difference of accuracy over paired seeds"
QUESTION, SENTENCE = 100 / 400, 100 / 80 / 4
"""Percent: of one test question, and of one of RTE's 80 test pairs in the mean of four sets."""

CLAIMS = (
    identity(
        "gradient",
        "Nothing is propagated back into the backbone: its gradient is 0",
        "costs.gradient_parallel",
        broken="costs.gradient_lora",
        tolerance=0.0,
        source="section 3.1, the backbone is frozen and no gradient passes through it",
        how="the largest derivative of the loss by any number of the backbone; the twin is LoRA's loss",
    ),
    equals(
        "transposed",
        "A training step makes no product with a transposed matrix of the backbone",
        "costs.transposed_parallel",
        count=0,
        broken="costs.transposed_adapters",
        source="section 3.1, memory and time of the backward pass are saved",
        how="read off the jaxpr of the gradient (audit.py); the twin is a step of adapters",
    ),
    at_most(
        "bytes",
        "At 12 blocks a step needs at most 0.35 of the memory of the cheaper of adapters and LoRA",
        "costs.share.bytes",
        bound=0.35,
        broken="costs.full.bytes",
        source="abstract and section 4, memory of training",
        how=f"{SIZE}; bytes beyond arguments and results; the twin is full tuning",
        bound_from="set from measurements on another backbone, before this one",
        provenance="ours",
    ),
    at_most(
        "flops",
        "At 12 blocks a step takes at most 0.6 of the operations of the cheaper of adapters and LoRA",
        "costs.share.flops",
        bound=0.6,
        broken="costs.full.flops",
        source="abstract and section 4, time of training",
        how=f"{SIZE}; the states are made anew in every step, as the paper does; the twin is full tuning",
        bound_from="set from measurements on another backbone, before this one",
        provenance="ours",
    ),
    slope(
        "linear",
        "Memory still grows in proportion to depth: by the states, 5.5 arrays of the small width and 3.5 of "
        "similarities a layer",
        "costs.depths",
        "costs.layers",
        equals=1.0,
        within=0.15,
        log=False,
        source="ours: what the gradient of a projection needs is its input",
        how=f"{SIZE}, and 4 and 8 blocks; bytes over 4 B N (d + 5.5 d' + 3.5 N); the factors were fitted "
        "to other widths and to stored states",
        provenance="ours",
        formula="M(L) = M_0 + 4 B N (d + 5.5 d' + 3.5 N) L",
    ),
    identity(
        "order",
        "Layers have no order: with their projections they can be permuted, but for the last",
        "exact.order",
        broken="exact.ladder_order",
        source="section 3.2, layers are decoupled, not a sequence",
        how="outputs of a random module in float64; the twin is a ladder, which is a sequence",
    ),
    identity(
        "stored",
        "Tuning on stored states is tuning on states made at every step",
        "exact.stored",
        broken="exact.stored_half",
        tolerance=1e-10,
        source="ours: a frozen backbone without dropout always says the same",
        how="scores after 50 steps of AdamW in float64; the twin's states were stored in float16",
        provenance="ours",
    ),
    beats(
        "probe",
        "On a decoder of letters parallel tuning beats a linear probe of the last layer",
        "letters.parallel",
        "letters.probe",
        names=("parallel tuning", "linear probe"),
        source="section 4, compared with partial tuning of the last layer",
        resolution=QUESTION,
        how=LETTERS,
        bound_from=SIGN,
    ),
    beats(
        "ladder",
        "On a decoder of letters parallel tuning beats a ladder of the same width",
        "letters.parallel",
        "letters.ladder",
        names=("parallel tuning", "ladder side tuning"),
        source="section 4, compared with ladder side tuning",
        resolution=QUESTION,
        how=f"{LETTERS}; the ladder has more parameters and takes more memory at equal width",
        bound_from=SIGN,
    ),
    no_worse(
        "lora",
        "On a decoder of letters parallel tuning loses at most 1.5 points to LoRA",
        "letters.parallel",
        "letters.lora",
        margin=1.5,
        names=("parallel tuning", "LoRA"),
        source="section 4, competitive with adapters and LoRA",
        resolution=QUESTION,
        how=f"{LETTERS}; LoRA of rank 4 at queries and values, as many steps",
    ),
    beats(
        "real-probe",
        "On SmolLM2-135M parallel tuning beats a linear probe of the last layer",
        "real.mean.parallel",
        "real.mean.probe",
        names=("parallel tuning", "linear probe"),
        source="section 4, compared with partial tuning of the last layer",
        resolution=SENTENCE,
        how=REAL,
        bound_from=SIGN,
    ),
    beats(
        "real-ladder",
        "On SmolLM2-135M parallel tuning beats a ladder of the same width",
        "real.mean.parallel",
        "real.mean.ladder",
        names=("parallel tuning", "ladder side tuning"),
        source="section 4, compared with ladder side tuning",
        resolution=SENTENCE,
        how=REAL,
        bound_from=SIGN,
    ),
)
