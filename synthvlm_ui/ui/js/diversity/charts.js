// The plots of a diversity run.

import { percent } from "../format.js";
import { DASHES, HATCHES, colourOf, draw, value } from "../plots.js";

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
