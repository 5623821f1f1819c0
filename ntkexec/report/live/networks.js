"use strict";
// Networks of infinite width after training, drawn as the Gaussian processes that they are then
// (ntkexec/ensemble/gaussian.py), and what becomes of a run that they decide.
const networks = (() => {
  // What is left of a variance below this part of it is rounding.
  const RELATIVE_RANK = 1e-12;

  const common = (one, other) => {
    if (one.size > other.size) return common(other, one);
    let count = 0;
    for (const t of one) count += other.has(t);
    return count;
  };

  // The covariance of a component between sets of matches, factored as sets come up.
  function factorOf(component) {
    const pivots = [];
    return function row(set) {
      const between = (other) =>
        theory.covariance(set.m, other.m, common(set.matched, other.matched), component.n0);
      const l = new Array(pivots.length);
      let explained = 0;
      for (let j = 0; j < pivots.length; j++) {
        const { set: other, row: known } = pivots[j];
        let sum = between(other);
        for (let i = 0; i < j; i++) sum -= known[i] * l[i];
        l[j] = sum / known[j];
        explained += l[j] ** 2;
      }
      const own = theory.variance(set.m, component.n0), rest = own - explained;
      if (own > 0 && rest > RELATIVE_RANK * own) {
        l.push(Math.sqrt(rest));
        pivots.push({ set, row: l });
      }
      return l;
    };
  }

  // One draw: how far the mean of N networks strays from the infinite ensemble, times sqrt(N), by set
  // and bit. The mean of N independent Gaussian networks is Gaussian with 1/N of the covariance,
  // so this one draw, divided by sqrt(N), has the law of N networks, whichever N.
  function drawOf(problem, seed) {
    const parts = problem.components.map((component, i) => ({
      row: factorOf(component), noise: [], known: new Map(), random: theory.generator(seed, i + 1),
    }));
    return (index, set) => {
      const part = parts[index], size = problem.components[index].bits.length;
      if (!part.known.has(set.key)) {
        const l = part.row(set), values = new Float64Array(size);
        while (part.noise.length < l.length) {
          part.noise.push(Float64Array.from({ length: size }, () => part.random.normal()));
        }
        l.forEach((x, j) => { const z = part.noise[j]; for (let b = 0; b < size; b++) values[b] += x * z[b]; });
        part.known.set(set.key, values);
      }
      return part.known.get(set.key);
    };
  }

  // Message bits become sums over the closed neighbourhood, in words of 32 bits: where two meet, they carry.
  function exchanged(program, graph, decided) {
    const start = program.num_computation_bits, size = program.numBits - start;
    const packed = decided.map((bits) => {
      const words = new Uint32Array(Math.ceil(size / 32));
      for (let b = 0; b < size; b++) if (bits[start + b]) words[b >> 5] |= 1 << (b & 31);
      return words;
    });
    return decided.map((bits, v) => {
      const sum = packed[v].slice(), after = bits.slice();
      for (const u of graph.neighbours[v]) packed[u].forEach((word, i) => { sum[i] += word; });
      for (let b = 0; b < size; b++) after[start + b] = (sum[b >> 5] >>> (b & 31)) & 1;
      return after;
    });
  }

  // The program's own execution: the states before every step and after the last.
  function ownRun(program, graph, instance) {
    const states = [instance.initial];
    for (let t = 0; t < instance.numSteps; t++) {
      const before = states[t];
      states.push(exchanged(program, graph, before.map((bits) => program.matches(bits).right)));
      if (instance.untilFixedPoint && (t + 1) % program.roundLength === 0) {
        const start = states[t + 1 - program.roundLength];
        if (states[t + 1].every((bits, v) => bits.every((b, k) => b === start[v][k]))) break;
      }
    }
    return states;
  }

  // The same number of steps, as N networks decide them.
  function learnedRun(problem, thresholds, graph, own, draw, { members, weightStd }) {
    const { program } = problem, scale = weightStd ** 2 / Math.sqrt(members);
    const states = [own[0]], wrong = [], memo = new Map();
    const decisionsOf = (bits) => {
      const found = program.matches(bits);
      if (!memo.has(found.key)) {
        const list = learning.evaluate(problem, thresholds, found).flatMap(({ set, bits: some }, i) => {
          const stray = draw ? draw(i, set) : null;
          return some.map((one, b) => {
            const mean = one.mean + (stray && one.variance > 0 ? scale * stray[b] : 0);
            return { ...one, limit: one.mean, mean, becomes: mean > one.threshold ? 1 : 0, spread: scale * Math.sqrt(one.variance) };
          });
        });
        memo.set(found.key, list);
      }
      return memo.get(found.key);
    };
    for (let t = 0; t + 1 < own.length; t++) {
      const guilty = [], decided = states[t].map((bits, v) => {
        const after = new Uint8Array(program.numBits), bad = [];
        for (const one of decisionsOf(bits)) {
          after[one.bit] = one.becomes;
          if (one.becomes !== one.right) bad.push(one.bit);
        }
        if (bad.length) guilty.push([v, bad]);
        return after;
      });
      wrong.push(new Map(guilty));
      states.push(exchanged(program, graph, decided));
    }
    return { states, wrong, decisionsOf };
  }

  // What the closed forms say of all different decisions of a run, at weight_std 1: which number of
  // networks is enough, and the sum of their Gaussian tails.
  function certificate(problem, thresholds, sets) {
    let ratio = 0, certified = true, weakest = null, decisions = 0;
    const tails = new Map();
    sets.forEach((found, i) => {
      const component = problem.components[i];
      for (const { m, active } of found) for (const bit of component.bits) {
        if (m === 0) continue;
        const a = active.get(bit) || 0, threshold = thresholds(bit, m);
        const { zero, gap, variance } = learning.numbers(component, m, problem.program.writers[bit].length);
        const mean = zero + a * gap, margin = a ? mean - threshold : threshold - mean;
        decisions++;
        // On its threshold a bit is 0, which is right where nothing strays.
        const fine = margin > 0 || (margin === 0 && !a && variance === 0);
        certified &&= fine;
        if (variance > 0) ratio = Math.max(ratio, margin > 0 ? variance / margin ** 2 : Infinity);
        if (!weakest || margin < weakest.margin) {
          weakest = { bit, m, a, expected: a ? 1 : 0, mean, threshold, margin, writers: problem.program.writers[bit].length };
        }
        const z = variance > 0 ? margin / Math.sqrt(variance) : fine ? Infinity : -Infinity;
        if (z < Infinity) tails.set(z, (tails.get(z) || 0) + 1);
      }
    });
    const sum = (members, weightStd) => {
      let total = 0;
      const factor = Math.sqrt(members) / weightStd ** 2;
      for (const [z, count] of tails) total += count * theory.upperTail(z * factor);
      return Math.min(1, total);
    };
    return { certified, ratio, weakest, decisions, sum };
  }

  // The bound that the library prints: a Gaussian tail for each of so many decisions.
  const unionBound = (ratio, { members, weightStd, numDecisions }) =>
    ratio === 0 ? 0 : Math.min(1, numDecisions * Math.exp(-members / (2 * ratio * weightStd ** 4)));
  const networksNeeded = (ratio, { delta, weightStd, numDecisions }) =>
    Math.max(1, Math.ceil(2 * ratio * weightStd ** 4 * Math.log(numDecisions / delta)));

  // Draws again and again, and asks every time for which N all decisions of the program's own run come
  // out right: a learned run goes wrong exactly if one of these does. A trial is two numbers, both for
  // weight_std 1: wrong up to the first, and wrong again from the second on.
  function trialsOf(problem, thresholds, sets, seed) {
    const parts = sets.map((found, i) => {
      const component = problem.components[i], row = factorOf(component), kept = [];
      for (const set of found) {
        if (set.m === 0) continue;
        const bits = component.bits.map((bit) => {
          const a = set.active.get(bit) || 0;
          const { zero, gap, variance } = learning.numbers(component, set.m, problem.program.writers[bit].length);
          return { side: a ? 1 : -1, gap: zero + a * gap - thresholds(bit, set.m), variance };
        });
        kept.push({ l: row(set), bits });
      }
      const rank = Math.max(0, ...kept.map(({ l }) => l.length));
      return { kept, rank, size: component.bits.length };
    });
    const random = theory.generator(seed, 0);
    return function trial() {
      let upTo = 0, from = Infinity;
      for (const { kept, rank, size } of parts) {
        const noise = Array.from({ length: rank }, () => Float64Array.from({ length: size }, () => random.normal()));
        const strays = new Float64Array(size);
        for (const { l, bits } of kept) {
          strays.fill(0);
          for (let j = 0; j < l.length; j++) {
            const x = l[j], z = noise[j];
            for (let b = 0; b < size; b++) strays[b] += x * z[b];
          }
          for (let b = 0; b < size; b++) {
            const { side, gap, variance } = bits[b], margin = side * gap, stray = variance > 0 ? side * strays[b] : 0;
            // Right if margin + stray / sqrt(N) > 0; a 0 on its threshold is right too.
            if (margin > 0) { if (stray < 0) upTo = Math.max(upTo, (stray / margin) ** 2); }
            else if (margin < 0) from = Math.min(from, stray > 0 ? (stray / margin) ** 2 : 0);
            else if (stray < 0 || (stray === 0 && side > 0)) upTo = Infinity;
          }
        }
      }
      return [upTo, from];
    };
  }
  const failed = ([upTo, from], { members, weightStd }) => {
    const n = members / weightStd ** 4;
    return n <= upTo || n >= from;
  };

  return { factorOf, drawOf, exchanged, ownRun, learnedRun, certificate, unionBound, networksNeeded, trialsOf, failed };
})();
