// How well the present thresholds agree with the verdicts given one by one: precision, recall, and a cut that fits better.

import { el } from "../dom.js";
import { clip, count, percent, plural, unit } from "../format.js";

// ``onwant()`` when it was opened; ``oncut(column, value)`` when the reader takes the suggestion.
export class Judged {
  constructor({ onwant, oncut }) {
    this.title = el("summary", { text: "Checked by hand" });
    this.note = el("p", { class: "s-hint", role: "status" });
    this.precision = bar("Precision", "of what is kept, how much you would keep");
    this.recall = bar("Recall", "of what you would keep, how much is kept");
    this.cut = el("p", { class: "s-suggestion" });
    this.take = el("button", { type: "button", class: "s-button s-small", text: "Set this cut",
      onclick: () => oncut(this.found.cut.column, this.found.cut.value) });
    this.root = el("details", { class: "s-fold s-judged", ontoggle: () => { if (this.root.open) onwant(); } }, this.title,
      el("div", { class: "s-form" }, this.note, this.precision.root, this.recall.root, this.cut, this.take));
  }

  get wanted() { return this.root.open; }

  show(found) {
    this.found = found;
    this.note.textContent = `${plural(found.k, "verdict")} one by one: ✓ ${count(found.keep)}, ✗ ${count(found.reject)}. `
      + "Verdicts for many at once do not count.";
    this.precision.show(found.precision, found.confidence);
    this.recall.show(found.recall, found.confidence);
    const cut = found.cut;
    this.cut.textContent = cut ? `Suggested: ${cut.column === "clip_cosine" ? "CLIPScore" : cut.column} ≥ `
      + `${cut.column === "clip_cosine" ? clip(cut.value) : unit(cut.value)} would keep ${count(cut.kept)}, with precision `
      + `${percent(cut.precision)} and recall ${percent(cut.recall)}.` : found.needs ?? "";
    this.take.hidden = !cut;
  }
}

function bar(title, help) {
  const value = el("b"), range = el("span", { class: "s-subdued" });
  const span = el("div", { class: "s-interval-span" }), dot = el("div", { class: "s-interval-dot" });
  const root = el("div", { class: "s-interval" }, el("div", { class: "s-row" }, el("span", { text: title, title: help }), value, range),
    el("div", { class: "s-interval-axis", "aria-hidden": "true" }, span, dot));
  return { root, show: (found, confidence) => {
    root.hidden = !found;
    if (!found) return;
    value.textContent = percent(found.value);
    range.textContent = `${percent(found.low)} to ${percent(found.high)} (${Math.round(100 * (confidence ?? 0.95))} % interval, n = ${count(found.n)})`;
    span.style.left = `${100 * found.low}%`;
    span.style.width = `${100 * (found.high - found.low)}%`;
    dot.style.left = `${100 * found.value}%`;
  } };
}
