"use strict";
// The page: what was chosen, what follows from it, and what is shown.
const page = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const el = (id) => document.getElementById(id);
  const MEMBERS = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256];
  const SPREADS = [0.5, 0.7, 1, 1.4, 2, 3, 4], PADDINGS = [0, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
  const TOOLS = { select: "Look", start: "Start here", add: "Add node", connect: "Connect", remove: "Remove" };
  const TRIALS = 2000, SLICE = 18, LONGEST = 12000, OWN = "your own";
  const chosen = { algorithm: "bfs", kind: "joint", padding: 0, threshold: "bit", members: 1, weightStd: 1, seed: 7,
    source: 0, step: 0, selected: null, tool: "select" };
  let graph = graphs.named("petersen"), timer = null, sampling = null;
  const programs = new Map(), at = {};

  // What follows from what: each level keeps what the ones before it made.
  function programOf(algorithm) {
    if (!programs.has(algorithm)) programs.set(algorithm, learning.programOf(data[algorithm].listing));
    return programs.get(algorithm);
  }
  const levels = [
    function run() {
      at.program = programOf(chosen.algorithm);
      at.instance = graphs.instance(chosen.algorithm, at.program, data[chosen.algorithm].parameters, graph, chosen.source);
      at.own = networks.ownRun(at.program, graph, at.instance);
      at.steps = at.own.length - 1;
      at.numDecisions = Math.max(1, at.program.numBits * graph.size * at.instance.numSteps);
      chosen.step = Math.min(chosen.step, at.steps);
    },
    function problem() {
      at.problem = learning.problemOf(at.program, chosen);
      at.sets = learning.occurring(at.problem, at.own);
    },
    function draw() { at.draw = networks.drawOf(at.problem, chosen.seed); },
    function thresholds() {
      at.thresholds = learning.thresholdsOf(at.problem, chosen.threshold, at.sets);
      at.certificate = networks.certificate(at.problem, at.thresholds, at.sets);
      at.trials = [];
      at.trial = networks.trialsOf(at.problem, at.thresholds, at.sets, 1);
    },
    function learned() {
      at.learned = networks.learnedRun(at.problem, at.thresholds, graph, at.own, at.draw, chosen);
      const last = at.learned.states[at.steps];
      at.right = at.own[at.steps].map((bits, v) => bits.every((b, k) => b === last[v][k]));
    },
  ];
  const LEVEL = { graph: 0, problem: 1, seed: 2, threshold: 3, networks: 4, view: 5 };
  function refresh(from, moving = 0) {
    for (const level of levels.slice(from)) level();
    draw(moving);
    if (from <= LEVEL.threshold) sample();
  }

  // Draws go on in slices, so that the page stays quick, and end when there are many or they took long.
  function sample() {
    clearTimeout(sampling);
    let drawn = 0, spent = 0;
    const slice = () => {
      const now = performance.now();
      while (at.trials.length < TRIALS && performance.now() < now + SLICE) at.trials.push(at.trial());
      spent += performance.now() - now;
      const over = at.trials.length === TRIALS || spent > LONGEST;
      if (over || now > drawn + 250) { drawn = now; drawFrequency(); }
      sampling = over ? null : setTimeout(slice, 12);
    };
    sampling = setTimeout(slice, 60);
  }

  // What is shown.

  const differs = (one, other) => one.some((b, k) => b !== other[k]);
  function draw(moving = 0) {
    const { step } = chosen, states = at.learned.states[step], shown = words.SHOWN[chosen.algorithm];
    const guilty = graph.places.map((_, v) => (step ? at.learned.wrong[step - 1].get(v) || [] : []).map((b) => at.program.names[b]));
    // What a node did wrong before stays told, in few words.
    const erred = graph.places.map((_, v) => {
      const when = at.learned.wrong.slice(0, Math.max(0, step - 1)).findIndex((map) => map.has(v));
      return when < 0 ? "" : `${at.program.names[at.learned.wrong[when].get(v)[0]]}, step ${when + 1}`;
    });
    const decisions = step ? at.learned.states[step - 1].map((bits) => at.learned.decisionsOf(bits)) : [];
    const values = states.map((bits) => words.value(chosen.algorithm, at.program, bits));
    const largest = Math.max(1, ...at.own[at.steps].map((bits) => words.value(chosen.algorithm, at.program, bits)));
    board.show({
      graph, values, guilty, erred, largest, says: shown.says, source: chosen.source, selected: chosen.selected, tool: chosen.tool,
      weighted: chosen.algorithm === "bellman-ford",
      parents: states.map((bits, v) => words.parent(at.program, graph, bits, v)),
      astray: states.map((bits, v) => differs(bits, at.own[step][v])),
      sends: decisions.map((list) => list.some((d) => d.becomes && d.bit >= at.program.num_computation_bits)),
    }, moving);
    el("slider").max = at.steps; el("slider").value = step;
    el("step").textContent = `step ${step} of ${at.steps}`;
    el("slider").setAttribute("aria-valuetext", el("step").textContent);
    charts.margins(el("margins"), {
      program: at.program, decisions, selected: chosen.selected,
      empty: "Nothing is decided yet: press Play.",
    });
    el("margins").setAttribute("aria-label", told(decisions));
    drawVerdict(guilty); drawNode(decisions, values); drawWords(); drawFrequency();
  }
  function told(decisions) {
    const all = decisions.flat(), wrong = all.filter((d) => d.becomes !== d.right).length;
    return all.length ? `${all.length} decisions of this step, ${wrong} of them wrong` : "no decision yet";
  }

  function drawVerdict(guilty) {
    const { step } = chosen, so = at.learned.wrong.slice(0, step);
    const first = so.findIndex((map) => map.size), bits = so.reduce((sum, map) => sum + [...map.values()].flat().length, 0);
    const wrong = at.right.filter((r) => !r).length;
    let text = step ? `${words.plural(step, "step")}, no wrong bit so far` : `${words.plural(chosen.members, "network")}, ${words.plural(at.steps, "step")}: will every bit be right?`, kind = "";
    if (step === at.steps && !bits) { text = `Exact: all ${graph.size} nodes, ${words.plural(at.steps, "step")}, no wrong bit`; kind = "right"; }
    if (bits) {
      const [v, [bit]] = [...so[first]][0];
      text = `${words.plural(bits, "wrong bit")}; the first in step ${first + 1}: ${at.program.names[bit]} at node ${v}`;
      if (step === at.steps) text += wrong ? `; in the end ${wrong} of ${graph.size} nodes ${wrong === 1 ? "is not as it" : "are not as they"} should be` : "; in the end every node is as it should be";
      kind = "bad";
    }
    el("verdict").textContent = text; el("verdict").className = kind;
  }

  function drawNode(decisions, values) {
    const v = chosen.selected;
    if (v === null || v >= graph.size) {
      el("node").textContent = "Choose a node to see its closest decision.";
      return;
    }
    const value = values[v], shown = words.SHOWN[chosen.algorithm];
    let text = `Node ${v}: ${value === null ? "not reached" : shown.says(value)}, slot ${at.instance.colours[v]}. `;
    if (decisions.length) {
      const side = (d) => (d.right ? 1 : -1) * (d.mean - d.threshold);
      const strays = decisions[v].filter((d) => d.variance > 0 || d.becomes !== d.right);
      if (!strays.length) text += "Each of its decisions of this step rests on a single match, where networks do not stray.";
      else {
        const d = strays.reduce((a, b) => (side(b) < side(a) ? b : a));
        text += `Its ${d.becomes === d.right ? "closest" : "wrong"} decision of this step: ${at.program.names[d.bit]} should be ${d.right}; the networks put out `
          + `${d.mean.toFixed(3)} (infinitely many: ${d.limit.toFixed(3)}), the threshold is ${d.threshold.toFixed(3)}, at ${words.plural(d.m, "match", "matches")}.`;
      }
    }
    el("node").textContent = text;
  }

  function drawFrequency() {
    const hits = at.trials.filter((t) => networks.failed(t, chosen)).length, count = at.trials.length;
    const [low, high] = theory.interval(hits, count), percent = (p) => `${(100 * p).toFixed(p > 0 && p < 0.0995 ? 1 : 0)}\u00a0%`;
    el("measured").textContent = count ? percent(hits / count) : "…";
    el("measured-note").textContent = count ? `${hits.toLocaleString("en")} of ${words.plural(count, "draw")}: between ${percent(low)} and ${percent(high)} (95\u00a0%)` : "";
    const bound = at.certificate.sum(chosen.members, chosen.weightStd);
    const union = networks.unionBound(at.certificate.ratio, { ...chosen, numDecisions: at.numDecisions });
    const shown = (p) => (p >= 0.001 ? percent(p) : words.chance(p));
    el("bound").textContent = shown(bound);
    el("bound-note").textContent = `summed over different decisions; by the certificate ${shown(union)}`;
    charts.frequency(el("frequency"), { ...chosen, trials: at.trials, certificate: at.certificate, numDecisions: at.numDecisions, largest: MEMBERS.at(-1) });
    el("frequency").setAttribute("aria-label", `With ${words.plural(chosen.members, "network")} ${hits} of ${count} drawn runs go wrong; the sum of Gaussian tails is ${shown(bound)}`);
  }

  function drawWords() {
    const sizes = data[chosen.algorithm].sizes, file = graph.name === OWN || chosen.algorithm === "bellman-ford" || graph.name.includes(" ");
    const about = { ...at, ...chosen, sizes, file, graphName: graph.name };
    el("n0").textContent = at.program.templates.length;
    el("limit").textContent = words.limit(about);
    el("enough").textContent = words.enough(about);
    const exact = at.learned.wrong.every((map) => !map.size);
    el("ended").textContent = chosen.step < at.steps ? ""
      : exact ? `This draw of ${words.plural(chosen.members, "network")} went through all ${at.steps} steps without a wrong bit.`
        : `This draw of ${words.plural(chosen.members, "network")} went wrong.`;
    el("caveat").textContent = words.CAVEAT;
    el("commands").replaceChildren(...words.commands(about).map(({ says, line }) => {
      const item = document.createElement("li"), code = document.createElement("code");
      code.textContent = line;
      item.append(says, code);
      return item;
    }));
    for (const [id, value] of [["members", chosen.members], ["weight-std", chosen.weightStd], ["padding", chosen.padding]]) el(`${id}-value`).textContent = value;
  }

  // What can be done.

  function say(text) { el("node").textContent = text; }
  function changed(places, edges) {
    graph = graphs.make(places, edges, OWN);
    const names = el("graph-name");
    if (![...names.options].some((o) => o.value === OWN)) names.add(new Option(OWN, OWN));
    names.value = OWN;
    chosen.source = Math.min(chosen.source, graph.size - 1);
    if (chosen.selected !== null && chosen.selected >= graph.size) chosen.selected = null;
    stop(); chosen.step = 0;
    refresh(LEVEL.graph);
  }
  const on = {
    select(v) { chosen.selected = v; draw(); },
    start(v) { chosen.source = v; stop(); chosen.step = 0; refresh(LEVEL.graph); },
    addNode(place, beside) {
      if (graph.size >= graphs.MAX_NODES) return say(`${graphs.MAX_NODES} nodes are as many as these programs count.`);
      const fresh = graph.size, join = beside !== null && graph.neighbours[beside].length < graphs.MAX_DEGREE;
      changed([...graph.places, place], join ? [...graph.edges, [beside, fresh, graphs.weightOf(beside, fresh)]] : graph.edges);
    },
    removeNode(v) {
      if (graph.size === 1) return say("A graph has at least one node.");
      const name = (u) => (u > v ? u - 1 : u);
      changed(graph.places.filter((_, u) => u !== v),
        graph.edges.filter(([a, b]) => a !== v && b !== v).map(([a, b, w]) => [name(a), name(b), w]));
    },
    toggleEdge(a, b) {
      const [u, v] = [Math.min(a, b), Math.max(a, b)], rest = graph.edges.filter(([x, y]) => x !== u || y !== v);
      const full = [u, v].find((x) => graph.neighbours[x].length >= graphs.MAX_DEGREE);
      if (rest.length < graph.edges.length) return changed(graph.places, rest);
      if (full !== undefined) { draw(); return say(`Node ${full} has ${graphs.MAX_DEGREE} neighbours, as many as these programs take.`); }
      changed(graph.places, [...rest, [u, v, graphs.weightOf(u, v)]]);
    },
    nextWeight(u, v) {
      changed(graph.places, graph.edges.map(([x, y, w]) => [x, y, x === u && y === v ? 1 + (w % graphs.MAX_WEIGHT) : w]));
    },
  };
  const board = pictureOf(el("graph"), on);

  function go(to) {
    const target = Math.max(0, Math.min(at.steps, to)), moving = target === chosen.step + 1;
    chosen.step = target;
    draw(moving ? Number(el("speed").value) : 0);
  }
  const stop = () => play(false);
  function play(wanted) {
    clearTimeout(timer); timer = null;
    el("play").setAttribute("aria-pressed", wanted);
    el("play").textContent = wanted ? "⏸ Pause" : "▶ Play";
    if (!wanted) return;
    if (chosen.step === at.steps) go(0);
    const tick = () => {
      go(chosen.step + 1);
      if (chosen.step === at.steps) play(false);
      else timer = setTimeout(tick, Number(el("speed").value));
    };
    timer = setTimeout(tick, 150);
  }
  const jump = (to) => () => { stop(); go(to()); };
  el("first").onclick = jump(() => 0); el("back").onclick = jump(() => chosen.step - 1);
  el("next").onclick = jump(() => chosen.step + 1); el("last").onclick = jump(() => at.steps);
  el("play").onclick = () => play(!timer);
  el("slider").oninput = (event) => { stop(); go(Number(event.target.value)); };
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (["SELECT", "INPUT", "SUMMARY"].includes(target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = { ArrowLeft: () => chosen.step - 1, ArrowRight: () => chosen.step + 1, Home: () => 0, End: () => at.steps };
    if (keys[key]) { jump(keys[key])(); event.preventDefault(); }
    else if (key === " " && target.tagName !== "BUTTON") { play(!timer); event.preventDefault(); }
  });
  for (const name of Object.keys(data)) el("algorithm").add(new Option(name, name));
  for (const name of Object.keys(graphs.NAMED)) el("graph-name").add(new Option(name.replace(":", " "), name));
  el("algorithm").value = chosen.algorithm;
  el("algorithm").onchange = (event) => { chosen.algorithm = event.target.value; stop(); chosen.step = 0; refresh(LEVEL.graph); };
  el("graph-name").onchange = (event) => {
    if (event.target.value === OWN) return;
    graph = graphs.named(event.target.value);
    Object.assign(chosen, { source: 0, step: 0, selected: null });
    stop(); refresh(LEVEL.graph);
  };
  for (const [value, label] of Object.entries(TOOLS)) {
    const box = document.createElement("label"), input = document.createElement("input"), span = document.createElement("span");
    Object.assign(input, { type: "radio", name: "tool", value, checked: value === chosen.tool });
    input.onchange = () => { chosen.tool = value; draw(); };
    span.textContent = label;
    box.append(input, span);
    el("tools").append(box);
  }
  for (const [id, key, list, level] of [["members", "members", MEMBERS, LEVEL.networks], ["weight-std", "weightStd", SPREADS, LEVEL.networks], ["padding", "padding", PADDINGS, LEVEL.problem]]) {
    const dial = el(id), tell = () => dial.setAttribute("aria-valuetext", list[dial.value]);
    dial.max = list.length - 1; dial.value = list.indexOf(chosen[key]);
    dial.oninput = () => { chosen[key] = list[dial.value]; tell(); refresh(level); };
    tell();
  }
  for (const [name, level] of [["threshold", LEVEL.threshold], ["kind", LEVEL.problem]]) {
    for (const input of document.getElementsByName(name)) input.onchange = () => { chosen[name] = input.value; refresh(level); };
  }
  el("redraw").onclick = () => { chosen.seed += 1; refresh(LEVEL.seed); };
  el("save").onclick = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([words.nodeLink(graph)], { type: "application/json" }));
    link.download = "graph.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
  new ResizeObserver(() => draw()).observe(el("plots"));
  refresh(LEVEL.graph);
  return { chosen, at };
})();
