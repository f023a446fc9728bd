// Puts the page together, sorts tables, compares runs; #selftest makes it check itself.
function sortable(data) {
  const body = el("tbody", {}), numeric = (c) => c.form !== "text";
  let order = data.rows.map((row, i) => i);
  function fill() {
    body.replaceChildren(...order.map((i) => el("tr", {}, ...data.rows[i].map((value, k) =>
      el("td", { class: numeric(data.columns[k]) ? "n" : String(value).length > 60 ? "wrap" : "t" }, shown(data.columns[k].form, value))))));
    body.dataset.order = order.join(",");
  }
  const heads = data.columns.map((column, k) => el("th", { class: numeric(column) ? "n" : null, "aria-sort": "none", scope: "col" },
    el("button", { type: "button", onclick: () => sort(k) }, column.label)));
  function compare(a, b) {
    const empty = (v) => v === null || v === undefined;
    if (empty(a) || empty(b)) return empty(a) - empty(b);
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
  }
  function sort(k) {
    const up = heads[k].getAttribute("aria-sort") !== "ascending";
    heads.forEach((h, i) => h.setAttribute("aria-sort", i === k ? (up ? "ascending" : "descending") : "none"));
    order = data.rows.map((row, i) => i).sort((i, j) => (up ? 1 : -1) * compare(data.rows[i][k], data.rows[j][k]) || i - j);
    fill();
  }
  fill();
  return el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ...heads)), body));
}
function tableBlock(run, name, open) {
  const data = run.tables[name];
  if (!data) return missing(run, name);
  const of = data.of > data.rows.length ? `the first ${count(data.rows.length)} of ${count(data.of)}` : data.rows.length ? `${count(data.rows.length)}` : "none";
  return el("details", { open: open || null, "data-table": name }, el("summary", {}, data.title, el("span", { class: "soft" }, ` · ${of}`)),
    data.rows.length ? sortable(data) : null, data.note ? el("p", { class: "soft" }, data.note) : null);
}
function pairsTable(rows, heads) {
  const columns = heads.map((label) => ({ label, form: "text" }));
  return sortable({ columns, rows });
}
function cards(run) {
  return el("div", {}, el("div", { class: "cards" }, ...run.headline.map((h) => el("div", { class: "card" }, el("b", {}, shown(h.form, h.value)), el("span", {}, h.label)))),
    ...run.notes.map((text) => el("p", { class: "note" }, text)));
}
function about(run, shared) {
  const setting = (name) => (run.settings.find((s) => s[0] === name) || [])[1];
  const told = [["machine", setting("machine.name")], ["placer", setting("mapping.placer")], ["transport", setting("mapping.transport")],
    ["network model", setting("network.model")], ["trace level", run.level], ["state", run.state]].filter((pair) => pair[1] !== undefined);
  const rows = Object.entries(run.rows).map(([name, n]) => `${count(n)} ${name}`).join(", ");
  const versions = Object.entries(run.versions).map(([name, v]) => `${name} ${v}`).join(", ");
  return el("div", {}, el("p", {}, told.map(([k, v]) => `${k} ${v}`).join(" · ")),
    el("p", { class: "soft" }, rows ? `The trace holds ${rows}.` : "The run was not traced: the figures below are those of its summary."),
    versions ? el("p", { class: "soft" }, `Made with ${versions}.`) : null,
    run.assumptions ? el("details", { open: shared.single ? "" : null }, el("summary", {}, run.assumptions.title, el("span", { class: "soft" }, ` · ${run.assumptions.rows.length}`)),
      sortable(run.assumptions), el("p", { class: "soft" }, run.assumptions.note)) : missing(run, "assumptions"),
    el("details", {}, el("summary", {}, "All settings", el("span", { class: "soft" }, ` · ${run.settings.length}`)), pairsTable(run.settings, ["setting", "value"])),
    el("details", {}, el("summary", {}, "Summary", el("span", { class: "soft" }, ` · ${run.summary.length} fields`)), pairsTable(run.summary, ["field", "value", "unit"])));
}
function comparison(runs) {
  const names = [...new Set(runs.flatMap((r) => r.headline.map((h) => h.name)))];
  const find = (r, name) => r.headline.find((h) => h.name === name);
  const rows = names.map((name) => {
    const one = runs.map((r) => find(r, name)), first = one.find(Boolean), values = one.map((h) => (h ? h.value : null));
    const ratio = values[0] && values[values.length - 1] !== null ? values[values.length - 1] / values[0] : null;
    return [first.label, ...one.map((h) => (h ? shown(h.form, h.value) : "–")), ratio === null ? "–" : `× ${figures(ratio)}`, values.some((v) => v !== values[0])];
  });
  const heads = ["figure", ...runs.map((r) => r.name), runs.length > 1 ? "last / first" : ""];
  const table = (title, heads, rows) => el("div", { class: "scroll" }, el("table", { "data-compare": title }, el("thead", {}, el("tr", {}, ...heads.map((h, i) => el("th", { class: i ? "n" : null }, h)))),
    el("tbody", {}, ...rows.map((r) => el("tr", { class: r[r.length - 1] ? "differs" : null }, ...r.slice(0, -1).map((v, i) => el("td", { class: i ? "n" : null }, v)))))));
  const keys = [...new Set(runs.flatMap((r) => r.settings.map((s) => s[0])))];
  const value = (r, key) => { const found = r.settings.find((s) => s[0] === key); return found ? String(found[1]) : "–"; };
  const differ = keys.filter((k) => runs.some((r) => value(r, k) !== value(runs[0], k))).map((k) => [k, ...runs.map((r) => value(r, k)), true]);
  return el("section", { id: "compare" }, el("h2", {}, "Side by side"), table("figures", heads, rows), el("h3", {}, "Settings that differ"),
    differ.length ? table("settings", ["setting", ...runs.map((r) => r.name)], differ) : el("p", { class: "soft" }, "None."));
}
function share(runs) {
  const kinds = [...new Set(runs.flatMap((r) => [...(r.latency || []), ...(r.hops || [])].map((g) => g.kind).concat(["spike", "error"])))];
  const largest = (rows, length) => Math.max(0, ...rows.flatMap((row, i) => row.map((v) => v / Math.max(length(i), 1))));
  // Drawn for the screen it is opened on: at a phone's width, charts of 1,080 have letters of 5 px.
  const narrow = window.innerWidth <= 760;
  const maps = runs.filter((r) => r.map).map((r) => r.map), span = (m) => (i) => m.ends[i] - m.starts[i];
  return {
    width: narrow ? 480 : runs.length > 1 ? 620 : 1080, single: runs.length === 1, place: (kind) => kinds.indexOf(kind), index: (run) => runs.indexOf(run),
    latency: logBounds(runs.flatMap((r) => (r.latency || []).flatMap((g) => [g.min, g.max]))),
    channel: Math.max(0, ...maps.map((m) => largest(m.busy, span(m)))), pe: Math.max(0, ...maps.map((m) => largest(m.computing, span(m)))),
    energy: Math.max(0, ...runs.filter((r) => r.energy).flatMap((r) => Object.values(r.energy.parts))),
  };
}
const SECTIONS = [
  ["run", "What was run", (run, shared) => [cards(run), about(run, shared)]],
  ["learning", "Learning curve", (run, shared) => [learningChart(run, shared)]],
  ["map", "Chip map", (run, shared) => [mapChart(run, shared), tableBlock(run, "channels", true), tableBlock(run, "pes")]],
  ["latency", "Latency", (run, shared) => [quantileChart(run, shared), distributionChart(run, shared), tableBlock(run, "outcomes")]],
  ["hops", "Latency against hops", (run, shared) => [hopsChart(run, shared)]],
  ["slow", "Where packets waited", (run) => ["slowest", "where", "waits", "users"].map((name, i) => tableBlock(run, name, i === 0))],
  ["late", "Late packets and overruns", (run) => ["lateness", "late", "overruns"].map((name) => tableBlock(run, name, true))],
  ["batch", "A batch over time", (run, shared) => [timelineChart(run, shared), tableBlock(run, "phases", true)]],
  ["raster", "Spikes forward, errors backward", (run, shared) => [rasterChart(run, shared)]],
  ["energy", "Energy and power", (run, shared) => [energyChart(run, shared), powerChart(run, shared)]],
];
function build(data) {
  const runs = data.runs, shared = share(runs), page = document.getElementById("page");
  const themes = ["auto", "light", "dark"];
  const theme = el("button", { type: "button", id: "theme", onclick: () => {
    const next = themes[(themes.indexOf(document.documentElement.dataset.theme || "auto") + 1) % 3];
    if (next === "auto") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = next;
    theme.textContent = `theme: ${next}`;
  } }, "theme: auto");
  const list = [...(runs.length > 1 ? [["compare", "Side by side"]] : []), ...SECTIONS];
  const nodes = SECTIONS.map(([id, title, parts]) => el("section", { id }, el("h2", {}, title), el("div", { class: runs.length > 1 ? "runs many" : "runs" },
    ...runs.map((run) => el("div", {}, runs.length > 1 ? el("div", { class: "runname" }, run.name) : null, ...parts(run, shared))))));
  page.replaceChildren(el("nav", {}, ...list.map(([id, title]) => el("a", { href: `#${id}` }, title)), theme),
    ...(runs.length > 1 ? [comparison(runs)] : []), ...nodes,
    el("section", { id: "rules" }, el("h2", {}, "How to read this page"), el("ul", { class: "soft" }, ...data.rules.map((text) => el("li", {}, text)))));
}
function selftest(data) {
  const problems = [], check = (ok, what) => { if (!ok) problems.push(what); };
  let sorts = 0, slides = 0, zooms = 0;
  for (const block of document.querySelectorAll("details[data-table]")) {
    const body = block.querySelector("tbody");
    if (!body) continue;
    block.querySelectorAll("th button").forEach((button, k) => {
      const table = data.runs.map((r) => r.tables[block.dataset.table]).find((t) => t && t.rows.length === body.children.length);
      for (const way of [1, -1]) {
        button.click();
        const values = body.dataset.order.split(",").map((i) => table.rows[Number(i)][k]);
        if (data.runs.length === 1) check(values.every((v, i) => !i || way * (values[i - 1] > v ? 1 : values[i - 1] < v ? -1 : 0) <= 0), `${block.dataset.table} column ${k} way ${way}`);
        check(button.parentNode.getAttribute("aria-sort") === (way > 0 ? "ascending" : "descending"), `${block.dataset.table} column ${k} aria-sort`);
        sorts += 1;
      }
    });
  }
  const sum = (list) => list.reduce((a, b) => a + b, 0), maps = data.runs.filter((r) => r.map);
  document.querySelectorAll(".map").forEach((holder, n) => {
    const m = maps[n].map, slider = holder.querySelector("input[type=range]");
    for (let at = 0; at <= Number(slider.max); at++) {
      slider.value = at;
      slider.dispatchEvent(new Event("input"));
      const svg = holder.querySelector("svg[data-busy]"), rows = at ? [at - 1] : m.starts.map((_, i) => i);
      if (m.chips.length === 1) {
        check(Number(svg.dataset.busy) === sum(rows.map((i) => sum(m.busy[i]))), `map position ${at}: busy`);
        check(Number(svg.dataset.computing) === sum(rows.map((i) => sum(m.computing[i]))), `map position ${at}: computing`);
      }
      slides += 1;
    }
  });
  document.querySelectorAll("[data-zoom]").forEach((button) => { button.click(); check(button.getAttribute("aria-pressed") === "true", "zoom"); zooms += 1; });
  const theme = document.getElementById("theme");
  for (const want of ["light", "dark", undefined]) { theme.click(); check(document.documentElement.dataset.theme === want, `theme ${want}`); }
  document.body.append(el("pre", { id: "selftest" }, JSON.stringify({ problems, sorts, slides, zooms, charts: document.querySelectorAll("svg[role=img]").length })));
}
const DATA = JSON.parse(document.getElementById("data").textContent);
build(DATA);
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
if (location.hash === "#selftest") selftest(DATA);
if (location.hash === "#dark" || location.hash === "#light") document.documentElement.dataset.theme = location.hash.slice(1);
