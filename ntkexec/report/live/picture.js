"use strict";
// The graph, drawn and edited: by pointer, by touch and by key.
function pictureOf(svg, on) {
  const RADIUS = 20, calm = matchMedia("(prefers-reduced-motion: reduce)");
  const make = (name, attributes, parent) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(attributes)) node.setAttribute(k, v);
    parent.appendChild(node);
    return node;
  };
  const edgeLayer = make("g", {}, svg), dotLayer = make("g", {}, svg), nodeLayer = make("g", {}, svg);
  const thread = make("line", { class: "thread", visibility: "hidden" }, svg);
  let graph = null, model = null, edges = [], nodes = [], pending = null, held = null, size = [800, 460];

  // From the unit square to the picture and back.
  const PAD = { x: 52, top: 40, bottom: 50 };
  const place = ([x, y]) => [PAD.x + x * (size[0] - 2 * PAD.x), PAD.top + y * (size[1] - PAD.top - PAD.bottom)];
  const clamp = (x) => Math.max(0, Math.min(1, x));
  const unplace = (x, y) => [clamp((x - PAD.x) / (size[0] - 2 * PAD.x)), clamp((y - PAD.top) / (size[1] - PAD.top - PAD.bottom))];
  const at = (event) => { const box = svg.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  const nodeAt = (target) => { const found = target?.closest?.("[data-node]"); return found ? Number(found.dataset.node) : null; };
  const edgeAt = (target) => { const found = target?.closest?.("[data-edge]"); return found ? Number(found.dataset.edge) : null; };

  function build() {
    const focused = nodes.findIndex(({ group }) => group === document.activeElement);
    const line = edges.findIndex(({ group }) => group === document.activeElement);
    edgeLayer.replaceChildren(); nodeLayer.replaceChildren();
    edges = graph.edges.map(([u, v, w], i) => {
      const group = make("g", { class: "edge-key", "data-edge": i }, edgeLayer);
      return {
        group, ends: [u, v], hit: make("line", { class: "hit" }, group), line: make("line", { class: "edge" }, group),
        weight: make("text", { class: "weight", dy: "0.35em" }, group), value: w,
      };
    });
    nodes = graph.places.map((_, v) => {
      const group = make("g", { class: "vertex", tabindex: 0, role: "button", "data-node": v }, nodeLayer);
      const parts = { group, touch: make("circle", { class: "touch", r: RADIUS + 6 }, group) };
      parts.ring = make("circle", { class: "ring", r: RADIUS + 5 }, group);
      parts.disc = make("circle", { class: "disc", r: RADIUS }, group);
      parts.inside = make("text", { class: "inside", dy: "0.35em" }, group);
      parts.name = make("text", { class: "name", x: RADIUS - 1, y: 4 - RADIUS }, group);
      parts.guilty = make("text", { class: "guilty", dy: RADIUS + 17 }, group);
      return parts;
    });
    nodes[focused]?.group.focus();
    edges[line]?.group.focus();
  }

  // From dark blue over green to yellow; the ink on it is the one that can be read.
  const SCALE = [[38, 70, 120], [35, 110, 140], [40, 150, 125], [130, 185, 75], [235, 205, 60]];
  function colour(x) {
    const t = clamp(x) * (SCALE.length - 1), i = Math.min(SCALE.length - 2, Math.floor(t));
    const rgb = SCALE[i].map((c, k) => Math.round(c + (SCALE[i + 1][k] - c) * (t - i)));
    return [`rgb(${rgb})`, rgb[0] * 0.3 + rgb[1] * 0.59 + rgb[2] * 0.11 > 125 ? "#111" : "#fff"];
  }

  function layOut() {
    const box = svg.getBoundingClientRect();
    size = [box.width || 800, box.height || 460];
    svg.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
    edges.forEach(({ ends, hit, line, weight }) => {
      const [[x1, y1], [x2, y2]] = ends.map((v) => place(graph.places[v]));
      for (const one of [hit, line]) for (const [k, x] of Object.entries({ x1, y1, x2, y2 })) one.setAttribute(k, x);
      weight.setAttribute("x", (x1 + x2) / 2); weight.setAttribute("y", (y1 + y2) / 2);
    });
    nodes.forEach(({ group }, v) => group.setAttribute("transform", `translate(${place(graph.places[v])})`));
  }

  function show(next, moving) {
    const fresh = next.graph !== graph;
    model = next;
    if (fresh) { graph = next.graph; build(); }
    if (pending !== null && (next.tool !== "connect" || pending >= graph.size)) pending = null;
    svg.setAttribute("class", `${next.tool === "remove" ? "removes" : ""} ${next.weighted ? "weighted" : ""}`);
    layOut();
    const tree = new Set(next.parents.flatMap((p, v) => (p === null ? [] : [`${Math.min(p, v)} ${Math.max(p, v)}`])));
    edges.forEach(({ group, line, weight, ends: [u, v], value }, i) => {
      const active = next.sends[u] || next.sends[v];
      line.setAttribute("class", `edge${tree.has(`${u} ${v}`) ? " tree" : active ? " active" : ""}`);
      weight.textContent = next.weighted ? value : "";
      const acts = next.tool === "remove" || (next.weighted && next.tool === "select");
      if (acts) { group.setAttribute("tabindex", 0); group.setAttribute("role", "button"); }
      else { group.removeAttribute("tabindex"); group.removeAttribute("role"); }
      group.setAttribute("aria-label", `edge ${u} to ${v}${next.weighted ? `, weight ${value}` : ""}`);
    });
    nodes.forEach(({ group, disc, inside, name, guilty }, v) => {
      const value = next.values[v], bad = next.guilty[v], reached = value !== null;
      const [fill, ink] = colour(typeof value === "number" ? value / Math.max(1, next.largest) : 0);
      disc.style.fill = reached ? fill : "";
      group.style.setProperty("--on", ink);
      const classes = { reached, wrong: bad.length, astray: next.astray[v], selected: v === next.selected, pending: v === pending };
      group.setAttribute("class", ["vertex", ...Object.keys(classes).filter((c) => classes[c])].join(" "));
      inside.textContent = reached ? value : "";
      name.textContent = v === next.source ? `${v} · start` : v;
      guilty.textContent = bad.length ? bad[0] + (bad.length > 1 ? ` +${bad.length - 1}` : "") : next.erred[v];
      const told = reached ? next.says(value) : "not reached";
      group.setAttribute("aria-label", `node ${v}${v === next.source ? ", start" : ""}, ${told}${bad.length ? `, wrong: ${bad.join(", ")}` : ""}`);
      group.setAttribute("aria-pressed", v === next.selected || v === pending);
    });
    drawDots(moving);
  }

  function drawDots(moving) {
    dotLayer.replaceChildren();
    if (!moving || calm.matches) return;
    for (const { ends: [u, v] } of edges) for (const [from, to] of [[u, v], [v, u]]) if (model.sends[from]) {
      const [a, b] = [place(graph.places[from]), place(graph.places[to])];
      const dot = make("circle", { class: "dot", r: 6, cx: b[0], cy: b[1] }, dotLayer);
      const frames = [{ transform: `translate(${a[0] - b[0]}px, ${a[1] - b[1]}px)` }, { transform: "none" }];
      dot.animate(frames, { duration: moving * 0.7, easing: "ease-in-out" }).onfinish = () => dot.remove();
    }
  }

  // What a tap on a node does.
  function act(v) {
    if (model.tool === "remove") on.removeNode(v);
    else if (model.tool === "start") on.start(v);
    else if (model.tool === "connect") {
      if (pending === null) { pending = v; on.select(v); }
      else { const other = pending; pending = null; if (other === v) on.select(v); else on.toggleEdge(other, v); }
    } else on.select(v);
  }
  function actOnEdge(i) {
    const [u, v] = edges[i].ends;
    if (model.tool === "remove") on.toggleEdge(u, v);
    else if (model.weighted && model.tool === "select") on.nextWeight(u, v);
  }

  svg.addEventListener("pointerdown", (event) => {
    const v = nodeAt(event.target);
    if (event.button || v === null) return;
    held = { v, from: at(event), moved: false };
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!held) return;
    const [x, y] = at(event);
    held.moved ||= Math.hypot(x - held.from[0], y - held.from[1]) > 7;
    if (!held.moved) return;
    if (model.tool === "select") { graph.places[held.v] = unplace(x, y); layOut(); }
    if (model.tool === "connect") {
      const [x1, y1] = place(graph.places[held.v]);
      for (const [k, n] of Object.entries({ x1, y1, x2: x, y2: y, visibility: "visible" })) thread.setAttribute(k, n);
    }
  });
  svg.addEventListener("pointerup", (event) => {
    if (!held) return;
    const { v, moved } = held, other = nodeAt(document.elementFromPoint(event.clientX, event.clientY));
    held = null;
    thread.setAttribute("visibility", "hidden");
    if (!moved) act(v);
    else if (model.tool === "connect" && other !== null && other !== v) { pending = null; on.toggleEdge(v, other); }
  });
  svg.addEventListener("pointercancel", () => { held = null; thread.setAttribute("visibility", "hidden"); });
  svg.addEventListener("click", (event) => {
    // Captured pointers end on the svg itself: what was pressed has been dealt with.
    const i = edgeAt(event.target);
    if (i !== null) actOnEdge(i);
    else if (model.tool === "add" && nodeAt(event.target) === null && event.detail !== 0) {
      const [x, y] = at(event);
      const near = graph.places.some((p) => Math.hypot(place(p)[0] - x, place(p)[1] - y) < 2 * RADIUS);
      if (!near) on.addNode(unplace(x, y), null);
    }
  });
  svg.addEventListener("keydown", (event) => {
    const v = nodeAt(event.target), i = edgeAt(event.target);
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const enters = event.key === "Enter" || event.key === " ";
    if (v === null && i === null) return;
    if (enters && i !== null) actOnEdge(i);
    else if (enters && model.tool === "add") on.addNode(beside(v), v);
    else if (enters) act(v);
    else if (v !== null && event.key === "Delete") on.removeNode(v);
    else if (v !== null && event.shiftKey && arrows[event.key]) {
      graph.places[v] = graph.places[v].map((x, k) => clamp(x + 0.03 * arrows[event.key][k]));
      layOut();
    } else return;
    event.preventDefault(); event.stopPropagation();
  });
  // A free place next to a node.
  function beside(v) {
    const [x, y] = graph.places[v];
    const free = ([a, b]) => Math.min(...graph.places.map(([c, d]) => Math.hypot(a - c, (b - d) * 0.7)));
    const around = Array.from({ length: 16 }, (_, k) => [clamp(x + 0.2 * Math.cos(k * Math.PI / 8)), clamp(y + 0.26 * Math.sin(k * Math.PI / 8))]);
    return around.reduce((best, one) => (free(one) > free(best) ? one : best));
  }
  new ResizeObserver(() => { if (graph) layOut(); }).observe(svg);
  return { show };
}
