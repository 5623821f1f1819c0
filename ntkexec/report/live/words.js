"use strict";
// What the page says, and the commands that it names: never more than is so.
const words = (() => {
  const DELTA = 1e-3;
  const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
  // A probability as people read it.
  function chance(p) {
    if (p === 0) return "0";
    if (p >= 0.9995) return p >= 1 ? "1" : "0.999+";
    if (p >= 0.001) return p.toPrecision(2);
    const power = Math.floor(Math.log10(p));
    return power < -99 ? "< 1e-99" : `${(p / 10 ** power).toFixed(1)}e${power}`;
  }

  const TOLD = {
    zero: "at zero for every bit, as in the paper",
    shared: "shared by all bits at each number of matches",
    bit: "one for each bit and number of matches",
  };

  // The verdict on the mean, in the words of the certificate.
  function limit({ problem, certificate, threshold }) {
    const { weakest } = certificate, name = problem.program.names[weakest.bit];
    const where = `${name} when it is ${weakest.expected}, at m = ${plural(weakest.m, "match", "matches")}`;
    const decided = plural(certificate.decisions, "different decision");
    if (certificate.certified) {
      return `In the mean of infinitely many networks all ${decided} of this run fall on the right side of their `
        + `thresholds (${TOLD[threshold]}). The closest is ${where}: ${Math.abs(weakest.margin).toFixed(4)} away.`;
    }
    const how = weakest.margin === 0 ? "exactly on its threshold, so every draw is a coin flip"
      : `${Math.abs(weakest.margin).toFixed(4)} on the wrong side of its threshold`;
    return `Not certified with these thresholds (${TOLD[threshold]}): the mean of ${where} lies ${how}. `
      + "More networks do not help; thresholds by bit do.";
  }

  function enough({ certificate, weightStd, numDecisions }) {
    if (!certificate.certified) return "So no number of networks is enough for this run.";
    const needed = networks.networksNeeded(certificate.ratio, { delta: DELTA, weightStd, numDecisions });
    return `By a union bound over ${plural(numDecisions, "bit")} (state bits × nodes × steps), `
      + `${plural(needed, "network is", "networks are")} enough: all bits right with a probability of at least ${1 - DELTA}.`;
  }

  const CAVEAT = "This page simulates: it draws the Gaussian limit of infinitely wide networks with pseudo-random numbers in "
    + "your browser, and the bounds speak of that limit, of this program, and of this run. Trained networks of finite "
    + "width are another matter, and these commands are about them.";

  // Commands; `file` is the graph to be saved from the page, where it has no name of its own.
  function commands({ algorithm, sizes, graphName, source, kind, threshold, padding, weightStd, numDecisions, file }) {
    const size = `--degree ${sizes.degree} --word ${sizes.word} --slots ${sizes.slots}`;
    const where = file ? "graph.json" : graphName, folder = `${algorithm}-networks`;
    const inputs = algorithm === "flooding" ? ` --message ${"1".repeat(sizes.word)}`
      : algorithm === "bellman-ford" ? " --weights weight" : "";
    return [
      { says: "The certificate of this program for every valid state, in the limit:",
        line: `ntkexec certify ${algorithm} ${size} --ensemble-kind ${kind} --threshold ${threshold} --draw gaussian `
          + `--weight-std ${weightStd} --padding ${padding} --decisions ${numDecisions}` },
      { says: "Trained networks, one ensemble for each bit:",
        line: `ntkexec train ${algorithm} ${size} --out ${folder}` },
      { says: "The proof for these very networks, decision by decision, on every graph of at most so many neighbours and colours:",
        line: `ntkexec certify ${algorithm} --ensemble ${folder}` },
      { says: file ? "This run, with them (save the graph first):" : "This run, with them:",
        line: `ntkexec run ${algorithm} ${where} --source ${source}${inputs} --ensemble ${folder}` },
    ];
  }

  // The graph in networkx's node-link format.
  const nodeLink = (graph) => JSON.stringify({
    directed: false, multigraph: false, graph: {},
    nodes: graph.places.map((_, id) => ({ id })),
    edges: graph.edges.map(([source, target, weight]) => ({ source, target, weight })),
  });

  function decode(field, columns, bits) {
    const on = columns.map((c) => bits[c]);
    if (field.kind === "flag") return on[0];
    if (field.kind === "one-hot") {
      const set = on.flatMap((b, i) => (b ? [i] : []));
      return set.length === 0 ? null : set.length === 1 ? set[0] : set.join("+");
    }
    const value = on.reduce((sum, b, i) => sum + b * 2 ** i, 0);
    return field.kind === "code" ? (value ? value - 1 : null) : value;
  }

  // By algorithm what a node shows: the field, where it counts, and the flag that it was reached.
  const SHOWN = {
    flooding: { field: "arrival", reached: "informed", says: (v) => `informed in round ${v}` },
    bfs: { field: "distance", reached: "reached", says: (v) => `distance ${v}` },
    dfs: { field: "discovery", reached: "visited", says: (v) => `discovered at ${v}` },
    "bellman-ford": { field: "distance", reached: "reached", says: (v) => `distance ${v}` },
  };
  function value(algorithm, program, bits) {
    const find = (path) => program.fields.find((f) => f.path === path);
    const { field, reached } = SHOWN[algorithm];
    const known = bits[find(reached).columns[0][0]];
    return known ? decode(find(field), find(field).columns[0], bits) : null;
  }
  // The number of the neighbour at the port that a node calls its parent, or null.
  function parent(program, graph, bits, node) {
    const field = program.fields.find((f) => f.path === "parent");
    const port = field ? decode(field, field.columns[0], bits) : null;
    return typeof port === "number" ? graph.neighbours[node][port] ?? null : null;
  }

  return { DELTA, plural, chance, limit, enough, CAVEAT, commands, nodeLink, value, parent, SHOWN };
})();
