"""Small formulas, and all of their models by trying everything."""

import itertools

from ntkexec.recheck.theorem.obligation import Formula


def models(formula):
    """All of them, as values by variable, index 0 being none."""
    for values in itertools.product((False, True), repeat=formula.num_variables):
        if all(any(values[abs(one) - 1] == (one > 0) for one in own) for own in formula.clauses):
            yield [False, *values]


def drawn_formula(source, most_variables=7):
    """One near the threshold of 3-SAT, with shorter clauses, doubled literals and tautologies."""
    n = source.randint(1, most_variables)
    literals = [sign * variable for variable in range(1, n + 1) for sign in (1, -1)]
    lengths = source.choices((2, 3, 3, 3, 1), k=source.randint(1, 5 * n))
    return Formula(n, [source.choices(literals, k=length) for length in lengths])


def pigeons(count):
    """So many pigeons in one hole fewer, no two in one: Haken, The intractability of resolution (1985)."""
    holes = range(count - 1)
    at = {pair: i for i, pair in enumerate(itertools.product(range(count), holes), 1)}
    clauses = [[at[pigeon, hole] for hole in holes] for pigeon in range(count)]
    for hole, (a, b) in itertools.product(holes, itertools.combinations(range(count), 2)):
        clauses.append([-at[a, hole], -at[b, hole]])
    return Formula(len(at), clauses)
