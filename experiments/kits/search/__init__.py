"""Search over finite spaces under a budget: spaces, an honest count, four methods, regret. NumPy alone.

Useful without the rest: a space, a function to maximise, a budget, and what came of it.

Example:
    ```python
    import numpy as np
    from experiments.kits.search.ledger import Ledger
    from experiments.kits.search.methods import METHODS
    from experiments.kits.search.regret import compare, simple_regret
    from experiments.kits.search.spaces import Choices

    space = Choices({"width": (8, 16, 32), "depth": (1, 2, 3, 4), "rate": (0.1, 0.01)})

    def evaluate(candidate):  # anything that scores a candidate; more is better
        width, depth, rate = candidate
        return -abs(width - 16) / 8 - abs(depth - 3) - 10 * rate

    def regrets(method):
        ledgers = [Ledger(evaluate, budget=10) for _ in range(30)]
        traces = [
            METHODS[method](space, ledger, np.random.default_rng(seed))
            for seed, ledger in enumerate(ledgers)
        ]
        return simple_regret(traces, max(map(evaluate, space)), budget=10)

    gain = compare(regrets("random"), regrets("hill climbing"))
    print(gain.value[-1], gain.low[-1], gain.high[-1])  # how much less regret after 10 evaluations
    ```
"""
