// A small plot of curves over the number of pairs: one line a set, a bar of one standard deviation at every point.

import { count } from "../format.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [460, 230, 46, 34, 26, 26];
const COLOURS = ["var(--s-bars-kept)", "var(--s-real)"];

function node(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Rows with ``point`` (name of the curve, place), ``mean`` and ``sd``; places stand on a logarithmic axis.
export function curves(rows) {
  const names = [...new Set(rows.map((row) => row.point[0]))];
  const places = [...new Set(rows.map((row) => row.point[1]))].sort((a, b) => a - b);
  const top = Math.max(...rows.map((row) => row.mean + (row.sd ?? 0))) * 1.05;
  const span = Math.log(places.at(-1) / places[0]) || 1;
  const x = (place) => LEFT + (WIDTH - LEFT - RIGHT) * (Math.log(place / places[0]) / span);
  const y = (value) => HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value / top);
  const svg = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "s-claim-plot", role: "img",
    "aria-label": `CIDEr against the number of pairs: ${names.join(", ")}` });
  for (let value = 0; value <= top; value += 100) {
    svg.append(node("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), class: "s-claim-grid" }),
      node("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, value));
  }
  places.forEach((place) => svg.append(node("text", { x: x(place), y: HEIGHT - 16, "text-anchor": "middle" }, count(place))));
  svg.append(node("text", { x: LEFT, y: HEIGHT - 2 }, "pairs"), node("text", { x: LEFT - 6, y: TOP - 14, "text-anchor": "end" }, "CIDEr"));
  names.forEach((name, number) => line(svg, rows.filter((row) => row.point[0] === name), { x, y, colour: COLOURS[number % COLOURS.length], number, name }));
  return svg;
}

function line(svg, rows, { x, y, colour, number, name }) {
  const at = rows.map((row) => [x(row.point[1]), y(row.mean)]);
  svg.append(node("polyline", { points: at.map((point) => point.join(",")).join(" "), fill: "none", stroke: colour, "stroke-width": 2,
    "stroke-dasharray": number ? "5 4" : "none" }));
  rows.forEach((row, place) => {
    const [px, py] = at[place];
    if (row.sd) svg.append(node("line", { x1: px, x2: px, y1: y(row.mean - row.sd), y2: y(row.mean + row.sd), stroke: colour, "stroke-width": 2 }));
    svg.append(node("circle", { cx: px, cy: py, r: 4, fill: colour }));
  });
  const high = HEIGHT - BOTTOM - 34 + 17 * number;
  svg.append(node("line", { x1: WIDTH - 170, x2: WIDTH - 142, y1: high, y2: high, stroke: colour, "stroke-width": 2, "stroke-dasharray": number ? "5 4" : "none" }),
    node("text", { x: WIDTH - 136, y: high + 4 }, name));
}
