"""What the paper says of adapted language models, as claims on the records of the studies."""

from experiments.harness.claim import equals

CLAIMS = (
    equals(
        "adapters",
        "Low-rank weights of rank 128 on queries and values of a model of the size of Llama 2 7B are "
        "67,108,864 numbers",
        "counts.adapters",
        count=67_108_864,
        broken="counts.all_matrices",
        source="section 5.1, r = 128; public code, alpha = 32 on q_proj and v_proj",
        how="32 blocks of width 4,096, counted at rank 1 and times 128; the twin adapts all seven matrices",
    ),
)
