"use strict";
// The page of a run: the picture, the panel, the strip of margins, and what moves them.
(() => {
  const { data, names, colours, owner, roots, members, isHub, numNodes, numBits, state, evaluated, decode, show, shown, hidden, scale, css, plain, range } = run;
  const { graph, layout, program, trace } = data;
  const el = (id) => document.getElementById(id);
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
  // The answer is there at first, in colours; Play begins at the beginning.
  let step = trace.steps, selected = roots[0], timer = null, shownField = null;

  // The picture.

  const drawing = drawingOf(el("graph"), run, { select, toggle: (v) => toggle([v], !drawing.isOpen(v)) });
  const hubs = graph.names.flatMap((_, v) => (isHub(v) ? [v] : []));
  function toggle(some, opened) {
    drawing.toggle(some, opened);
    // What is hidden cannot stay selected.
    if (!drawing.isOpen(owner[selected])) selected = roots[owner[selected]];
    el("all").checked = hubs.every(drawing.isOpen);
    draw(false);
  }
  el("tree").hidden = !data.parents;
  for (const id of ["trees", "hub", "split"]) el(id).hidden = !hubs.length;
  if (hubs.length) el("split").textContent = data.split.told;
  el("all").onchange = () => toggle(hubs, el("all").checked);
  el("open").onclick = () => toggle([owner[selected]], !drawing.isOpen(owner[selected]));

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
    const whose = owner[selected], tree = members[whose].length;
    const part = !isHub(whose) ? "" : roots[whose] === selected ? `, root of its tree of ${tree} nodes` : `, in the tree of ${graph.names[whose]}`;
    el("name").textContent = `Node ${names[selected]} (colour ${colours[selected]})${part}`;
    el("open").hidden = !isHub(whose);
    el("open").textContent = `${drawing.isOpen(whose) ? "Close" : "Open"} the tree of ${graph.names[whose]}`;
    const answer = Object.entries(data.answer[whose]).map(([k, v]) => `${k} ${v ?? "none"}`);
    el("answer").textContent = step < trace.steps ? ""
      : `In the end: ${answer.join(", ")}${data.wrong_nodes.includes(whose) ? " (wrong)" : ""}.`;
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
    const all = names.map((_, v) => evaluated(from, v));
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
    drawing.show({ step, selected, field: shownField, moving: moving && Number(el("speed").value) });
    drawPanel(); drawStrip();
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
    const onButton = event.target.tagName === "BUTTON" || event.target.type === "checkbox", onSlider = event.target === el("slider");
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
