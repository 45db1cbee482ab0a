// A page of candidates as a grid with one tab stop: arrows move, the tile in focus takes verdicts.

import { thumb } from "./api.js";
import { el, icon } from "./dom.js";
import { clip, unit } from "./format.js";

export const VERDICTS = { 1: ["keep", "✓", "kept by hand"], "-1": ["reject", "✗", "rejected by hand"] };

const GUARDS = { 1: "blank", 2: "blurred", 3: "black", 4: "not an image" };

// ``onverdict(id, verdict)``, ``onopen(id)``, ``onturn(direction)``: what the grid asks its owner to do.
export class Grid {
  constructor({ onverdict, onopen, onturn }) {
    Object.assign(this, { onverdict, onopen, onturn, items: [], tiles: new Map(), current: 0, columns: 0 });
    this.root = el("div", { class: "s-grid", role: "grid", "aria-label": "Candidates", "aria-keyshortcuts": "K R U" });
    this.root.addEventListener("focusin", (event) => this.noteFocus(event.target));
    this.root.addEventListener("click", (event) => this.clicked(event));
    this.root.addEventListener("dblclick", (event) => event.preventDefault());
    new ResizeObserver(() => this.arrange()).observe(this.root);
  }

  get id() { return this.items[this.current]?.id ?? null; }

  show(items, { focus = false } = {}) {
    const hadFocus = this.root.contains(document.activeElement);
    const before = this.wanted ?? this.id;
    this.wanted = null;
    const same = items.length === this.items.length && items.every((item, place) => item.id === this.items[place].id);
    this.items = items;
    const old = this.tiles;
    this.tiles = new Map();
    for (const item of items) {
      const tile = old.get(item.id) ?? new Tile(item.id);
      tile.show(item);
      this.tiles.set(item.id, tile);
    }
    const found = items.findIndex((item) => item.id === before);
    this.current = found >= 0 ? found : Math.max(0, Math.min(this.current, items.length - 1));
    if (!same) this.columns = 0;
    this.arrange();
    if (focus || hadFocus) this.focus(this.current);
  }

  // Rows exist for assistive technology only; how many tiles stand in one follows from the width.
  arrange() {
    const columns = Math.max(1, getComputedStyle(this.root).gridTemplateColumns.split(" ").length);
    if (columns === this.columns) return;
    this.columns = columns;
    const hadFocus = this.root.contains(document.activeElement);
    const rows = [];
    this.items.forEach((item, place) => {
      if (place % columns === 0) rows.push(el("div", { role: "row", class: "s-grid-row" }));
      const node = this.tiles.get(item.id).root;
      node.tabIndex = place === this.current ? 0 : -1;
      rows.at(-1).append(node);
    });
    this.root.replaceChildren(...rows);
    if (hadFocus) this.tileAt(this.current)?.root.focus({ preventScroll: true });
  }

  tileAt(place) { return this.tiles.get(this.items[place]?.id); }

  mark(place) {
    this.tileAt(this.current)?.root.setAttribute("tabindex", "-1");
    this.current = place;
    this.tileAt(place)?.root.setAttribute("tabindex", "0");
  }

  focus(place) {
    if (!this.items.length) return;
    this.mark(Math.max(0, Math.min(this.items.length - 1, place)));
    this.tileAt(this.current).root.focus();
  }

  noteFocus(target) {
    const id = target.closest("[data-id]")?.dataset.id;
    const place = this.items.findIndex((item) => item.id === id);
    if (place >= 0 && place !== this.current) this.mark(place);
  }

  clicked(event) {
    const tile = event.target.closest("[data-id]");
    if (!tile) return;
    const button = event.target.closest("button");
    if (button) {
      const item = this.items.find((one) => one.id === tile.dataset.id);
      const again = VERDICTS[item.verdict]?.[0] === button.dataset.verdict;
      this.onverdict(tile.dataset.id, again ? "clear" : button.dataset.verdict);
    } else this.onopen(tile.dataset.id);
  }

  // Where a key leads: true when it was the grid's to handle.
  move(key) {
    const last = this.items.length - 1;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns };
    if (key in steps) {
      const to = this.current + steps[key];
      if (to < 0 || to > last) { if (Math.abs(steps[key]) === 1) this.onturn(Math.sign(steps[key])); return true; }
      this.focus(to);
    } else if (key === "Home") this.focus(0);
    else if (key === "End") this.focus(last);
    else if (key === "PageDown") this.onturn(1);
    else if (key === "PageUp") this.onturn(-1);
    else return false;
    return true;
  }

  // After a verdict the next tile is in turn; should the page shrink, it is found again by its id.
  advance() {
    const next = Math.min(this.current + 1, this.items.length - 1);
    this.wanted = this.items[next]?.id ?? null;
    this.focus(next);
  }

  rescale() { for (const item of this.items) this.tiles.get(item.id).show(item); }
}

class Tile {
  constructor(id) {
    this.image = el("img", { src: thumb(id), alt: "", loading: "lazy", decoding: "async", draggable: "false" });
    this.image.addEventListener("error", () => { this.image.hidden = true; });
    this.mark = el("span", { class: "s-mark", "aria-hidden": "true" });
    this.rule = el("span", { class: "s-dropped", "aria-hidden": "true" });
    this.caption = el("div", { class: "s-tile-caption" });
    this.numbers = el("div", { class: "s-numbers" });
    const button = (verdict, name, text) => el("button", { type: "button", tabindex: "-1", "data-verdict": verdict,
      class: `s-verdict s-${verdict}`, "aria-label": text, title: text }, icon(name));
    this.keep = button("keep", "check", "Keep (K)");
    this.reject = button("reject", "cross", "Reject (R)");
    this.root = el("div", { class: "s-tile", role: "gridcell", tabindex: "-1", "data-id": id },
      el("div", { class: "s-picture" }, this.image, this.mark, this.rule), this.caption,
      el("div", { class: "s-tile-foot" }, this.numbers, el("div", { class: "s-acts" }, this.keep, this.reject)));
  }

  show(item) {
    const [verdict, sign, words] = VERDICTS[item.verdict] ?? ["", "", ""];
    this.image.classList.toggle("s-pixels", Math.max(item.w, item.h) < 128);
    this.root.dataset.verdict = verdict;
    this.root.classList.toggle("s-is-dropped", !item.kept);
    this.mark.textContent = sign;
    this.mark.className = `s-mark ${verdict ? `s-${verdict}` : ""}`;
    this.mark.hidden = !verdict;
    this.rule.textContent = item.ok === false ? "failed" : item.guard ? GUARDS[item.guard] ?? "guard" : "dropped";
    this.rule.hidden = item.kept && !item.guard;
    this.caption.textContent = item.caption;
    this.caption.title = item.error_message || item.caption;
    this.numbers.replaceChildren(el("span", { text: `CLIP ${clip(item.clip_cosine)}` }),
      el("span", { text: `SSIM ${unit(item.ssim)}` }));
    this.keep.setAttribute("aria-pressed", String(item.verdict === 1));
    this.reject.setAttribute("aria-pressed", String(item.verdict === -1));
    this.root.setAttribute("aria-label", [item.kept ? "Kept" : "Dropped", words, item.caption,
      `CLIPScore ${clip(item.clip_cosine)}`, `SSIM ${unit(item.ssim)}`].filter(Boolean).join(", "));
  }
}
