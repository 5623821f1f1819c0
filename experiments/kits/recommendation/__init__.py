"""What papers on recommendation need: full rankings, samplers of pairs, losses, baselines, drawn sets."""
