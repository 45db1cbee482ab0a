// How the scores hang together, and how much each term weighs in the ranking at the present lambda.

import { el } from "../dom.js";
import { count, percent, unit } from "../format.js";

const NAMES = { clip_cosine: "CLIPScore", ssim: "SSIM", combined: "combined" };

// ``onwant()`` when it was opened.
export class Statistics {
  constructor({ onwant }) {
    this.note = el("p", { class: "s-hint" });
    this.head = el("tr");
    this.rows = el("tbody");
    this.terms = el("dl", { class: "s-facts" });
    this.root = el("details", { class: "s-fold s-statistics", ontoggle: () => { if (this.root.open) onwant(); } },
      el("summary", { text: "Scores and λ" }), this.terms, el("div", { class: "s-scroll", tabindex: "0", role: "region",
        "aria-label": "Correlations" }, el("table", { class: "s-table s-matrix" }, el("thead", {}, this.head), this.rows)), this.note);
  }

  get wanted() { return this.root.open; }

  show(found) {
    const named = (column) => NAMES[column] ?? column;
    this.note.textContent = `Pearson below the diagonal, Spearman above it; n = ${count(found.n)}.`;
    this.head.replaceChildren(el("td"), ...found.columns.map((column) => el("th", { scope: "col", text: named(column) })));
    this.rows.replaceChildren(...found.columns.map((column, row) => el("tr", {}, el("th", { scope: "row", text: named(column) }),
      found.columns.map((_other, place) => {
        const value = row === place ? null : (place < row ? found.pearson : found.spearman)[row][place];
        const cell = el("td", { class: "s-right", text: row === place ? "" : unit(value, 2) });
        if (value !== null && value !== undefined) cell.style.setProperty("--strength", Math.abs(value).toFixed(2));
        return cell;
      }))));
    this.terms.replaceChildren(...Object.entries(found.variance_share ?? {}).flatMap(([term, share]) => [
      el("dt", { text: named(term) }), el("dd", { text: `${percent(share)} of the ranking's variance${
        found.spread?.[term] === undefined ? "" : ` · spread ${unit(found.spread[term])}`}` })]));
  }
}
