"use strict";
// Graphs: the named ones, the two-hop colouring, and the states that algorithms start from
// (ntkexec/graphs/colouring/greedy.py and the `instance` of every algorithm).
const graphs = (() => {
  const MAX_NODES = 15, MAX_DEGREE = 4, MAX_WEIGHT = 4;

  const ring = (n, radius = 0.5, turn = 0) => Array.from({ length: n }, (_, i) => {
    const angle = 2 * Math.PI * (i / n + turn) - Math.PI / 2;
    return [0.5 + radius * Math.cos(angle), 0.5 + radius * Math.sin(angle)];
  });
  const cycle = (n, from = 0) => Array.from({ length: n }, (_, i) => [from + i, from + ((i + 1) % n)]);
  const NAMED = {
    petersen: () => ({
      places: [...ring(5, 0.5), ...ring(5, 0.24)],
      edges: [...cycle(5), ...[0, 1, 2, 3, 4].map((i) => [i, i + 5]), [5, 7], [7, 9], [9, 6], [6, 8], [8, 5]],
    }),
    "grid:3x4": () => {
      const at = (r, c) => 4 * r + c, edges = [], places = [];
      for (let r = 0; r < 3; r++) for (let c = 0; c < 4; c++) {
        places.push([0.05 + 0.3 * c, 0.15 + 0.35 * r]);
        if (c < 3) edges.push([at(r, c), at(r, c + 1)]);
        if (r < 2) edges.push([at(r, c), at(r + 1, c)]);
      }
      return { places, edges };
    },
    "cycle:8": () => ({ places: ring(8), edges: cycle(8) }),
    "path:6": () => ({
      places: Array.from({ length: 6 }, (_, i) => [0.04 + 0.184 * i, 0.5 + (i % 2 ? 0.08 : -0.08)]),
      edges: Array.from({ length: 5 }, (_, i) => [i, i + 1]),
    }),
    "complete:5": () => ({
      places: ring(5, 0.45),
      edges: [0, 1, 2, 3, 4].flatMap((i) => [0, 1, 2, 3, 4].filter((j) => j > i).map((j) => [i, j])),
    }),
    "hypercube:3": () => ({
      places: [0, 1, 2, 3, 4, 5, 6, 7].map((i) => [
        0.08 + 0.56 * ((i >> 1) & 1) + 0.28 * (i & 1), 0.9 - 0.56 * (i >> 2) - 0.22 * (i & 1)]),
      edges: [0, 1, 2, 3, 4, 5, 6, 7].flatMap((i) => [1, 2, 4].filter((b) => !(i & b)).map((b) => [i, i | b])),
    }),
    "balanced binary tree": () => ({
      places: Array.from({ length: 15 }, (_, i) => {
        const level = Math.floor(Math.log2(i + 1)), first = 2 ** level - 1;
        return [(i - first + 0.5) / 2 ** level, 0.06 + 0.29 * level];
      }),
      edges: Array.from({ length: 14 }, (_, i) => [i >> 1, i + 1]),
    }),
  };
  // Weights that differ from edge to edge and need no choice.
  const weightOf = (u, v) => 1 + ((3 * u + 5 * v) % MAX_WEIGHT);

  function named(name) {
    const { places, edges } = NAMED[name]();
    return make(places, edges.map(([u, v]) => [Math.min(u, v), Math.max(u, v)]).map(([u, v]) => [u, v, weightOf(u, v)]), name);
  }

  // Edges are [u, v, weight] with u < v; neighbours stand in the order of their numbers.
  function make(places, edges, name) {
    const neighbours = places.map(() => []);
    for (const [u, v] of edges) { neighbours[u].push(v); neighbours[v].push(u); }
    for (const list of neighbours) list.sort((a, b) => a - b);
    const weights = new Map(edges.flatMap(([u, v, w]) => [[`${u} ${v}`, w], [`${v} ${u}`, w]]));
    return { name, places, edges, neighbours, size: places.length, weight: (u, v) => weights.get(`${u} ${v}`) };
  }

  // Nodes with most others within two hops choose the smallest free colour first.
  function colouring({ size, neighbours }) {
    const within = neighbours.map((list, v) => {
      const all = new Set(list);
      for (const u of list) for (const w of neighbours[u]) all.add(w);
      all.delete(v);
      return all;
    });
    const order = [...within.keys()].sort((a, b) => within[b].size - within[a].size || a - b);
    const colours = new Array(size).fill(-1);
    for (const v of order) {
      const taken = new Set([...within[v]].map((u) => colours[u]));
      for (colours[v] = 0; taken.has(colours[v]);) colours[v]++;
    }
    return colours;
  }

  function distances({ size, neighbours }, source) {
    const found = new Array(size).fill(-1), queue = [source];
    found[source] = 0;
    for (const v of queue) for (const u of neighbours[v]) if (found[u] < 0) { found[u] = found[v] + 1; queue.push(u); }
    return found;
  }

  // By field what every algorithm starts from; values of a table are lists, -1 where there is none.
  const STARTS = {
    flooding: ({ source, parameters }) => ({
      informed: (v) => v === source, message: (v) => (v === source ? 2 ** parameters.message_bits - 1 : 0),
    }),
    bfs: ({ source, parameters }) => ({
      called: (v) => v === source, distance: () => 2 ** parameters.word - 1,
    }),
    dfs: ({ source, ports }) => ({
      root: (v) => v === source, called: (v) => v === source, finish: () => 1,
      "neighbour.gone": (v) => ports[v].map((slot) => slot < 0),
    }),
    "bellman-ford": ({ graph, source, ports }) => ({
      reached: (v) => v === source,
      "edge.weight": (v) => ports[v].map((_, i) => graph.weight(v, graph.neighbours[v][i]) ?? 0),
    }),
  };
  const STEPS = {
    flooding: ({ far }) => 2 * far,
    bfs: ({ far }) => 2 * far + 1,
    dfs: ({ far, reached }) => 2 * (2 * (reached - 1) + far) + 1,
    "bellman-ford": ({ graph, program }) => graph.size * program.roundLength,
  };

  function pack(field, columns, value, bits) {
    if (field.kind === "one-hot") { if (value >= 0) bits[columns[value]] = 1; return; }
    const number = Number(value) + (field.kind === "code" ? 1 : 0);
    columns.forEach((column, i) => { bits[column] = Math.floor(number / 2 ** i) % 2; });
  }

  // The states before the first step, and how many steps it takes.
  function instance(algorithm, program, parameters, graph, source) {
    const colours = colouring(graph);
    const ports = graph.neighbours.map((list) =>
      Array.from({ length: parameters.degree }, (_, i) => (i < list.length ? colours[list[i]] : -1)));
    const starts = {
      phase: () => 0, colour: (v) => colours[v], "port.slot": (v) => ports[v],
      ...STARTS[algorithm]({ graph, source, ports, parameters }),
    };
    const initial = graph.neighbours.map((_, v) => {
      const bits = new Uint8Array(program.numBits);
      for (const field of program.fields) {
        if (!starts[field.path]) continue;
        const value = starts[field.path](v);
        field.columns.forEach((columns, i) => pack(field, columns, field.table ? value[i] : value, bits));
      }
      return bits;
    });
    const away = distances(graph, source), far = Math.max(...away), reached = away.filter((d) => d >= 0).length;
    return {
      initial, colours, numSteps: STEPS[algorithm]({ graph, program, far, reached }),
      untilFixedPoint: algorithm === "bellman-ford",
    };
  }

  return { MAX_NODES, MAX_DEGREE, MAX_WEIGHT, NAMED, named, make, weightOf, colouring, instance };
})();
