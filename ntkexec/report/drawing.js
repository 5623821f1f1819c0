"use strict";
// The picture of a run: nodes, edges and messages; a hub that was split opens into its tree.
function drawingOf(svg, run, on) {
  const { data, numBits, state, evaluated, sends, shown, css, inkOn, colour, names, owner, roots, members, isHub } = run;
  const { graph, layout, trace, split } = data;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const SIZE = [1000, 760], MARGIN = 50, REACH = 1100;
  const numNodes = graph.names.length;
  const radius = Math.max(6, Math.min(19, 220 / Math.sqrt(numNodes))), small = Math.max(6, Math.min(11, radius));
  const open = new Set();
  const make = (name, attributes, parent) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    set(node, attributes);
    parent.appendChild(node);
    return node;
  };
  const set = (node, attributes) => { for (const [k, v] of Object.entries(attributes)) node.setAttribute(k, v); };

  // Places: those of the graph, and around an open hub, whom it pushes aside, those of its tree.

  const home = graph.places.map(([x, y]) => [MARGIN + (SIZE[0] - 2 * MARGIN) * x, MARGIN + (SIZE[1] - 2 * MARGIN) * (1 - y)]);
  // By hub, the radius of every ring of its tree: room for its nodes, and for the ring inside.
  const rings = new Map(members.flatMap((tree, v) => {
    if (!isHub(v)) return [];
    const count = [];
    for (const x of tree) count[split.rings[x]] = (count[split.rings[x]] ?? 0) + 1;
    let last = 0;
    const found = count.map((some, k) => { if (k) last = Math.max(last + 3 * small, (some * (2 * small + 4)) / (2 * Math.PI)); return last; });
    return [[v, found]];
  }));
  const extent = (v) => rings.get(v).at(-1) + 2 * small;
  let centres = home;
  function spread() {
    centres = home.map(([x, y], v) => {
      let [dx, dy] = [0, 0];
      for (const hub of open) if (hub !== v) {
        const [ax, ay] = [x - home[hub][0], y - home[hub][1]], away = Math.hypot(ax, ay);
        const push = away ? (extent(hub) * Math.max(0, 1 - away / REACH)) / away : 0;
        dx += ax * push; dy += ay * push;
      }
      return [x + dx, y + dy];
    });
  }
  const visible = (x) => roots[owner[x]] === x || open.has(owner[x]);
  function place(x) {
    const v = owner[x], [cx, cy] = centres[v];
    if (!open.has(v)) return [cx, cy];
    const far = rings.get(v)[split.rings[x]], angle = split.angles[x];
    return [cx + far * Math.cos(angle), cy - far * Math.sin(angle)];
  }
  const sizeOf = (x) => (open.has(owner[x]) ? small : radius);

  if (graph.directed) {
    const marker = make("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 8, refY: 4, markerUnits: "userSpaceOnUse", markerWidth: 12, markerHeight: 12, orient: "auto" }, make("defs", {}, svg));
    make("path", { d: "M0 0 8 4 0 8z", fill: "#7d8794" }, marker);
  }
  const clearings = make("g", {}, svg), edgeLayer = make("g", {}, svg), messageLayer = make("g", {}, svg), nodeLayer = make("g", {}, svg);

  // The edges that were asked about end where they hang in the trees; those of the trees have no direction.
  const ends = split ? split.ends : graph.arcs;
  const edges = ends.map((pair, i) => ({ pair, directed: graph.directed, line: make("line", { class: "edge" }, edgeLayer), arc: i }));
  if (split) for (const pair of split.inner) edges.push({ pair, directed: false, line: make("line", { class: "edge inner" }, edgeLayer), hub: owner[pair[0]] });
  for (const { directed, line } of edges) if (directed) line.setAttribute("marker-end", "url(#arrow)");
  // Weights where there is room; of two arcs against each other, each nearer to its own head.
  const weights = graph.weights && graph.arcs.length <= 120 ? graph.arcs.map((_, i) => {
    const text = make("text", { class: "weight", dy: "0.35em" }, edgeLayer);
    text.textContent = graph.weights[i];
    return text;
  }) : [];

  const nodes = names.map((name, x) => {
    const group = make("g", { class: "node", tabindex: 0, role: "button", "data-node": x }, nodeLayer);
    const v = owner[x], root = roots[v] === x;
    const rim = isHub(v) && root ? make("circle", { class: "rim" }, group) : null;
    const circle = make("circle", { class: "disc" }, group), text = make("text", {}, group);
    // In a tree the number is enough.
    const told = root ? name : name.slice(names[roots[v]].length);
    if (numNodes <= 150) text.textContent = told.length > 12 ? told.slice(0, 11) + "…" : told;
    group.addEventListener("click", () => on.select(x));
    group.addEventListener("dblclick", () => { if (isHub(v)) on.toggle(v); });
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { on.select(x); event.preventDefault(); }
    });
    return { group, rim, circle, text };
  });

  function layOut() {
    spread();
    clearings.replaceChildren();
    for (const v of open) make("circle", { class: "clearing", cx: centres[v][0], cy: centres[v][1], r: extent(v) }, clearings);
    nodes.forEach(({ group, rim, circle, text }, x) => {
      group.toggleAttribute("hidden", !visible(x));
      const r = sizeOf(x), inside = text.textContent.length * 7 < 2 * r;
      group.setAttribute("transform", `translate(${place(x)})`);
      circle.setAttribute("r", r);
      rim?.setAttribute("r", r + 4);
      // A long name stands above, and where many are drawn every name.
      const above = !inside || (numNodes > 80 && !open.has(owner[x]));
      set(text, { dy: above ? -r - (rim ? 7 : 4) : "0.35em", class: inside && !above ? "inside" : "" });
    });
    for (const { pair: [u, v], directed, line, hub } of edges) {
      line.toggleAttribute("hidden", hub !== undefined && !open.has(hub));
      const [[x1, y1], [x2, y2]] = [place(u), place(v)];
      const length = Math.hypot(x2 - x1, y2 - y1) || 1, cut = directed ? sizeOf(v) / length : 0;
      set(line, { x1, y1, x2: x2 - (x2 - x1) * cut, y2: y2 - (y2 - y1) * cut });
    }
    weights.forEach((text, i) => {
      const [[x1, y1], [x2, y2]] = ends[i].map(place), part = graph.directed ? 0.62 : 0.5;
      set(text, { x: x1 + (x2 - x1) * part, y: y1 + (y2 - y1) * part });
    });
    fit();
  }
  // All that is drawn, in the shape of the picture, so that the page does not move.
  function fit() {
    let [left, top, right, bottom] = [0, 0, ...SIZE];
    centres.forEach(([x, y], v) => {
      const room = open.has(v) ? extent(v) + 8 : MARGIN;
      [left, top, right, bottom] = [Math.min(left, x - room), Math.min(top, y - room), Math.max(right, x + room), Math.max(bottom, y + room)];
    });
    const grown = Math.max((right - left) / SIZE[0], (bottom - top) / SIZE[1]);
    const [width, height] = [SIZE[0] * grown, SIZE[1] * grown];
    svg.setAttribute("viewBox", [(left + right - width) / 2, (top + bottom - height) / 2, width, height].join(" "));
  }

  // Who told whom: the edge to a node's parent, once the node has settled on it.
  const arcAt = new Map(graph.arcs.flatMap(([u, v], i) => (graph.directed ? [[`${u} ${v}`, i]] : [[`${u} ${v}`, i], [`${v} ${u}`, i]])));
  const told = layout.fields.find((f) => f.path === "parent" && !f.table);
  function treeArcs(step) {
    const found = new Set();
    (data.parents ?? []).forEach((u, v) => {
      const settled = told ? shown(told, state(step, roots[v])) : "";
      const at = step === trace.steps || (told && settled !== "–" && settled === shown(told, state(trace.steps, roots[v])));
      if (u !== null && at && arcAt.has(`${u} ${v}`)) found.add(arcAt.get(`${u} ${v}`));
    });
    return found;
  }

  function drawMessages(step, moving) {
    messageLayer.replaceChildren();
    const tree = treeArcs(step), senders = names.map((_, x) => sends(step, x));
    const moves = moving && !calm && nodes.filter((_, x) => visible(x)).length <= 200;
    for (const { pair: [u, v], directed, line, arc, hub } of edges) {
      if (hub !== undefined && !open.has(hub)) continue;
      let active = false;
      for (const [from, to] of directed ? [[u, v]] : [[u, v], [v, u]]) if (senders[from]) {
        active = true;
        const [[x1, y1], [x2, y2]] = [place(from), place(to)];
        const at = (s) => [x1 + (x2 - x1) * s, y1 + (y2 - y1) * s];
        const [cx, cy] = at(0.7), r = Math.max(3, (hub === undefined ? radius : small) / 3);
        const dot = make("circle", { class: "message", r, cx, cy }, messageLayer);
        if (moves) {
          const [sx, sy] = at(0.15);
          dot.animate([{ cx: sx + "px", cy: sy + "px" }, { cx: cx + "px", cy: cy + "px" }], { duration: moving * 0.6 });
        }
      }
      line.setAttribute("class", `edge${hub === undefined ? "" : " inner"}${tree.has(arc) ? " tree" : ""}${active ? " active" : ""}`);
    }
  }

  function wrongAt(step, x) {
    if (step === trace.steps) return roots[owner[x]] === x && data.wrong_nodes.includes(owner[x]);
    const found = evaluated(step, x);
    for (let b = 0; b < numBits; b++) if (found.becomes(b) !== found.right[b]) return true;
    return false;
  }
  function drawNodes(step, selected, field) {
    nodes.forEach(({ group, circle, text }, x) => {
      if (!visible(x)) return;
      const v = owner[x], bits = state(step, x), rgb = field ? colour(field, bits) : "none";
      circle.style.fill = css(rgb);
      text.style.fill = text.classList.contains("inside") ? inkOn(rgb) : "";
      // A closed hub shows its root's state, and answers for its whole tree.
      const wrong = (open.has(v) ? [x] : members[v]).some((one) => wrongAt(step, one));
      group.setAttribute("class", `node${open.has(v) ? " part" : ""}${x === selected ? " selected" : ""}${wrong ? " wrong" : ""}`);
      group.setAttribute("aria-pressed", x === selected);
      const value = field ? `, ${field.path} ${shown(field, bits)}` : "";
      const hub = isHub(v) ? (open.has(v) ? `, in the open tree of ${graph.names[v]}` : `, a hub of ${members[v].length} nodes`) : "";
      group.setAttribute("aria-label", `node ${names[x]}${value}${hub}${wrong ? ", wrong" : ""}`);
    });
  }

  layOut();
  return {
    isOpen: (v) => open.has(v),
    // Opens or closes hubs, or one.
    toggle(hubs, opened) {
      for (const v of hubs) if (opened) open.add(v); else open.delete(v);
      layOut();
    },
    show({ step, selected, field, moving }) { drawNodes(step, selected, field); drawMessages(step, moving); },
  };
}
