// The plots of a diversity run, by plotly, which is loaded from this server when the first plot is wanted.

import { address } from "../api.js";
import { percent } from "../format.js";

// Distinguishable without colour too: each set has a hatch of its own, each line a dash.
export const COLOURS = ["#2563eb", "#d97706", "#059669", "#c026d3", "#dc2626", "#0891b2", "#65a30d", "#7c3aed"];
const DARK = ["#7aa2ff", "#fbbf24", "#34d399", "#f0abfc", "#fca5a5", "#67e8f9", "#bef264", "#c4b5fd"];
const HATCHES = ["", "/", "x", ".", "\\", "-", "+", "|"];
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid", "dash"];

let loading = null;
function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address("plotly.js");
    script.onload = () => resolve(globalThis.Plotly);
    script.onerror = () => { loading = null; reject(new Error("The plots cannot be loaded. Is plotly installed?")); };
    document.head.append(script);
  });
  return loading;
}

export const isDark = () => document.body.classList.contains("dark");
export const colourOf = (place) => (isDark() ? DARK : COLOURS)[place % COLOURS.length];

const value = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

function layout(node, title, axes) {
  const line = value("--border-color-primary");
  const axis = (text, more) => ({ title: { text, standoff: 8 }, gridcolor: line, zerolinecolor: line, linecolor: line,
    automargin: true, fixedrange: true, ...more });
  const narrow = node.clientWidth < 520;
  return { title: { text: title, font: { size: narrow ? 14 : 15 }, x: 0, xanchor: "left", pad: { l: 4 } },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: "inherit", size: narrow ? 11 : 12.5,
      color: value("--body-text-color") }, margin: { l: 48, r: 8, t: 40, b: 48 }, height: narrow ? 300 : 340,
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 1, xanchor: "right" },
    hoverlabel: { bgcolor: value("--block-background-fill"), font: { color: value("--body-text-color") } },
    xaxis: axis(axes.x, axes.xaxis), yaxis: axis(axes.y, axes.yaxis), ...axes.more };
}

async function draw(node, traces, title, axes) {
  const plotly = await library();
  await plotly.react(node, traces, layout(node, title, axes), { displayModeBar: false, responsive: true });
  return plotly;
}

// Cluster sizes per set (Synth2 Figure 5); ``onbar(cluster, set name)`` when a bar is clicked.
export async function drawSizes(node, report, onbar) {
  const names = Object.keys(report.datasets);
  const labels = report.names.map((name, index) => `${index + 1}`);
  const traces = names.map((name, place) => ({ type: "bar", name, x: labels, y: report.datasets[name].cluster_shares,
    customdata: report.names.map((label, index) => [label, report.datasets[name].cluster_sizes[index]]),
    hovertemplate: `<b>%{customdata[0]}</b><br>${name.replace(/[<>&]/g, "")}: %{y:.1%} (%{customdata[1]:,} rows)<extra></extra>`,
    marker: { color: colourOf(place), pattern: { shape: HATCHES[place % 8], size: 5, solidity: 0.25 } } }));
  await draw(node, traces, "Cluster sizes", { x: "cluster, largest first", y: "share of the set", xaxis: { type: "category" },
    yaxis: { tickformat: ".0%" }, more: { barmode: "group", bargap: 0.2, bargroupgap: 0.04 } });
  node.removeAllListeners?.("plotly_click");
  node.on("plotly_click", (event) => {
    const point = event.points[0];
    onbar(point.pointIndex, names[point.curveNumber]);
  });
}

// The share of a set in its largest n clusters, for every n: top-3 and top-5 are two points of it.
export async function drawConcentration(node, report) {
  const traces = Object.entries(report.datasets).map(([name, found], place) => {
    let sum = 0;
    const shares = [...found.cluster_shares].sort((a, b) => b - a).map((share) => { sum += share; return sum; });
    return { type: "scatter", mode: "lines+markers", name, x: shares.map((_, index) => index + 1), y: shares,
      line: { color: colourOf(place), dash: DASHES[place % 8], width: 2 },
      marker: { size: shares.map((_, index) => (index === 2 || index === 4 ? 9 : 3)) },
      hovertemplate: "top %{x}: %{y:.1%}<extra></extra>" };
  });
  const even = { type: "scatter", mode: "lines", name: "perfectly even", x: [1, report.k], y: [1 / report.k, 1],
    line: { color: value("--body-text-color-subdued"), width: 1, dash: "dot" }, hoverinfo: "skip" };
  await draw(node, [...traces, even], "Concentration", { x: "largest clusters taken together", y: "share of the set",
    yaxis: { tickformat: ".0%", range: [0, 1.02] } });
}

// WCSS over K, while it is computed and after; the knee is marked when it is known.
export async function drawElbow(node, points, knee) {
  const line = { type: "scatter", mode: "lines+markers", name: "WCSS", x: points.map((point) => point[0]),
    y: points.map((point) => point[1]), line: { color: colourOf(0), width: 2 }, marker: { size: 5 },
    hovertemplate: "K = %{x}: %{y:.1f}<extra></extra>" };
  const marked = points.find((point) => point[0] === knee);
  const mark = marked ? [{ type: "scatter", mode: "markers+text", x: [marked[0]], y: [marked[1]], text: [`knee: K = ${knee}`],
    textposition: "top right", marker: { size: 13, symbol: "diamond-open", color: colourOf(4), line: { width: 2.5 } },
    hoverinfo: "skip" }] : [];
  await draw(node, [line, ...mark], knee ? "Elbow" : `Elbow, up to K = ${points.at(-1)?.[0] ?? "…"}`,
    { x: "number of clusters K", y: "within-cluster sum of squares", more: { showlegend: false } });
}

// What a threshold does to diversity.
export async function drawCuts(node, cuts, title) {
  const line = { type: "scatter", mode: cuts.points.length > 2 ? "lines" : "markers", x: cuts.points.map((point) => point.threshold),
    y: cuts.points.map((point) => point.entropy_bits), line: { color: colourOf(0), width: 2 },
    customdata: cuts.points.map((point) => [point.kept, percent(point.share)]),
    hovertemplate: "≥ %{x:.3f} keeps %{customdata[0]:,} (%{customdata[1]})<br>%{y:.2f} bit<extra></extra>" };
  await draw(node, [line], `Entropy against threshold`, { x: title, y: "bit",
    yaxis: { range: [0, Math.log2(cuts.k) * 1.04] }, more: { showlegend: false } });
}
