// The candidates on both sides of the cut: the last that are kept and the first that are not.

import { thumb } from "../api.js";
import { el, field, options } from "../dom.js";
import { clip, unit } from "../format.js";
import { VERDICTS } from "./tile.js";

const COUNT = 20;
const COLUMNS = [["combined", "combined"], ["clip_cosine", "CLIPScore"], ["ssim", "SSIM"]];

// ``onopen(id)``; ``onwant()`` when it was opened or asks for another score.
export class Strip {
  constructor({ onopen, onwant }) {
    this.column = el("select", { onchange: onwant });
    this.rows = { above: this.row("Kept, nearest the cut first"), below: this.row("Dropped, next to come in first") };
    this.note = el("p", { class: "s-hint", role: "status" });
    options(this.column, COLUMNS, "combined");
    this.root = el("details", { class: "s-fold s-strip", ontoggle: () => { if (this.root.open) onwant(); } },
      el("summary", { text: "At the cut: 20 on each side" }),
      el("div", { class: "s-row s-between" }, this.note, field("Cut by", this.column)), this.rows.above.root, this.rows.below.root);
    this.root.addEventListener("click", (event) => {
      const id = event.target.closest("[data-id]")?.dataset.id;
      if (id) onopen(id);
    });
  }

  row(title) {
    const list = el("div", { class: "s-strip-row", role: "group", "aria-label": title });
    return { root: el("div", {}, el("h3", { text: title }), list), list };
  }

  get wanted() { return this.root.open; }
  get request() { return { column: this.column.value, count: COUNT }; }

  show(found) {
    this.note.textContent = found.cut === null || found.cut === undefined ? "No cut: raise a threshold to see who stands at it."
      : `The cut stands at ${found.column === "clip_cosine" ? clip(found.cut) : unit(found.cut)}.`;
    for (const side of ["above", "below"]) this.fill(this.rows[side], found[side], found.column);
  }

  fill({ root, list }, items, column) {
    while (list.children.length < items.length) list.append(new Small().root);
    while (list.children.length > items.length) list.lastChild.remove();
    items.forEach((item, at) => list.children[at].small.show(item, column));
    root.hidden = items.length === 0;
  }
}

class Small {
  constructor() {
    this.image = el("img", { alt: "", decoding: "async", fetchpriority: "low" });
    this.number = el("span");
    this.root = el("button", { type: "button", class: "s-small-tile" }, this.image, this.number);
    this.root.small = this;
  }

  show(item, column) {
    if (this.root.dataset.id !== item.id) {
      this.root.dataset.id = item.id;
      this.image.removeAttribute("src");
      this.image.src = thumb(item.id);
      this.image.classList.toggle("s-pixels", Math.max(item.w, item.h) < 128);
    }
    const score = column === "clip_cosine" ? clip(item.clip_cosine) : unit(item[column]);
    this.number.textContent = `${VERDICTS[item.verdict]?.[1] ?? ""} ${score}`.trim();
    this.root.title = item.caption;
    this.image.alt = item.caption;
  }
}
