// The floor plan: PEs in blue by use, channels in orange by load, both also told by size and number.
const LEVELS = 9;
function level(value, most) { return most > 0 ? Math.min(LEVELS - 1, Math.max(value > 0 ? 1 : 0, Math.ceil((value / most) * (LEVELS - 1)))) : 0; }
function ramp(letter, most, label) {
  const svg = picture(300, 34, `${label}: 0 to ${percent(most)}`);
  svg.style.maxWidth = "300px";
  for (let i = 0; i < LEVELS; i++) svg.append(sv("rect", { x: 90 + i * 14, y: 4, width: 14, height: 12, fill: `var(--${letter}${i})` }));
  svg.append(word(0, 14, label), word(90, 30, "0", { class: "dim" }), word(90 + LEVELS * 14, 30, percent(most), { class: "dim", "text-anchor": "end" }));
  return svg;
}
function mapChart(run, shared) {
  if (!run.map) return missing(run, "map");
  const m = run.map, slots = m.starts.length, covered = m.starts.reduce((sum, s, i) => sum + m.ends[i] - s, 0);
  const sums = (table, n) => Array.from({ length: n }, (_, i) => table.reduce((sum, row) => sum + row[i], 0));
  const total = { busy: sums(m.busy, m.channels.length), computing: sums(m.computing, m.pes.length) };
  const loadOf = m.chips.map((c) => m.channels.reduce((sum, ch, i) => sum + (ch.from[0] === c.chip ? total.busy[i] : 0), 0));
  let chip = m.chips[loadOf.indexOf(Math.max(...loadOf))].chip, slot = 0;
  const last = Math.max(0, ...m.pes.map((p) => p.at[3])), across = Math.ceil(Math.sqrt(last + 1));  // PEs of a tile, in rows
  const holder = el("div", { class: "map" }), box = el("div", {}), side = el("div", {});
  const label = el("output", {});
  const slider = el("input", { type: "range", min: 0, max: slots > 1 ? slots : 0, value: 0, "aria-label": "time", oninput: () => { slot = Number(slider.value); show(); } });
  const board = el("div", {});
  const chips = el("select", { "aria-label": "chip", onchange: () => { chip = Number(chips.value); show(); } },
    ...m.chips.map((c, i) => el("option", { value: c.chip }, `chip ${c.chip} (busy ${duration(loadOf[i])})`)));
  chips.value = chip;
  function show() {
    const length = slot ? m.ends[slot - 1] - m.starts[slot - 1] : covered;
    const busy = slot ? m.busy[slot - 1] : total.busy, computing = slot ? m.computing[slot - 1] : total.computing;
    label.textContent = slot ? `${slot} of ${slots}: ${duration(m.starts[slot - 1])} to ${duration(m.ends[slot - 1])}` : `whole trace, ${duration(covered)}`;
    box.replaceChildren(plan(busy, computing, length));
    if (m.chips.length > 1) board.replaceChildren(overview(busy, computing, length));
    side.replaceChildren(ramp("o", shared.channel, "channel busy"), ramp("b", shared.pe, "PE use"), hottest(busy, length));
  }
  function overview(busy, computing, length) {
    const xs = m.chips.map((c) => c.at[0]), ys = m.chips.map((c) => c.at[1]), x0 = Math.min(...xs), y1 = Math.max(...ys);
    const columns = Math.max(...xs) - x0 + 1, rows = y1 - Math.min(...ys) + 1, cell = Math.max(14, Math.min(56, 900 / columns));
    const svg = picture(columns * cell + 8, rows * cell + 8, "board: use of chips and load of the links between them");
    svg.style.maxWidth = `${Math.max(columns * cell + 8, 240)}px`;
    const place = new Map(m.chips.map((c) => [c.chip, [4 + (c.at[0] - x0 + 0.5) * cell, 4 + (y1 - c.at[1] + 0.5) * cell]])), size = cell * 0.6;
    const uses = new Map(), links = new Map();
    m.pes.forEach((p, i) => uses.set(p.at[0], Math.max(uses.get(p.at[0]) || 0, computing[i] / length)));
    m.channels.forEach((c, i) => { if (c.from[0] !== c.to[0]) links.set(`${c.from[0]};${c.to[0]}`, [c, Math.max((links.get(`${c.from[0]};${c.to[0]}`) || [c, 0])[1], busy[i] / length)]); });
    for (const [c, share] of links.values()) {
      const a = place.get(c.from[0]), b = place.get(c.to[0]);
      if (!a || !b) continue;
      let d = [b[0] - a[0], b[1] - a[1]];
      if (Math.abs(d[0]) > 1.5 * cell || Math.abs(d[1]) > 1.5 * cell) d = [-Math.sign(d[0]) * cell / 2, -Math.sign(d[1]) * cell / 2];  // round the torus
      const span = Math.hypot(...d) || 1, n = [-d[1] / span * cell * 0.07, d[0] / span * cell * 0.07];
      svg.append(hint(sv("path", { d: `M${r1(a[0] + n[0])} ${r1(a[1] + n[1])}l${r1(d[0])} ${r1(d[1])}`, stroke: `var(--o${level(share, shared.channel)})`,
        "stroke-width": r1(1 + 4 * Math.min(1, share / (shared.channel || 1))) }), `${c.name}: busy ${percent(share)}`));
    }
    for (const c of m.chips) {
      const [x, y] = place.get(c.chip), use = uses.get(c.chip) || 0;
      const square = sv("rect", { x: r1(x - size / 2), y: r1(y - size / 2), width: r1(size), height: r1(size), rx: 2, fill: `var(--b${level(use, shared.pe)})`,
        stroke: c.chip === chip ? "var(--accent)" : "var(--line)", "stroke-width": c.chip === chip ? 3 : 1, cursor: "pointer" });
      square.addEventListener("click", () => { chip = c.chip; chips.value = chip; show(); });
      svg.append(hint(square, `chip ${c.chip} at (${c.at.join(",")}): busiest PE ${percent(use)}`));
    }
    return svg;
  }
  function plan(busy, computing, length) {
    const tiles = m.chips.find((c) => c.chip === chip).tiles;
    const xs = tiles.map((t) => t[0]), ys = tiles.map((t) => t[1]), x0 = Math.min(...xs), y1 = Math.max(...ys);
    const columns = Math.max(...xs) - x0 + 1, rows = y1 - Math.min(...ys) + 1, cell = Math.max(26, Math.min(84, 640 / columns));
    const w = columns * cell + 24, h = rows * cell + 24, svg = picture(w, h, `chip ${chip}: loads of channels and PEs`);
    svg.style.maxWidth = `${Math.max(w, 320)}px`;
    const cx = (x) => 24 + (x - x0 + 0.5) * cell, cy = (y) => (y1 - y + 0.5) * cell, size = cell * 0.56;
    for (let x = x0; x < x0 + columns; x++) svg.append(word(cx(x), h - 6, x, { "text-anchor": "middle", class: "dim" }));
    for (let y = y1 - rows + 1; y <= y1; y++) svg.append(word(10, cy(y) + 4, y, { "text-anchor": "middle", class: "dim" }));
    const pes = new Map(), inside = new Map(), between = new Map(), key = (at) => `${at[1]},${at[2]}`;
    let sum = 0, work = 0;
    m.pes.forEach((p, i) => { if (p.at[0] === chip) { work += computing[i]; pes.set(key(p.at), [...(pes.get(key(p.at)) || []), [p, computing[i] / length]]); } });
    m.channels.forEach((c, i) => {
      if (c.from[0] !== chip) return;
      sum += busy[i];
      const share = busy[i] / length, wide = Math.abs(c.to[1] - c.from[1]) > 3 || Math.abs(c.to[2] - c.from[2]) > 3, same = c.from[0] === c.to[0] && key(c.from) === key(c.to);
      const group = same ? inside : between, name = same ? key(c.from) : `${c.from};${c.to}`;
      group.set(name, [...(group.get(name) || []), [c, share, wide]]);
    });
    for (const [x, y, kind] of tiles) {
      const here = pes.get(`${x},${y}`) || [], all = sv("g", {}), corner = [cx(x) - size / 2, cy(y) - size / 2];
      all.append(sv("rect", { x: r1(corner[0]), y: r1(corner[1]), width: r1(size), height: r1(size), rx: 3, fill: "var(--panel)", stroke: "var(--line)" }));
      for (const [p, use] of here) {
        const one = (size - 4) / across;
        const px = corner[0] + 2 + (p.at[3] % across) * one, py = corner[1] + 2 + Math.floor(p.at[3] / across) * one;
        all.append(hint(sv("rect", { x: r1(px), y: r1(py), width: r1(one - 1), height: r1(one - 1), rx: 2, fill: `var(--b${level(use, shared.pe)})` }), `${p.name}: use ${percent(use)}`));
      }
      const local = inside.get(`${x},${y}`) || [], most = Math.max(0, ...local.map((c) => c[1]));
      if (local.length) all.append(hint(sv("circle", { cx: r1(cx(x)), cy: r1(cy(y)), r: r1(cell * (0.05 + 0.06 * Math.min(1, most / (shared.channel || 1)))), fill: `var(--o${level(most, shared.channel)})`, stroke: "var(--bg)" }),
        `tile (${x},${y}): ${local.map(([c, s]) => `${c.name} ${percent(s)}`).join("; ")}`));
      if (kind) all.append(word(cx(x), cy(y) + 4, kind, { "text-anchor": "middle", "font-size": Math.min(11, cell / 4) }));
      svg.append(all);
    }
    for (const list of between.values()) {
      const [c, , wide] = list[0], share = Math.max(...list.map((e) => e[1])), other = c.to[0] !== chip || wide;
      const d = c.to[0] !== chip ? [0, 1] : wide ? [Math.sign(c.from[1] - c.to[1]), Math.sign(c.to[2] - c.from[2])] : [c.to[1] - c.from[1], c.from[2] - c.to[2]], span = Math.hypot(d[0], d[1]) || 1;
      const u = [d[0] / span, d[1] / span], n = [-u[1], u[0]], off = cell * 0.09, gap = size / 2 + 1;
      const a = [cx(c.from[1]) + u[0] * gap + n[0] * off, cy(c.from[2]) + u[1] * gap + n[1] * off];
      const end = other ? [a[0] + u[0] * cell * 0.3, a[1] + u[1] * cell * 0.3] : [cx(c.to[1]) - u[0] * gap + n[0] * off, cy(c.to[2]) - u[1] * gap + n[1] * off];
      const thick = 1.2 + 4.5 * Math.min(1, share / (shared.channel || 1)), head = Math.min(cell * 0.13, 3 + thick);
      const base = [end[0] - u[0] * head, end[1] - u[1] * head], fill = `var(--o${level(share, shared.channel)})`;
      const arrow = sv("g", {}, sv("path", { d: `M${r1(a[0])} ${r1(a[1])}L${r1(base[0])} ${r1(base[1])}`, stroke: fill, "stroke-width": r1(thick) }),
        sv("path", { d: `M${r1(end[0])} ${r1(end[1])}L${r1(base[0] + n[0] * head * 0.7)} ${r1(base[1] + n[1] * head * 0.7)}L${r1(base[0] - n[0] * head * 0.7)} ${r1(base[1] - n[1] * head * 0.7)}z`, fill }));
      svg.append(hint(arrow, list.map(([one, s]) => `${one.name}: busy ${percent(s)}`).join("; ")));
    }
    svg.dataset.busy = sum;
    svg.dataset.computing = work;
    return svg;
  }
  function hottest(busy, length) {
    const rows = m.channels.map((c, i) => [c.name, busy[i] / length]).filter((r) => r[1] > 0).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 8);
    if (!rows.length) return el("p", { class: "soft" }, "No channel carried anything in this window.");
    return el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, "hottest in this window"), el("th", { class: "n" }, "busy"))),
      el("tbody", {}, ...rows.map(([name, share]) => el("tr", {}, el("td", {}, name), el("td", { class: "n" }, percent(share))))));
  }
  holder.append(el("div", { class: "controls" }, "Time", slots > 1 ? slider : el("span", { hidden: "" }, slider), label, m.chips.length > 1 ? chips : null), board, el("div", { class: "split" }, box, side));
  show();
  return figure(holder, "Squares: tiles with their PEs, blue by use; dots: the busiest channel within the tile; arrows: channels between tiles, in orange and width by load. "
    + "One scale for all positions of the slider and all runs; point at anything for its figures.");
}
