"use strict";
// A program as data, what its networks learn, and what they decide at infinite width:
// ntkexec/program/problem.py and ntkexec/theory/thresholds.py.
const learning = (() => {
  // What a listing of `ntkexec show --json --templates` says, ready to be carried out.
  function programOf(listing) {
    const templates = listing.program.templates, names = listing.layout.bit_names;
    const writers = names.map(() => []);
    templates.forEach((t, i) => { for (const b of t.then) writers[b].push(i); });
    const memo = new Map();
    // Which templates a state matches, and what every bit becomes by the program itself.
    function matches(bits) {
      const key = String.fromCharCode(...bits);
      let found = memo.get(key);
      if (!found) {
        const matched = [], right = new Uint8Array(names.length);
        templates.forEach((t, i) => {
          if (t.when.every(([b, v]) => bits[b] === v)) {
            matched.push(i);
            for (const b of t.then) right[b] = 1;
          }
        });
        memo.set(key, found = { key, matched, is: new Set(matched), right });
      }
      return found;
    }
    return {
      ...listing.layout, templates, writers, names, matches,
      numBits: names.length, roundLength: listing.program.round_length,
    };
  }

  // Factored, a network for every bit that is written; joint, one for all templates.
  function problemOf(program, { kind, padding }) {
    const all = program.templates.map((_, i) => i), bits = program.names.map((_, b) => b);
    const parts = kind === "joint" ? [{ templates: all, bits }]
      : bits.filter((b) => program.writers[b].length).map((b) => ({ templates: program.writers[b], bits: [b] }));
    const components = parts.map((part) => {
      const size = part.templates.length;
      const n0 = (kind === "joint" ? size : 2 ** Math.ceil(Math.log2(size))) + padding;
      return { ...part, n0, table: new Map() };
    });
    const owner = new Int32Array(program.numBits).fill(-1);
    components.forEach((c, i) => { for (const b of c.bits) owner[b] = i; });
    return { program, kind, padding, components, owner };
  }

  // Means, variance and threshold of a bit with `writers` at m matches; see `BitMeans`.
  function numbers(component, m, writers) {
    const key = m * 65536 + writers;
    if (!component.table.has(key)) {
      const { alpha, beta } = theory.coefficients(m, component.n0);
      component.table.set(key, { zero: writers * beta, gap: alpha - beta, alpha, variance: theory.variance(m, component.n0) });
    }
    return component.table.get(key);
  }

  // The sets of matches that occur in the program's own execution, by component; from the last of its
  // states nothing is decided.
  function occurring(problem, states) {
    const sets = problem.components.map(() => new Map());
    const seen = new Set();
    for (const nodes of states.slice(0, -1)) for (const bits of nodes) {
      const found = problem.program.matches(bits);
      if (seen.has(found.key)) continue;
      seen.add(found.key);
      problem.components.forEach((component, i) => {
        const set = matchSet(problem, i, found);
        if (!sets[i].has(set.key)) sets[i].set(set.key, set);
      });
    }
    return sets.map((found) => [...found.values()]);
  }

  // What a component sees of a state: its matched templates, and for each of its bits how many write it.
  function matchSet(problem, index, found) {
    const component = problem.components[index];
    const matched = problem.kind === "joint" ? found.matched : component.templates.filter((t) => found.is.has(t));
    const active = new Map();
    for (const t of matched) for (const b of problem.program.templates[t].then) active.set(b, (active.get(b) || 0) + 1);
    return { key: matched.join(), m: matched.length, matched: new Set(matched), active };
  }

  // Thresholds in a convention; `sets` says which ones occur, on which those shared by all bits rest.
  function thresholdsOf(problem, convention, sets) {
    const memo = new Map();
    const shared = problem.components.map((component, i) => {
      const smallest = new Map();
      for (const { m, active } of sets[i]) for (const b of component.bits) {
        const a = active.get(b) || 0;
        if (!a) continue;
        const { zero, gap } = numbers(component, m, problem.program.writers[b].length);
        smallest.set(m, Math.min(smallest.get(m) ?? Infinity, zero + a * gap));
      }
      return smallest;
    });
    function exact(bit, m) {
      const index = problem.owner[bit];
      // Without a match, or a network, the output is 0: every positive threshold will do.
      if (m === 0 || index < 0) return 1;
      if (convention === "zero") return 0;
      const component = problem.components[index], writers = problem.program.writers[bit].length;
      const { zero, gap, alpha } = numbers(component, m, writers);
      if (convention === "shared") return Math.max(0, (shared[index].get(m) ?? alpha) / 2);
      const fewest = Math.max(0, m - (component.templates.length - writers));
      const middle = zero + Math.max(fewest, 1) * gap / 2;
      return fewest === 0 ? middle : Math.min(middle, 0);
    }
    // Engines run with numbers of 32 bits.
    return (bit, m) => {
      const key = bit * 65536 + m;
      if (!memo.has(key)) memo.set(key, Math.fround(exact(bit, m)));
      return memo.get(key);
    };
  }

  // By bit m, mean, threshold and variance at infinite width, and what is right.
  function evaluate(problem, thresholds, found) {
    return problem.components.map((component, i) => {
      const set = matchSet(problem, i, found);
      return {
        set,
        bits: component.bits.map((bit) => {
          const { zero, gap, variance } = numbers(component, set.m, problem.program.writers[bit].length);
          const mean = zero + (set.active.get(bit) || 0) * gap;
          return { bit, m: set.m, mean, threshold: thresholds(bit, set.m), variance, right: found.right[bit] };
        }),
      };
    });
  }

  return { programOf, problemOf, occurring, matchSet, thresholdsOf, evaluate, numbers };
})();
