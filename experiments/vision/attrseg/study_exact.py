def sets(config, trial): return {}
