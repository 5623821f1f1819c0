"use strict";
// The page of a run: the picture, the panel, the strip of margins, and what moves them.
(() => {
  const { data, numNodes, numBits, state, evaluated, sends, decode, show, shown, hidden, scale, css, inkOn, plain, range, colour } = run;
  const { graph, layout, program, trace } = data;
  const el = (id) => document.getElementById(id);
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
  const SVG = "http://www.w3.org/2000/svg";
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  // The answer is there at first, in colours; Play begins at the beginning.
  let step = trace.steps, selected = 0, timer = null, shownField = null;

  // The picture.

  const radius = Math.max(6, Math.min(19, 220 / Math.sqrt(numNodes)));
  const place = (v) => [50 + 900 * graph.places[v][0], 50 + 660 * (1 - graph.places[v][1])];
  const make = (name, attributes, parent) => {
    const node = document.createElementNS(SVG, name);
    for (const [k, v] of Object.entries(attributes)) node.setAttribute(k, v);
    parent.appendChild(node);
    return node;
  };
  const svg = el("graph");
  if (graph.directed) {
    const marker = make("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 8, refY: 4, markerUnits: "userSpaceOnUse", markerWidth: 12, markerHeight: 12, orient: "auto" }, make("defs", {}, svg));
    make("path", { d: "M0 0 8 4 0 8z", fill: "#7d8794" }, marker);
  }
  const edgeLayer = make("g", {}, svg), messageLayer = make("g", {}, svg), nodeLayer = make("g", {}, svg);
  const edges = graph.arcs.map(([u, v]) => {
    const [[x1, y1], [x2, y2]] = [place(u), place(v)];
    const length = Math.hypot(x2 - x1, y2 - y1) || 1, cut = graph.directed ? radius / length : 0;
    const line = { class: "edge", x1, y1, x2: x2 - (x2 - x1) * cut, y2: y2 - (y2 - y1) * cut };
    if (graph.directed) line["marker-end"] = "url(#arrow)";
    return make("line", line, edgeLayer);
  });
  // Who told whom: the edge to a node's parent, once the node has settled on it.
  const edgeAt = new Map(graph.arcs.flatMap(([u, v], i) => (graph.directed ? [[`${u} ${v}`, i]] : [[`${u} ${v}`, i], [`${v} ${u}`, i]])));
  const told = layout.fields.find((f) => f.path === "parent" && !f.table);
  el("tree").hidden = !data.parents;
  function treeEdges() {
    const found = new Set();
    (data.parents ?? []).forEach((u, v) => {
      const settled = told ? shown(told, state(step, v)) : "";
      const at = step === trace.steps || (told && settled !== "–" && settled === shown(told, state(trace.steps, v)));
      if (u !== null && at && edgeAt.has(`${u} ${v}`)) found.add(edgeAt.get(`${u} ${v}`));
    });
    return found;
  }

  // Weights where there is room; of two arcs against each other, each nearer to its own head.
  if (graph.weights && graph.arcs.length <= 120) graph.arcs.forEach(([u, v], i) => {
    const [[x1, y1], [x2, y2]] = [place(u), place(v)], part = graph.directed ? 0.62 : 0.5;
    const at = { class: "weight", x: x1 + (x2 - x1) * part, y: y1 + (y2 - y1) * part, dy: "0.35em" };
    make("text", at, edgeLayer).textContent = graph.weights[i];
  });
  const nodes = graph.names.map((name, v) => {
    const [x, y] = place(v);
    const group = make("g", { class: "node", tabindex: 0, role: "button", transform: `translate(${x} ${y})`, "data-node": v }, nodeLayer);
    const circle = make("circle", { r: radius }, group);
    const text = make("text", { dy: numNodes > 80 ? -radius - 2 : "0.35em" }, group);
    if (numNodes <= 150) text.textContent = name.length > 12 ? name.slice(0, 11) + "…" : name;
    const inside = text.textContent.length * 7 < 2 * radius;
    if (!inside) text.setAttribute("dy", -radius - 4);
    group.addEventListener("click", () => select(v));
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { select(v); event.preventDefault(); }
    });
    return { group, circle, text, inside };
  });

  function drawMessages(moving) {
    messageLayer.replaceChildren();
    const tree = treeEdges();
    const senders = graph.names.map((_, v) => sends(step, v));
    graph.arcs.forEach(([u, v], i) => {
      const ways = graph.directed ? [[u, v]] : [[u, v], [v, u]];
      let active = false;
      for (const [from, to] of ways) if (senders[from]) {
        active = true;
        const [[x1, y1], [x2, y2]] = [place(from), place(to)];
        const at = (s) => [x1 + (x2 - x1) * s, y1 + (y2 - y1) * s];
        const [cx, cy] = at(0.7);
        const dot = make("circle", { class: "message", r: Math.max(3, radius / 3), cx, cy }, messageLayer);
        if (moving && !calm && numNodes <= 200) {
          const time = Number(el("speed").value) * 0.6;
          const [sx, sy] = at(0.15);
          dot.animate([{ cx: sx + "px", cy: sy + "px" }, { cx: cx + "px", cy: cy + "px" }], { duration: time });
        }
      }
      edges[i].setAttribute("class", `edge${tree.has(i) ? " tree" : ""}${active ? " active" : ""}`);
    });
  }

  function drawGraph() {
    graph.names.forEach((name, v) => {
      const bits = state(step, v), { group, circle, text, inside } = nodes[v];
      const rgb = shownField ? colour(shownField, bits) : "none";
      circle.style.fill = css(rgb);
      text.style.fill = inside ? inkOn(rgb) : "";
      let wrong = step === trace.steps && data.wrong_nodes.includes(v);
      if (step < trace.steps) {
        const found = evaluated(step, v);
        for (let b = 0; b < numBits && !wrong; b++) wrong = found.becomes(b) !== found.right[b];
      }
      group.setAttribute("class", `node${v === selected ? " selected" : ""}${wrong ? " wrong" : ""}`);
      group.setAttribute("aria-pressed", v === selected);
      const value = shownField ? `, ${shownField.path} ${shown(shownField, bits)}` : "";
      group.setAttribute("aria-label", `node ${name}${value}${wrong ? ", wrong" : ""}`);
    });
  }

  function drawLegend() {
    const legend = el("legend");
    legend.replaceChildren();
    if (!shownField) return;
    const entry = (rgb, label) => {
      const key = document.createElement("span"), swatch = document.createElement("span");
      key.className = "key"; swatch.className = "swatch"; swatch.style.background = css(rgb);
      key.append(swatch, `${label} `);
      legend.append(key);
    };
    legend.append(`${shownField.path}${shownField.kind === "bits" ? ", bits that are 1" : ""}: `);
    if (shownField.kind === "flag") { entry([0, 114, 178], "yes"); entry("no", "no"); return; }
    let low = 0, high = shownField.columns[0].length - 1;
    if (shownField.kind !== "one-hot") [low, high] = range(shownField);
    for (let i = 0; i <= Math.min(5, high - low); i++) {
      const value = Math.round(low + ((high - low) * i) / Math.max(1, Math.min(5, high - low)));
      entry(high > low ? scale((value - low) / (high - low)) : scale(0.5), value);
    }
    if (!["word", "bits"].includes(shownField.kind) || shownField.shown_where) entry("none", "none");
  }

  // The panel.

  const phase = layout.fields.find((f) => f.path === "phase");
  const phaseOf = (bits) => String(data.phases[decode(phase, phase.columns[0], bits)] ?? show(phase, bits));

  const row = (cells, name) => {
    const tr = document.createElement("tr");
    if (name) tr.className = name;
    for (const cell of cells) tr.appendChild(document.createElement("td")).textContent = cell;
    return tr;
  };

  function drawPanel() {
    const bits = state(step, selected), before = step ? state(step - 1, selected) : null;
    el("name").textContent = `Node ${graph.names[selected]} (colour ${graph.colours[selected]})`;
    const answer = Object.entries(data.answer[selected]).map(([k, v]) => `${k} ${v ?? "none"}`);
    el("answer").textContent = step < trace.steps ? ""
      : `In the end: ${answer.join(", ")}${data.wrong_nodes.includes(selected) ? " (wrong)" : ""}.`;
    el("fields").tBodies[0].replaceChildren(...layout.fields.map((field) => {
      const told = (some) => (field === phase ? phaseOf(some) : shown(field, some));
      const now = told(bits), old = before ? told(before) : "";
      const line = row([field.path, now, old], before && now !== old ? "changed" : "");
      if (hidden(field, bits)) line.title = `its bits say ${show(field, bits)}, which counts only once ${field.shown_where} is set`;
      return line;
    }));
    const found = evaluated(step, selected);
    const listed = program.templates.flatMap((t, i) => (found.matched[i] ? [[i, t.text]] : []));
    el("count").textContent = `(${listed.length} of ${program.templates.length})`;
    const items = (some) => some.map(([i, text]) => {
      const item = document.createElement("li"), index = document.createElement("span");
      index.className = "index"; index.textContent = `${i} `;
      item.append(index, text);
      return item;
    });
    const keeps = ([, text]) => /^keep[:;]/.test(text), kept = listed.filter(keeps);
    el("templates").replaceChildren(...items(listed.filter((one) => !keeps(one))));
    el("kept").hidden = !kept.length;
    el("kept").querySelector("summary").textContent = `${kept.length} that keep what is there`;
    el("kept").querySelector("ol").replaceChildren(...items(kept));
    if (el("means").open) {
      el("bits").tBodies[0].replaceChildren(...layout.bit_names.map((name, b) => {
        const margin = found.mean[b] - found.threshold[b];
        const cells = [name, found.mean[b].toFixed(4), found.threshold[b].toFixed(4), margin.toFixed(4), found.becomes(b)];
        return row(cells, found.becomes(b) !== found.right[b] ? "mistake" : "");
      }));
    }
  }

  // The strip of margins.

  function drawStrip() {
    const canvas = el("strip"), pen = canvas.getContext("2d");
    const [width, height, left, bottom] = [canvas.width, canvas.height, 60, 46];
    pen.clearRect(0, 0, width, height);
    const BLUE = ink("blue"), ORANGE = ink("orange"), BAD = ink("bad"), soft = ink("soft");
    // Nothing is predicted from the last state; the predictions that made it are shown.
    const over = step === trace.steps, from = over ? step - 1 : step;
    if (from < 0) { el("summary").textContent = data.verdict; return; }
    el("predictions").textContent = over ? "Learned predictions of the last step" : "Learned predictions in this step";
    let smallest = Infinity, mistakes = 0, reach = 0.6;
    const all = graph.names.map((_, v) => evaluated(from, v));
    for (const found of all) for (let b = 0; b < numBits; b++) {
      const margin = found.mean[b] - found.threshold[b];
      smallest = Math.min(smallest, Math.abs(margin));
      reach = Math.max(reach, Math.abs(margin));
      mistakes += found.becomes(b) !== found.right[b];
    }
    const x = (b) => left + ((b + 0.5) / numBits) * (width - left - 10);
    const y = (margin) => (height - bottom) / 2 - (margin / reach) * ((height - bottom) / 2 - 10);
    pen.font = "12px system-ui"; pen.fillStyle = soft;
    const unit = reach > 1.5 ? Math.floor(reach) : reach > 1 ? 1 : 0.5;
    for (const tick of [-unit, 0, unit]) {
      pen.fillText(tick ? tick.toFixed(1) : "threshold", tick ? 30 : 2, y(tick) + 4);
      pen.strokeStyle = tick ? ink("faint") : ink("ink");
      pen.beginPath(); pen.moveTo(left, y(tick)); pen.lineTo(width, y(tick)); pen.stroke();
    }
    let last = -Infinity, level = 0;
    for (const field of layout.fields) {
      const at = x(Math.min(...field.columns.flat()));
      pen.strokeStyle = ink("line");
      pen.beginPath(); pen.moveTo(at - 3, 0); pen.lineTo(at - 3, height - bottom); pen.stroke();
      level = at - last < 90 ? (level + 1) % 3 : 0;
      last = at;
      pen.fillStyle = soft; pen.fillText(field.path, at, height - bottom + 14 + 14 * level);
    }
    const size = numNodes > 100 ? 2 : 4;
    all.forEach((found, v) => {
      const shift = numNodes > 1 ? (v / (numNodes - 1) - 0.5) * Math.min(8, (width - left) / numBits / 1.5) : 0;
      for (let b = 0; b < numBits; b++) {
        const margin = found.mean[b] - found.threshold[b];
        pen.fillStyle = found.right[b] ? BLUE : ORANGE;
        pen.fillRect(x(b) + shift - size / 2, y(margin) - size / 2, size, size);
        if (found.becomes(b) !== found.right[b]) {
          pen.strokeStyle = BAD; pen.lineWidth = 2.5;
          pen.beginPath();
          for (const [dx, dy] of [[5, 5], [5, -5]]) {
            pen.moveTo(x(b) + shift - dx, y(margin) - dy); pen.lineTo(x(b) + shift + dx, y(margin) + dy);
          }
          pen.stroke(); pen.lineWidth = 1;
        }
        if (v === selected) {
          pen.strokeStyle = ink("ink");
          pen.beginPath(); pen.arc(x(b) + shift, y(margin), 5, 0, 7); pen.stroke();
        }
      }
    });
    el("summary").textContent = `${(numNodes * numBits).toLocaleString("en")} bits: ${mistakes ? mistakes + " wrong" : "all right"}; `
      + `smallest distance to a threshold ${smallest.toFixed(4)}.`;
  }

  // Control.

  function draw(moving) {
    const clock = phase ? `, phase ${phaseOf(state(step, selected))}` : "";
    el("step").textContent = `step ${step} of ${trace.steps}${clock}`;
    el("slider").value = step;
    el("slider").setAttribute("aria-valuetext", el("step").textContent);
    drawGraph(); drawMessages(moving); drawPanel(); drawStrip();
  }
  function go(to) {
    const target = Math.max(0, Math.min(trace.steps, to)), moving = target === step + 1;
    step = target;
    draw(moving);
  }
  function select(v) { selected = v; draw(false); }
  function play(on) {
    if (timer) clearTimeout(timer);
    timer = null;
    el("play").setAttribute("aria-pressed", on);
    el("play").textContent = on ? "⏸ Pause" : "▶ Play";
    el("play").setAttribute("aria-label", on ? "Pause" : "Play");
    if (!on) return;
    if (step === trace.steps) go(0);
    const tick = () => {
      if (step === trace.steps) { play(false); return; }
      go(step + 1);
      timer = setTimeout(tick, Number(el("speed").value));
    };
    timer = setTimeout(tick, Number(el("speed").value) / 2);
  }
  el("slider").max = trace.steps;
  el("slider").addEventListener("input", (event) => { play(false); go(Number(event.target.value)); });
  const stop = (to) => () => { play(false); go(to()); };
  el("first").onclick = stop(() => 0);
  el("back").onclick = stop(() => step - 1);
  el("next").onclick = stop(() => step + 1);
  el("last").onclick = stop(() => trace.steps);
  el("play").onclick = () => play(!timer);
  el("means").addEventListener("toggle", drawPanel);
  document.addEventListener("keydown", (event) => {
    if (["SELECT", "SUMMARY"].includes(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    const onButton = event.target.tagName === "BUTTON", onSlider = event.target === el("slider");
    const keys = { ArrowLeft: () => go(step - 1), ArrowRight: () => go(step + 1), Home: () => go(0), End: () => go(trace.steps) };
    if (keys[event.key] && !onSlider) { play(false); keys[event.key](); event.preventDefault(); }
    else if (event.key === " " && !onButton) { play(!timer); event.preventDefault(); }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { drawLegend(); draw(false); });
  for (const field of plain) el("field").add(new Option(field.path, field.path));
  shownField = plain.find((f) => f.path === data.colour_by) || plain.find((f) => !["phase", "colour"].includes(f.path)) || plain[0];
  el("field").value = shownField.path;
  el("field").onchange = (event) => {
    shownField = plain.find((f) => f.path === event.target.value);
    drawLegend(); draw(false);
  };
  const inputs = Object.entries(data.inputs).map(([k, v]) => `${k} ${v}`).join(", ");
  el("title").textContent = `${data.algorithm} on ${graph.label}${inputs ? ` (${inputs})` : ""}, engine ${data.engine}`;
  document.title = `${data.algorithm} on ${graph.label}`;
  el("verdict").textContent = data.verdict;
  el("verdict").className = data.wrong_nodes.length ? "wrong" : "exact";
  el("certificate").textContent = data.certificate;
  drawLegend();
  draw(false);
})();
