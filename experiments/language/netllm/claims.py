"""What the paper says of adapted language models, as claims on the records of the studies."""

from experiments.harness.claim import at_least, beats, equals
from experiments.language.netllm.claims_tasks import CLAIMS_TASKS

ARMS = (
    "mean reward a chunk (megabits a second, less 4.3 a second of stalling and changes) on FCC traces of the "
    "test part and Pensieve's first video, begun at a random second; all arms on the same traces. The "
    "decoders learn from BBA and RobustMPC in turn, half of them with random choices, on training traces"
)
GAIN = "the sign of the mean difference of rewards over paired seeds"

CLAIMS = (
    equals(
        "adapters",
        "Low-rank weights of rank 128 on queries and values of a model of the size of Llama 2 7B are "
        "67,108,864 numbers",
        "counts.adapters",
        count=67_108_864,
        broken="counts.all_matrices",
        source="section 5.1, r = 128; public code, on q_proj and v_proj",
        how="32 blocks of width 4,096, counted at rank 1 and times 128; the twin adapts all seven matrices",
    ),
    equals(
        "valid",
        "No answer of the head is invalid, whatever it is asked; one call gives each",
        "answers.invalid",
        count=0,
        broken="answers.invalid_words",
        source="section 4.2 and figure 2: answers token by token can be invalid",
        how="random situations, a tenth of them of size 1e30 or not a number; the twin lets the decoder, "
        "which was not taught to answer, continue after numbers and '=', where six continuations are valid",
    ),
    at_least(
        "memory",
        "With checkpointing in both arms, adapting with low-rank weights takes at least 60.9 % less memory "
        "than tuning everything",
        "memory.saving",
        bound=0.609,
        broken="memory.saving_weights",
        source="section 4.3; 60.9 % as published, where only the low-rank runs had checkpointing on",
        how="bytes that XLA assigns to one AdamW step at the size of Llama 2 7B in float32, rank 128, one "
        "window of 20 chunks (160 tokens): weights, gradients, moments and states; nothing is run. The "
        "twin counts weights alone",
        bound_from="the published saving",
        provenance="public code",
    ),
    at_least(
        "conditioning",
        "What a decoder earns grows with the return that it is asked for: Spearman's correlation is at "
        "least 0.8",
        "bitrates.conditioning",
        bound=0.8,
        broken="bitrates.conditioning_flat",
        resolution=0.1,  # of Spearman's correlation between ranks of five
        source="section 4.3, returns as a token; the bound is ours",
        how=f"{ARMS}; wished returns of 0.25 to 1.25 of the experience's best, in five steps. The twin "
        "wishes for the same five times",
        bound_from="fixed before measuring; at 0 returns do nothing, and it is behaviour cloning",
    ),
    beats(
        "abr-cloning",
        "With returns a decoder earns more than by cloning the same experience without them",
        "bitrates.earned.trained",
        "bitrates.earned.cloning",
        names=("with returns", "cloning"),
        source="section 4.3, offline reinforcement learning; the rival is ours",
        how=ARMS,
        bound_from=GAIN,
    ),
    beats(
        "abr-bba",
        "The adapted decoder earns more than the buffer-based policy",
        "bitrates.earned.trained",
        "bitrates.earned.bba",
        names=("decoder", "BBA"),
        source="section 5.2, figure 10",
        how=ARMS,
        bound_from=GAIN,
    ),
    beats(
        "abr-mpc",
        "The adapted decoder earns more than RobustMPC over all plans, the best of what it learned from",
        "bitrates.earned.trained",
        "bitrates.earned.mpc",
        names=("decoder", "RobustMPC"),
        source="section 5.2, figure 10; the public code's MPC tries plans with small jumps only, recorded as "
        "mpc_small_jumps",
        how=ARMS,
        bound_from=GAIN,
    ),
    beats(
        "abr-random",
        "A decoder that learned algorithmic text before adapts better than one at random start",
        "bitrates.earned.trained",
        "bitrates.earned.random",
        names=("trained before", "at random"),
        source="section 5.4: knowledge of the pretrained model is what helps; on a tiny one",
        how=f"{ARMS}; as many trainable numbers, the same draws",
        bound_from=GAIN,
        provenance="ours",
    ),
    beats(
        "abr-real",
        "The first blocks of SmolLM2-135M adapt better than the same blocks at random start",
        "bitrates_real.earned.trained",
        "bitrates_real.earned.random",
        names=("SmolLM2", "at random"),
        source="section 5.4: knowledge of the pretrained model is what helps; on another, smaller one",
        how=f"{ARMS}; at standard alone, four of 30 blocks and few steps, as the time allows",
        bound_from=GAIN,
    ),
    *CLAIMS_TASKS,
)
