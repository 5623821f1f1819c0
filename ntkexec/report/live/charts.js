"use strict";
// Two pictures: the decisions of a step against their thresholds, and how often a run goes wrong.
const charts = (() => {
  // A canvas as sharp as the screen, in the colours of the page.
  function pen(canvas) {
    const box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    const width = Math.max(200, box.width), height = Math.max(150, box.height);
    canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
    const ink = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    ink.scale(ratio, ratio);
    ink.font = "12.5px system-ui, sans-serif";
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const line = (points, stroke, thickness = 1, dash = []) => {
      ink.strokeStyle = stroke; ink.lineWidth = thickness; ink.setLineDash(dash);
      ink.beginPath(); points.forEach(([x, y], i) => (i ? ink.lineTo(x, y) : ink.moveTo(x, y))); ink.stroke();
      ink.setLineDash([]);
    };
    const text = (words, x, y, { align = "left", fill = colour("soft"), bold = false } = {}) => {
      ink.textAlign = align; ink.fillStyle = fill; ink.font = `${bold ? "600 " : ""}12.5px system-ui, sans-serif`;
      ink.fillText(words, x, y);
    };
    return { ink, width, height, colour, line, text };
  }

  // Every decision of a step: `decisions` by node, each with its field's place, mean and threshold.
  function margins(canvas, { program, decisions, selected, empty }) {
    const { ink, width, height, colour, line, text } = pen(canvas);
    const left = 46, right = 10, top = 12, bottom = 50;
    if (!decisions.length) { text(empty, width / 2, height / 2, { align: "center" }); return; }
    const all = decisions.flat();
    const reach = Math.max(0.3, ...all.map((d) => Math.abs(d.mean - d.threshold)), ...all.map((d) => Math.abs(d.limit - d.threshold) + 2 * d.spread));
    const x = (b) => left + ((b + 0.5) / program.numBits) * (width - left - right);
    // A root, so that what is near the threshold can be told apart.
    const bend = (margin) => Math.sign(margin) * Math.sqrt(Math.abs(margin) / reach);
    const y = (margin) => top + (height - top - bottom) * (0.5 - 0.5 * bend(margin));
    const step = (width - left - right) / program.numBits;
    program.fields.forEach((field, i) => {
      const columns = field.columns.flat(), low = Math.min(...columns), high = Math.max(...columns);
      if (i % 2 || columns.length !== high - low + 1) return;
      ink.fillStyle = colour("line"); ink.globalAlpha = 0.32;
      ink.fillRect(x(low) - step / 2, top, (high - low + 1) * step, height - top - bottom);
      ink.globalAlpha = 1;
    });
    // Bars: two standard deviations of the mean of N networks, around the mean of infinitely many.
    const bars = new Map();
    for (const d of all) bars.set(`${d.bit} ${d.limit}`, d);
    ink.globalAlpha = 0.28;
    for (const d of bars.values()) {
      const m = d.limit - d.threshold, stroke = colour(d.right ? "one" : "zero");
      if (d.spread > 0) line([[x(d.bit), y(m - 1.96 * d.spread)], [x(d.bit), y(m + 1.96 * d.spread)]], stroke, Math.max(2, Math.min(6, step * 0.6)));
    }
    ink.globalAlpha = 1;
    line([[left, y(0)], [width - right, y(0)]], colour("ink"), 1.5);
    text("1 ↑", width - right - 2, y(0) - 6, { align: "right" });
    text("0 ↓", width - right - 2, y(0) + 15, { align: "right" });
    for (const tick of [0.05, 0.2, 0.5, 1, 2].filter((t) => t < reach)) for (const s of [1, -1]) {
      line([[left - 10, y(s * tick)], [left - 4, y(s * tick)]], colour("soft"));
      text(s * tick, left - 12, y(s * tick) + 4, { align: "right" });
    }
    const guilty = new Set();
    decisions.forEach((list, v) => {
      const shift = decisions.length > 1 ? (v / (decisions.length - 1) - 0.5) * Math.min(10, step * 0.7) : 0;
      for (const d of list) {
        const at = [x(d.bit) + shift, y(d.mean - d.threshold)];
        if (d.becomes === d.right) {
          ink.fillStyle = colour(d.right ? "one" : "zero");
          ink.beginPath(); ink.arc(...at, 2.3, 0, 7); ink.fill();
        } else {
          guilty.add(d.bit);
          for (const s of [1, -1]) line([[at[0] - 5, at[1] - 5 * s], [at[0] + 5, at[1] + 5 * s]], colour("bad-fill"), 2.6);
        }
        if (v === selected) { ink.strokeStyle = colour("ink"); ink.lineWidth = 1; ink.beginPath(); ink.arc(...at, 4.6, 0, 7); ink.stroke(); }
      }
    });
    // Names of fields where there is room, the guilty ones first.
    const taken = [[], []], label = (words, at, fill) => {
      const wide = ink.measureText(words).width / 2 + 5, middle = Math.max(left + wide - 5, Math.min(width - right - wide + 5, at));
      const row = taken.findIndex((row) => row.every(([a, b]) => middle + wide < a || middle - wide > b));
      if (row < 0) return;
      taken[row].push([middle - wide, middle + wide]);
      text(words, middle, height - bottom + 18 + 17 * row, { align: "center", fill, bold: fill === colour("bad") });
    };
    for (const bit of guilty) label(program.names[bit], x(bit), colour("bad"));
    const widest = [...program.fields].sort((a, b) => b.columns.flat().length - a.columns.flat().length);
    for (const { path, columns } of widest) { const c = columns.flat(); label(path, x((Math.min(...c) + Math.max(...c)) / 2), colour("soft")); }
  }

  // Probability of a wrong run against N, both in logarithms: measured, and two bounds.
  function frequency(canvas, { trials, weightStd, certificate, numDecisions, members, largest }) {
    const { ink, width, height, colour, line, text } = pen(canvas);
    const left = 44, right = 14, top = 14, bottom = 38, floor = 1e-4;
    const x = (n) => left + (Math.log(n) / Math.log(largest)) * (width - left - right);
    const y = (p) => top + (Math.log(Math.max(p, floor)) / Math.log(floor)) * (height - top - bottom);
    for (const [p, words] of [[1, "1"], [0.1, "0.1"], [0.01, "0.01"], [0.001, "0.001"], [1e-4, "1e-4"]]) {
      line([[left, y(p)], [width - right, y(p)]], colour("line"));
      text(words, left - 6, y(p) + 4, { align: "right" });
    }
    for (let n = 1; n <= largest; n *= 4) text(n, x(n), height - bottom + 17, { align: "center" });
    text("networks, N", (left + width - right) / 2, height - 5, { align: "center" });
    line([[x(members), top], [x(members), height - bottom]], colour("soft"), 1.5, [2, 4]);
    const numbers = Array.from({ length: 97 }, (_, i) => largest ** (i / 96));
    ink.save(); ink.beginPath(); ink.rect(left, top - 3, width - left - right, height - top - bottom + 3); ink.clip();
    if (trials.length) {
      const rate = numbers.map((n) => trials.filter((t) => networks.failed(t, { members: n, weightStd })).length);
      const bands = rate.map((hits) => theory.interval(hits, trials.length));
      ink.fillStyle = colour("bad-fill"); ink.globalAlpha = 0.13; ink.beginPath();
      numbers.forEach((n, i) => ink.lineTo(x(n), y(bands[i][1])));
      [...numbers.keys()].reverse().forEach((i) => ink.lineTo(x(numbers[i]), y(bands[i][0])));
      ink.fill(); ink.globalAlpha = 1;
      line(numbers.flatMap((n, i) => (rate[i] ? [[x(n), y(rate[i] / trials.length)]] : [])), colour("bad-fill"), 3);
    }
    if (certificate.certified || certificate.ratio < Infinity) {
      line(numbers.map((n) => [x(n), y(networks.unionBound(certificate.ratio, { members: n, weightStd, numDecisions }))]), colour("ink"), 2, [7, 5]);
    }
    line(numbers.map((n) => [x(n), y(certificate.sum(n, weightStd))]), colour("one"), 2);
    ink.restore();
  }

  return { margins, frequency };
})();
