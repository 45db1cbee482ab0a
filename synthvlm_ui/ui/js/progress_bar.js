// A bar with the ARIA of a progress bar.

import { el } from "./dom.js";

// ``show`` takes a share in [0, 1].
export function progressBar() {
  const fill = el("div", { class: "s-progress-fill" });
  const bar = el("div", { class: "s-progress", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" }, fill);
  bar.show = (share, label) => {
    const value = Math.round(100 * (share ?? 0));
    fill.style.width = `${Math.min(100, 100 * (share ?? 0))}%`;
    bar.setAttribute("aria-valuenow", value);
    bar.setAttribute("aria-label", label || "Progress");
  };
  bar.show(0);
  return bar;
}
