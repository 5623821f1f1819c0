"use strict";
// What the data of a run say: states, matches, means, and values in words and in colours.
const run = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { graph, layout, program, problems, thresholds, trace } = data;
  // Where nodes were split, what runs are those of the trees: a node's name, whose they are, and back.
  const { split } = data;
  const names = split ? split.names : graph.names, colours = split ? split.colours : graph.colours;
  const owner = split ? split.owner : names.map((_, v) => v), roots = split ? split.roots : owner;
  const members = graph.names.map(() => []);
  owner.forEach((v, x) => members[v].push(x));
  const isHub = (v) => members[v].length > 1;
  const numNodes = names.length, numBits = layout.bit_names.length;
  const packed = Uint8Array.from(atob(trace.bits), (c) => c.charCodeAt(0));

  // States, matches and means.

  function state(at, node) {
    const bits = new Uint8Array(numBits), start = (at * numNodes + node) * numBits;
    for (let b = 0; b < numBits; b++) {
      const place = start + b;
      bits[b] = (packed[place >> 3] >> (place & 7)) & 1;
    }
    return bits;
  }

  const matchedIn = (bits) => program.templates.map((t) => t.when.every(([b, v]) => bits[b] === v));

  // What the networks make of a state: for every bit mean, threshold, decision, and what is right.
  function evaluate(bits) {
    const matched = matchedIn(bits);
    const right = new Uint8Array(numBits);
    program.templates.forEach((t, i) => { if (matched[i]) for (const b of t.then) right[b] = 1; });
    const mean = new Float32Array(numBits), threshold = new Float32Array(numBits);
    const count = new Int32Array(numBits);
    for (const problem of problems) {
      let pattern = "", m = 0;
      for (const t of problem.templates) { pattern += matched[t] ? "1" : "0"; m += matched[t]; }
      const means = problem.means[pattern];
      problem.bits.forEach((b, i) => { mean[b] = means ? means[i] : NaN; count[b] = m; });
    }
    const learned = new Set(problems.flatMap((p) => p.bits));
    for (let b = 0; b < numBits; b++) {
      const row = thresholds[b];
      // A bit that nothing writes belongs to no learning problem; its mean is 0.
      threshold[b] = row[learned.has(b) ? Math.min(count[b], row.length - 1) : 0];
    }
    return { matched, right, mean, threshold, becomes: (b) => (mean[b] > threshold[b] ? 1 : 0) };
  }

  const memo = new Map();
  function evaluated(at, node) {
    const bits = state(at, node), key = bits.join("");
    if (!memo.has(key)) memo.set(key, evaluate(bits));
    return memo.get(key);
  }

  // Fields in words.

  function decode(field, columns, bits) {
    const on = columns.map((c) => bits[c]);
    if (field.kind === "flag") return on[0];
    if (field.kind === "one-hot") {
      const set = on.flatMap((b, i) => (b ? [i] : []));
      return set.length ? set.join("+") : "–";
    }
    if (field.kind === "bits") return on.join("");
    let value = on.reduce((sum, b, i) => sum + b * 2 ** i, 0);
    // A code above its size stands for nothing; only a wrong step makes one.
    if (field.kind === "code") return value > field.size ? `${value - 1}?` : value ? value - 1 : "–";
    if (field.signed && on[on.length - 1]) value -= 2 ** on.length;
    return value;
  }

  const show = (field, bits) => {
    const values = field.columns.map((columns) => decode(field, columns, bits));
    if (field.kind === "flag") return field.table
      ? values.flatMap((v, i) => (v ? [i] : [])).join(", ") || "–" : values[0] ? "yes" : "no";
    if (!field.table) return String(values[0]);
    return values.flatMap((v, i) => (v === "–" ? [] : [`${i}: ${v}`])).join("  ") || "–";
  };

  // Colours: cividis for numbers, two Okabe-Ito colours for flags; all safe for the colour-blind.
  const CIVIDIS = [[0, 34, 78], [53, 69, 108], [102, 105, 112], [148, 142, 119], [200, 184, 102], [254, 232, 56]];
  function scale(x) {
    const at = Math.max(0, Math.min(1, x)) * (CIVIDIS.length - 1), i = Math.min(CIVIDIS.length - 2, Math.floor(at));
    const rgb = CIVIDIS[i].map((c, k) => Math.round(c + (CIVIDIS[i + 1][k] - c) * (at - i)));
    return rgb;
  }
  // A colour of the style sheet, by name, or red, green and blue.
  const css = (rgb) => (typeof rgb === "string" ? `var(--${rgb})` : `rgb(${rgb.join(",")})`);
  const inkOn = (rgb) => (typeof rgb === "string" ? "" : rgb[0] * 0.3 + rgb[1] * 0.59 + rgb[2] * 0.11 > 140 ? "#000" : "#fff");
  // The value, or null where the node has none: a field may count only where a flag is set.
  function hidden(field, bits) {
    const gate = field.shown_where && layout.fields.find((f) => f.path === field.shown_where);
    return Boolean(gate && !bits[gate.columns[0][0]]);
  }
  const shown = (field, bits) => (hidden(field, bits) ? "–" : show(field, bits));
  function valueOf(field, bits) {
    if (hidden(field, bits)) return null;
    // Bits without a meaning are told apart by how many of them are 1.
    if (field.kind === "bits") return field.columns[0].filter((c) => bits[c]).length;
    const value = decode(field, field.columns[0], bits);
    return typeof value === "number" || /^\d+$/.test(value) ? Number(value) : null;
  }
  const plain = layout.fields.filter((f) => !f.table && f.room === "state");
  const ranges = new Map();
  function range(field) {
    if (!ranges.has(field.path)) {
      let low = Infinity, high = -Infinity;
      for (let t = 0; t <= trace.steps; t++) for (let v = 0; v < numNodes; v++) {
        const value = valueOf(field, state(t, v));
        if (value !== null) { low = Math.min(low, value); high = Math.max(high, value); }
      }
      ranges.set(field.path, [low, high]);
    }
    return ranges.get(field.path);
  }
  function colour(field, bits) {
    const value = valueOf(field, bits);
    if (field.kind === "flag") return value ? [0, 114, 178] : "no";
    if (value === null) return "none";
    if (field.kind === "one-hot") return scale(value / Math.max(1, field.columns[0].length - 1));
    const [low, high] = range(field);
    return high > low ? scale((value - low) / (high - low)) : scale(0.5);
  }

  // Whether a node sent messages in the step before a state.
  const sends = (at, node) => {
    if (at === 0) return false;
    const found = evaluated(at - 1, node);
    for (let b = layout.num_computation_bits; b < numBits; b++) if (found.becomes(b)) return true;
    return false;
  };

  return { data, names, colours, owner, roots, members, isHub, numNodes, numBits, state, evaluated, sends, decode, show, shown, hidden, scale, css, inkOn, plain, range, colour };
})();
