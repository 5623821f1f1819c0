"""What the experiments have in common: storage, statistics, training, data, costs, plots."""
