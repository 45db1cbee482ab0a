// Plots by plotly, which is loaded from this server when the first one is wanted; colours follow the theme.

import { address } from "./api.js";

// Distinguishable without colour too: each set has a hatch of its own, each line a dash.
export const COLOURS = ["#2563eb", "#d97706", "#059669", "#c026d3", "#dc2626", "#0891b2", "#65a30d", "#7c3aed"];
const DARK = ["#7aa2ff", "#fbbf24", "#34d399", "#f0abfc", "#fca5a5", "#67e8f9", "#bef264", "#c4b5fd"];
export const HATCHES = ["", "/", "x", ".", "\\", "-", "+", "|"];
export const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid", "dash"];

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

export const value = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

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

export async function draw(node, traces, title, axes) {
  const plotly = await library();
  await plotly.react(node, traces, layout(node, title, axes), { displayModeBar: false, responsive: true });
  return plotly;
}
