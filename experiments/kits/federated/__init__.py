"""Federated learning: who has which examples, averages of models, rounds, arrivals, and bytes by hop."""
