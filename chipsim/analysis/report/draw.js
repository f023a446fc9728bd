"use strict";
// Small helpers: elements, scales, numbers for people. No library, nothing from elsewhere.
const SVG = "http://www.w3.org/2000/svg";
function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}
function sv(name, attributes, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}
function picture(width, height, label) {
  return sv("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, style: `--drawn: ${width}px` });
}
function word(x, y, text, more) { return sv("text", { x: r1(x), y: r1(y), ...more }, String(text)); }
function hint(node, text) { node.append(sv("title", {}, text)); return node; }
function r1(x) { return Math.round(x * 10) / 10; }

function count(x) { return Math.round(x) === x ? x.toLocaleString("en") : figures(x); }
function figures(x) {
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 1e6 || size < 1e-4) return x.toExponential(2);
  return Number(x.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: 8 });
}
function duration(ps) {
  for (const [unit, one] of [["s", 1e12], ["ms", 1e9], ["µs", 1e6], ["ns", 1e3]]) {
    if (Math.abs(ps) >= one) return `${figures(ps / one)} ${unit}`;
  }
  return ps === 0 ? "0" : `${figures(ps)} ps`;
}
function moment(ps) {
  return `${(ps / 1e6).toLocaleString("en", { minimumFractionDigits: 3, maximumFractionDigits: 6 })} µs`;
}
function percent(x) { return `${figures(100 * x)} %`; }
const FORMS = {
  text: (v) => (v === null ? "" : typeof v === "number" ? String(v) : String(v)),
  count, ps: duration, moment, share: percent, number: figures,
  ns: (v) => duration(v * 1e3), s: (v) => duration(v * 1e12), mJ: (v) => `${figures(v)} mJ`, mW: (v) => `${figures(v)} mW`,
};
function shown(form, value) { return value === null || value === undefined ? "–" : FORMS[form](value); }

function linear(low, high, from, to) {
  const span = high - low || 1;
  return (x) => from + ((x - low) / span) * (to - from);
}
function logarithmic(low, high, from, to) {
  const a = Math.log10(Math.max(low, 1e-12)), b = Math.log10(Math.max(high, low * 1.0001, 1e-12));
  return (x) => from + ((Math.log10(Math.max(x, 1e-12)) - a) / (b - a || 1)) * (to - from);
}
function steps(low, high, about) {
  const raw = (high - low || 1) / about, power = 10 ** Math.floor(Math.log10(raw));
  const one = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw) || power * 10;
  const found = [];
  for (let x = Math.ceil(low / one - 1e-9) * one; x <= high + one * 1e-9; x += one) found.push(Number(x.toPrecision(12)));
  return found;
}
function decades(low, high) {
  const found = [], whole = Math.log10(high / low) > 2.2;
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) {
    for (const m of whole ? [1] : [1, 2, 5]) {
      const x = m * 10 ** e;
      if (x >= low * 0.999 && x <= high * 1.001) found.push(x);
    }
  }
  return found;
}
function logBounds(values) {
  const seen = values.filter((v) => v > 0);
  if (!seen.length) return [1, 10];
  return [Math.min(...seen) / 1.25, Math.max(...seen) * 1.25];
}
function bottomAxis(svg, scale, ticks, y, top, label, form, middle) {
  svg.append(sv("path", { class: "axis", d: `M${r1(scale(ticks[0]))} ${y}` }));
  let free = -Infinity; // a label that would touch the one before is left out, its line is not
  for (const t of ticks) {
    const text = form(t), half = 3.6 * text.length;
    svg.append(sv("path", { class: "grid", d: `M${r1(scale(t))} ${top}V${y}` }));
    if (scale(t) - half < free) continue;
    svg.append(word(scale(t), y + 16, text, { "text-anchor": "middle", class: "dim" }));
    free = scale(t) + half;
  }
  svg.append(word(middle, y + 33, label, { "text-anchor": "middle" }));
}
function leftAxis(svg, scale, ticks, x, right, form) {
  for (const t of ticks) {
    svg.append(sv("path", { class: "grid", d: `M${x} ${r1(scale(t))}H${right}` }));
    svg.append(word(x - 6, scale(t) + 4, form(t), { "text-anchor": "end", class: "dim" }));
  }
}

// A series has a colour, a dash and a marker: told apart without colour.
const DASHES = ["", "7 4", "2 3", "9 3 2 3", "4 2", "12 4", "1 4"];
const MARKS = [
  (x, y, s) => `M${x - s} ${y}a${s} ${s} 0 1 0 ${2 * s} 0a${s} ${s} 0 1 0 ${-2 * s} 0z`,
  (x, y, s) => `M${x - s} ${y - s}h${2 * s}v${2 * s}h${-2 * s}z`,
  (x, y, s) => `M${x} ${y - s * 1.2}l${s * 1.2} ${s * 2.2}h${-s * 2.4}z`,
  (x, y, s) => `M${x} ${y - s * 1.4}l${s * 1.4} ${s * 1.4}l${-s * 1.4} ${s * 1.4}l${-s * 1.4} ${-s * 1.4}z`,
  (x, y, s) => `M${x - s} ${y - s}l${2 * s} ${2 * s}m0 ${-2 * s}l${-2 * s} ${2 * s}`,
  (x, y, s) => `M${x - s} ${y}h${2 * s}m${-s} ${-s}v${2 * s}`,
  (x, y, s) => `M${x} ${y + s * 1.2}l${s * 1.2} ${-s * 2.2}h${-s * 2.4}z`,
];
function line(d, place, more) {
  return sv("path", { d, fill: "none", stroke: `var(--s${place % 7})`, "stroke-width": 2,
    "stroke-dasharray": DASHES[place % 7], "stroke-linejoin": "round", ...more });
}
function mark(x, y, place, size) {
  const open = place % 7 === 4 || place % 7 === 5;
  return sv("path", { d: MARKS[place % 7](r1(x), r1(y), size || 4), stroke: `var(--s${place % 7})`,
    "stroke-width": open ? 2 : 1, fill: open ? "none" : `var(--s${place % 7})` });
}
function legend(names, place) {
  return el("div", { class: "legend" }, ...names.map((name) => {
    const svg = picture(30, 12, name);
    svg.append(line("M1 6H29", place(name)), mark(15, 6, place(name), 3.5));
    return el("span", {}, svg, name);
  }));
}
