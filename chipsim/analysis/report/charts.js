// The charts. Each takes one run's figures (and what the runs share) and returns a node.
function missing(run, part) {
  const why = run.missing[part];
  return why ? el("p", { class: "missing" }, why.charAt(0).toUpperCase() + why.slice(1) + ".") : null;
}
function figure(node, caption) { return el("figure", {}, node, el("figcaption", {}, caption)); }

function learningChart(run, shared) {
  if (!run.learning) return missing(run, "learning");
  const { columns, rows } = run.learning, epoch = columns.indexOf("epoch");
  const groups = [columns.filter((c) => c.endsWith("accuracy")), columns.filter((c) => c.endsWith("loss"))].filter((g) => g.length);
  const holder = el("div", { class: groups.length > 1 ? "halves" : "" });
  for (const names of groups) {
    const w = 540, h = 250, svg = picture(w, h, `${names.join(" and ")} by epoch`);
    const xs = rows.map((r) => r[epoch]), share = names[0].endsWith("accuracy");
    const all = names.flatMap((n) => rows.map((r) => r[columns.indexOf(n)])).filter((v) => v !== null);
    const high = share ? 1 : Math.max(0, ...all) * 1.05 || 1, low = share ? 0 : Math.min(0, ...all);
    const x = xs.length > 1 ? linear(Math.min(...xs), Math.max(...xs), 60, w - 20) : () => (w + 40) / 2;
    const y = linear(low, high, h - 45, 12);
    leftAxis(svg, y, steps(low, high, 5), 60, w - 20, share ? percent : figures);
    bottomAxis(svg, x, xs.length > 12 ? steps(xs[0], xs[xs.length - 1], 8).filter((t) => t >= xs[0]) : xs, h - 45, 12, "epoch", String, (w + 40) / 2);
    names.forEach((name, i) => {
      const at = columns.indexOf(name);
      const known = rows.filter((r) => r[at] !== null);
      if (known.length) svg.append(line("M" + known.map((r) => `${r1(x(r[epoch]))} ${r1(y(r[at]))}`).join("L"), i));
      if (rows.length <= 40) known.forEach((r) => svg.append(hint(mark(x(r[epoch]), y(r[at]), i), `${name}, epoch ${r[epoch]}: ${figures(r[at])}`)));
    });
    holder.append(el("div", {}, legend(names.map((n) => n.replace("_", " ")), (n) => names.indexOf(n.replace(" ", "_"))), svg));
  }
  const last = rows[rows.length - 1];
  const told = columns.filter((c) => c !== "epoch").map((c) => `${c.replace("_", " ")} ${last[columns.indexOf(c)] === null ? "not finite" : count(last[columns.indexOf(c)])}`);
  return figure(holder, `After epoch ${last[epoch]}: ${told.join(", ")}.`);
}

function quantileChart(run, shared) {
  if (!run.latency) return missing(run, "latency");
  const groups = run.latency, w = shared.width, left = 150, right = 170, h = groups.length * 26 + 52;
  const svg = picture(w, h, "latency quantiles by kind and phase"), [low, high] = shared.latency;
  const x = logarithmic(low, high, left, w - right);
  bottomAxis(svg, x, decades(low, high), h - 42, 6, "latency of delivered copies", duration, (left + w - right) / 2);
  groups.forEach((g, i) => {
    const y = 20 + i * 26, k = shared.place(g.kind), colour = `var(--s${k % 7})`;
    const row = sv("g", {});
    row.append(word(left - 10, y + 4, `${g.kind}, ${g.phase}`, { "text-anchor": "end" }));
    row.append(sv("path", { d: `M${r1(x(g.min))} ${y}H${r1(x(g.max))}`, stroke: colour, "stroke-width": 1.5 }));
    row.append(sv("path", { d: `M${r1(x(g.p1))} ${y}H${r1(x(g.p99))}`, stroke: colour, "stroke-width": 4, opacity: 0.55 }));
    const a = x(g.q25), b = x(g.q75);
    row.append(sv("rect", { x: r1(a - 1), y: y - 7, width: r1(Math.max(b - a, 0) + 2), height: 14, fill: colour, rx: 2 }));
    row.append(sv("path", { d: `M${r1(x(g.median))} ${y - 10}v20`, stroke: "var(--ink)", "stroke-width": 2.5 }));
    row.append(word(w - right + 10, y + 4, `${count(g.copies)} · ${duration(g.median)}`, { class: "dim" }));
    hint(row, ["min", "p1", "q25", "median", "q75", "p99", "max"].map((q) => `${q} ${duration(g[q])}`).join(", ")
      + `; ${count(g.copies)} copies, mean ${duration(g.mean)}, of it ${duration(g.waited_ps / g.copies)} waiting`);
    svg.append(row);
  });
  return figure(svg, "Thin: smallest to largest; wide: 1 % to 99 %; box: the middle half; black bar: median. Right: copies and median.");
}

function distributionChart(run, shared) {
  if (!run.latency) return null;
  const w = shared.width, h = 300, svg = picture(w, h, "share of copies that took at most a latency");
  const [low, high] = shared.latency, x = logarithmic(low, high, 60, w - 20), y = linear(0, 1, h - 45, 12);
  leftAxis(svg, y, [0, 0.25, 0.5, 0.75, 1], 60, w - 20, percent);
  bottomAxis(svg, x, decades(low, high), h - 45, 12, "latency of delivered copies", duration, (w + 40) / 2);
  const names = run.latency.map((g) => `${g.kind}, ${g.phase}`);
  run.latency.forEach((g, i) => {
    let d = `M${r1(x(g.min))} ${r1(y(0))}`;
    for (const [value, upto] of g.curve) d += `H${r1(x(value))}V${r1(y(upto / g.copies))}`;
    svg.append(hint(line(d, i), names[i]));
    const middle = g.curve.find((point) => point[1] / g.copies >= 0.5);
    svg.append(mark(x(middle[0]), y(middle[1] / g.copies), i));
  });
  return el("div", {}, legend(names, (n) => names.indexOf(n)), figure(svg, "Share of copies that took at most this long; the marker is at the median or the first point above it."));
}

function hopsChart(run, shared) {
  if (!run.hops) return missing(run, "hops");
  const kinds = [...new Set(run.hops.map((g) => g.kind))], w = shared.width, h = 300;
  const svg = picture(w, h, "latency against hops"), [low, high] = shared.latency;
  const most = Math.max(...run.hops.map((g) => g.hops), 1);
  const x = linear(0, most + 1, 76, w - 20), y = logarithmic(low, high, h - 45, 12);
  leftAxis(svg, y, decades(low, high), 76, w - 20, duration);
  bottomAxis(svg, x, steps(0, most + 1, Math.min(most + 1, 14)).filter((t) => Math.round(t) === t), h - 45, 12, "routers visited", String, (w + 56) / 2);
  const gap = Math.min(7, (w - 96) / (most + 1) / (kinds.length + 1));
  kinds.forEach((kind, k) => {
    const rows = run.hops.filter((g) => g.kind === kind), place = shared.place(kind), at = (g) => x(g.hops) + (k - (kinds.length - 1) / 2) * gap;
    svg.append(line("M" + rows.map((g) => `${r1(at(g))} ${r1(y(g.median))}`).join("L"), place, { "stroke-width": 1.2 }));
    for (const g of rows) {
      const all = sv("g", {}, sv("path", { d: `M${r1(at(g))} ${r1(y(g.min))}V${r1(y(g.p99))}m-2.5 0h5`, stroke: `var(--s${place % 7})`, fill: "none" }));
      all.append(mark(at(g), y(g.median), place));
      svg.append(hint(all, `${kind}, ${g.hops} hops: ${count(g.copies)} copies, median ${duration(g.median)}, p99 ${duration(g.p99)}, max ${duration(g.max)}`));
    }
  });
  return el("div", {}, legend(kinds, shared.place), figure(svg, "Marker: median; line: smallest to 99 %. What lies above the trend has waited."));
}

function timelineChart(run, shared) {
  if (!run.timeline) return missing(run, "timeline");
  const t = run.timeline, w = shared.width, left = 82, holder = el("div", {}), box = el("div", {});
  const views = [["whole batch", t.start, t.end], ...t.phases.map((p) => [p.phase, p.start, p.end])];
  const longest = t.handlers.reduce((a, b) => (b[2] - b[1] > a[2] - a[1] ? b : a), [0, t.start, t.start]), around = (longest[2] - longest[1]) / 4;
  if (around > 0) views.push(["around the longest handler", longest[1] - around, longest[2] + around]);
  const rowHeight = Math.max(3, Math.min(9, 720 / Math.max(t.pes.length, 1)));
  function show(view) {
    const [name, from, to] = views[view], x = linear(from, to, left, w - 12), kinds = Object.keys(t.packets);
    const top = 24, bottom = top + t.pes.length * rowHeight, h = bottom + 8 + kinds.length * 34 + 42;
    const svg = picture(w, h, `timeline of batch ${t.batch}, ${name}`);
    const clip = (v) => Math.min(Math.max(x(v), left), w - 12);
    t.phases.forEach((p, i) => {
      if (p.end < from || p.start > to) return;
      const a = clip(p.start), b = clip(p.end);
      svg.append(sv("rect", { x: r1(a), y: 3, width: r1(Math.max(b - a, 1)), height: 16, fill: `var(--s${i % 7})`, opacity: 0.22 }));
      if (b - a > 46) svg.append(word((a + b) / 2, 15, p.phase, { "text-anchor": "middle" }));
    });
    const paths = t.phases.map(() => []), over = [];
    for (const [pe, start, done, phase, late] of t.handlers) {
      if (done < from || start > to || done === start) continue;
      const a = clip(start), b = clip(done), y = top + pe * rowHeight;
      const d = `M${r1(a)} ${r1(y)}h${Math.max(r1(b - a), 1.2)}v${r1(rowHeight - 1)}h${-Math.max(r1(b - a), 1.2)}z`;
      (phase >= 0 ? paths[phase] : over).push(d);
      if (late) over.push(d);
    }
    paths.forEach((d, i) => d.length && svg.append(sv("path", { d: d.join(""), fill: `var(--s${i % 7})` })));
    if (over.length) svg.append(hint(sv("path", { d: over.join(""), fill: "none", stroke: "var(--bad)", "stroke-width": 2 }), "overrun: ended after the next tick"));
    const every = Math.ceil(11 / rowHeight);
    t.pes.forEach((pe, i) => { if (i % every === 0) svg.append(word(left - 6, top + (i + 0.5) * rowHeight + 3, pe, { "text-anchor": "end", class: "dim", "font-size": 9.5 })); });
    kinds.forEach((kind, k) => {
      const base = bottom + 8 + (k + 1) * 34 - 4, counts = t.packets[kind], most = Math.max(...counts, 1), height = linear(0, most, 0, 27);
      let d = "";
      counts.forEach((n, i) => {
        const a = t.start + i * t.bin, b = a + t.bin;
        if (n && b > from && a < to) d += `M${r1(clip(a))} ${base}v${-r1(Math.max(height(n), 1))}h${r1(Math.max(clip(b) - clip(a), 0.5))}V${base}z`;
      });
      svg.append(sv("path", { class: "grid", d: `M${left} ${base}H${w - 12}` }));
      svg.append(hint(sv("path", { d, fill: `var(--s${shared.place(kind) % 7})` }), `${kind}: ${count(counts.reduce((a, b) => a + b, 0))} copies`));
      svg.append(word(left - 6, base - 12, kind, { "text-anchor": "end" }), word(left - 6, base - 1, `≤ ${count(most)}`, { "text-anchor": "end", class: "dim", "font-size": 10 }));
    });
    bottomAxis(svg, x, steps(from / 1e9, to / 1e9, 8).map((v) => v * 1e9), h - 38, h - 44, "chip time", (v) => duration(v), (left + w) / 2);
    box.replaceChildren(svg);
    buttons.forEach((b, i) => b.setAttribute("aria-pressed", i === view));
  }
  const buttons = views.map(([name], i) => el("button", { type: "button", "data-zoom": i, onclick: () => show(i) }, name));
  holder.append(el("div", { class: "controls noprint" }, "Show", ...buttons), box);
  show(0);
  const of = t.of > t.handlers.length ? `${count(t.handlers.length)} of ${count(t.of)} handlers: those of the ${t.pes.length} busiest PEs. ` : "";
  const name = t.batch >= 0 ? `Batch ${t.batch}` : "The whole trace (its rows belong to no batch)";
  return figure(holder, `${name}. ${of}A bar is a handler of a PE in the colour of its phase${t.handlers.some((row) => row[4]) ? "; a red frame is an overrun" : ""}. `
    + `Below: copies that ended in ${duration(t.bin)} each, by kind, each on its own scale.`);
}

function rasterChart(run, shared) {
  if (!run.raster) return missing(run, "raster");
  const r = run.raster, t = run.timeline, w = shared.width, left = 82, x = linear(t.start, t.end, left, w - 12);
  const heights = ["spike", "error"].map((k) => Math.min(300, Math.max(40, r[k].rows * 3)));
  const h = heights[0] + heights[1] + 92, svg = picture(w, h, `spikes and errors of sample ${r.sample}`);
  let top = 24;
  t.phases.forEach((p, i) => {
    const a = x(p.start), b = x(p.end);
    svg.append(sv("rect", { x: r1(a), y: 3, width: r1(Math.max(b - a, 1)), height: h - 48, fill: `var(--s${i % 7})`, opacity: 0.08 }));
    if (b - a > 46) svg.append(word((a + b) / 2, 16, p.phase, { "text-anchor": "middle" }));
  });
  ["spike", "error"].forEach((kind, k) => {
    const part = r[kind], y = linear(0, Math.max(part.rows, 1), top + heights[k], top), tall = heights[k] / Math.max(part.rows, 1);
    let d = "";
    for (const [time, row] of part.events) {
      const px = r1(x(time)), py = r1(y(row + 0.5));
      d += k === 0 ? `M${px} ${r1(py - Math.max(tall / 2, 2.5))}v${r1(Math.max(tall, 5))}` : `M${r1(px - 2.2)} ${py}l2.2 -2.2l2.2 2.2l-2.2 2.2z`;
    }
    svg.append(sv("rect", { x: left, y: top, width: w - 12 - left, height: heights[k], fill: "none", class: "grid" }));
    svg.append(sv("path", { d, "data-kind": kind, stroke: `var(--s${shared.place(kind) % 7})`, "stroke-width": k ? 1 : 2.2, fill: k ? `var(--s${shared.place(kind) % 7})` : "none" }));
    svg.append(word(left - 6, top + heights[k] / 2 - 2, k ? "errors" : "spikes", { "text-anchor": "end" }));
    svg.append(word(left - 6, top + heights[k] / 2 + 13, `${count(part.events.length)}`, { "text-anchor": "end", class: "dim" }));
    top += heights[k] + 12;
  });
  bottomAxis(svg, x, steps(t.start / 1e9, t.end / 1e9, 8).map((v) => v * 1e9), h - 42, h - 48, "chip time of injection", (v) => duration(v), (left + w) / 2);
  const cut = ["spike", "error"].filter((k) => r[k].of > r[k].events.length).map((k) => ` The first ${count(r[k].events.length)} of ${count(r[k].of)} ${k}s.`);
  return figure(svg, `Sample ${r.sample} of batch ${r.batch}. Strokes: spike packets sent forward, a row for each neuron that spiked (${count(r.spike.rows)}, `
    + `of ${count(r.spike.sources)} senders). Diamonds: error packets sent backward, a row for each spike that is answered (${count(r.error.rows)}).${cut.join("")}`);
}

function energyChart(run, shared) {
  if (!run.energy) return missing(run, "energy");
  const parts = Object.entries(run.energy.parts), w = shared.width, left = 150, h = parts.length * 28 + 12;
  const svg = picture(w, h, "energy by part"), id = `hatch${shared.index(run)}`;
  svg.append(sv("defs", {}, sv("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    sv("rect", { width: 6, height: 6, fill: "var(--s0)" }), sv("rect", { width: 2, height: 6, fill: "var(--bg)" }))));
  const x = linear(0, shared.energy || 1, left, w - 210);
  parts.forEach(([name, value], i) => {
    const y = 8 + i * 28, assumed = run.energy.assumed.includes(name);
    svg.append(word(left - 10, y + 14, `${name.replaceAll("_", " ")}${assumed ? " *" : ""}`, { "text-anchor": "end" }));
    svg.append(sv("rect", { x: left, y, width: r1(Math.max(x(value) - left, 0.5)), height: 19, rx: 2, fill: assumed ? `url(#${id})` : "var(--s0)" }));
    svg.append(word(x(value) + 8, y + 14, `${figures(value)} mJ, ${percent(run.energy.total ? value / run.energy.total : 0)}`, { class: "dim" }));
  });
  const power = run.energy.mean_mw === null ? "" : ` Mean power over the chip's time: ${figures(run.energy.mean_mw)} mW.`;
  const starred = run.energy.assumed.length ? " Hatched and *: rests on assumed figures." : "";
  return el("div", {}, figure(svg, `In all ${figures(run.energy.total)} mJ.${power}${starred}`));
}

function powerChart(run, shared) {
  if (!run.power) return missing(run, "power");
  const p = run.power, names = Object.keys(p.parts), w = shared.width, left = 150, h = names.length * 44 + 52;
  const svg = picture(w, h, "power over time, by part"), from = Math.min(...p.starts), to = Math.max(...p.ends), x = linear(from, to, left, w - 12);
  names.forEach((name, i) => {
    const base = 40 + i * 44, values = p.parts[name], most = Math.max(...values), y = linear(0, most || 1, base, base - 34);
    let d = "";
    values.forEach((v, k) => { d += `M${r1(x(p.starts[k]))} ${base}V${r1(y(v))}H${r1(x(p.ends[k]))}V${base}z`; });
    svg.append(sv("path", { class: "grid", d: `M${left} ${base}H${w - 12}` }), sv("path", { d, fill: "var(--s0)", "data-power": name }));
    svg.append(word(left - 10, base - 14, name.replaceAll("_", " "), { "text-anchor": "end" }), word(left - 10, base, `≤ ${figures(most)} mW`, { "text-anchor": "end", class: "dim", "font-size": 10.5 }));
  });
  bottomAxis(svg, x, steps(from / 1e9, to / 1e9, 8).map((v) => v * 1e9), h - 38, h - 44, "chip time", (v) => duration(v), (left + w) / 2);
  return figure(svg, `Power in each of ${p.starts.length} windows, each part on its own scale: counts of the trace times the machine's energy figures.`);
}
