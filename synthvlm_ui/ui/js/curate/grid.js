// A page of candidates as a grid with one tab stop: arrows move, Shift stretches a range, the tile in focus or the range
// takes verdicts. Knows ranks (places in the whole order), not rules.

import { el } from "../dom.js";
import { Pictures } from "./pictures.js";
import { Tile, VERDICTS } from "./tile.js";

// ``onverdict(id, verdict)``, ``onopen(id)``, ``onturn(direction, place)`` (whether there is a page), ``onrange()``: what the
// grid asks its owner to do.
export class Grid {
  constructor({ onverdict, onopen, onturn, onrange }) {
    Object.assign(this, { onverdict, onopen, onturn, onrange, items: [], tiles: [], offset: 0, current: 0, columns: 0,
      placed: 0, anchor: null, head: null, turning: null, pressed: null, pictures: new Pictures() });
    this.root = el("div", { class: "s-grid", role: "grid", "aria-label": "Candidates", "aria-multiselectable": "true" });
    this.root.addEventListener("focusin", (event) => this.noteFocus(event.target));
    this.root.addEventListener("pointerdown", (event) => this.press(event));
    this.root.addEventListener("click", (event) => this.clicked(event));
    this.root.addEventListener("mousedown", (event) => { if (event.shiftKey) event.preventDefault(); });
    new ResizeObserver(() => this.arrange()).observe(this.root);
  }

  get id() { return this.items[this.current]?.id ?? null; }
  get rank() { return this.offset + this.current; }
  get hasFocus() { return this.root.contains(document.activeElement); }

  // The candidate in focus stays so where it is on the page again, otherwise the place does; ``place`` overrules both.
  show(items, offset, { focus = false, place = null } = {}) {
    const hadFocus = this.hasFocus;
    const before = this.wanted ?? this.id;
    this.wanted = null;
    this.items = items;
    this.offset = offset;
    while (this.tiles.length < items.length) {
      this.tiles.push(new Tile());
      this.pictures.watch(this.tiles.at(-1));
    }
    items.forEach((item, at) => this.tiles[at].show(item, String(offset + at + 1)));
    this.pictures.turn(this.tiles.slice(0, items.length));
    const found = place ?? items.findIndex((item) => item.id === before);
    const to = found >= 0 ? found : Math.max(0, Math.min(this.current, items.length - 1));
    this.mark(to);
    if (items.length !== this.placed) this.arrange(); // which costs a layout
    if (this.turning?.shift && items.length) { this.head = offset + to; this.onrange(); }
    this.turning = null;
    this.paint();
    if ((focus || hadFocus) && items.length) this.focus(to);
  }

  // Rows exist for assistive technology only; how many tiles stand in one follows from the width.
  arrange() {
    const columns = Math.max(1, getComputedStyle(this.root).gridTemplateColumns.split(" ").length);
    if (columns === this.columns && this.items.length === this.placed) return;
    const hadFocus = this.hasFocus;
    this.columns = columns;
    this.placed = this.items.length;
    const rows = [];
    for (let at = 0; at < this.placed; at += 1) {
      if (at % columns === 0) rows.push(el("div", { role: "row", class: "s-grid-row" }));
      rows.at(-1).append(this.tiles[at].root);
    }
    this.root.replaceChildren(...rows);
    // what left the page lets go of its picture, so that a smaller page frees them
    for (const tile of this.tiles.slice(this.placed)) tile.empty();
    if (hadFocus) this.tiles[this.current]?.root.focus({ preventScroll: true });
  }

  tileOf(id) { return this.tiles[this.items.findIndex((item) => item.id === id)]; }

  repaint(id) {
    const at = this.items.findIndex((item) => item.id === id);
    if (at >= 0) this.tiles[at].show(this.items[at], String(this.offset + at + 1));
  }

  mark(place) {
    this.tiles[this.current]?.root.setAttribute("tabindex", "-1");
    this.current = place;
    this.tiles[place]?.root.setAttribute("tabindex", "0");
  }

  focus(place) {
    if (!this.items.length) return;
    this.mark(Math.max(0, Math.min(this.items.length - 1, place)));
    this.tiles[this.current].root.focus();
  }

  noteFocus(target) {
    const id = target.closest("[data-id]")?.dataset.id;
    const place = this.items.findIndex((item) => item.id === id);
    if (place >= 0 && place !== this.current) this.mark(place);
  }

  press(event) {
    const tile = event.target.closest("[data-id]");
    const item = tile && this.items.find((one) => one.id === tile.dataset.id);
    this.pressed = item ? { tile, item } : null;
  }

  // Meant is what stood there when the hand went down: others' decisions may turn the grid before it is up again.
  clicked(event) {
    const tile = event.target.closest("[data-id]");
    if (!tile) return;
    const pressed = event.detail && this.pressed?.tile === tile ? this.pressed.item : null; // no detail: Enter on a button
    const place = this.items.findIndex((one) => one.id === (pressed?.id ?? tile.dataset.id));
    const item = this.items[place] ?? pressed;
    if (!item) return;
    const button = event.target.closest("button");
    if (event.shiftKey && !button) { if (place >= 0) this.stretch(place); }
    else if (button) {
      const again = VERDICTS[item.verdict]?.[0] === button.dataset.verdict;
      this.onverdict(item.id, again ? "clear" : button.dataset.verdict);
    } else {
      this.clearRange();
      this.onopen(item.id);
    }
  }

  // The range of ranks that Shift has stretched, over pages too: null when there is none.
  get range() {
    if (this.anchor === null) return null;
    return { from: Math.min(this.anchor, this.head), to: Math.max(this.anchor, this.head) + 1 };
  }

  stretch(place) {
    this.anchor ??= this.rank;
    this.head = this.offset + place;
    this.focus(place);
    this.paint();
    this.onrange();
  }

  selectPage() {
    if (!this.items.length) return;
    this.anchor = this.offset;
    this.head = this.offset + this.items.length - 1;
    this.paint();
    this.onrange();
  }

  clearRange() {
    if (this.anchor === null) return;
    this.anchor = this.head = null;
    this.paint();
    this.onrange();
  }

  paint() {
    const range = this.range;
    for (let at = 0; at < this.items.length; at += 1) {
      const rank = this.offset + at;
      this.tiles[at].select(range !== null && rank >= range.from && rank < range.to);
    }
  }

  // Where a key leads: true when it was the grid's to handle.
  move(key, shift) {
    const last = this.items.length - 1;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns };
    if (key in steps) {
      if (this.turning) return true; // the next page is on its way: a second key would leap over one
      const to = this.current + steps[key];
      if (to >= 0 && to <= last) this.go(to, shift);
      else this.beyond(to, Math.sign(steps[key]), Math.abs(steps[key]) > 1, shift);
    } else if (key === "Home") this.go(0, shift);
    else if (key === "End") this.go(last, shift);
    else if (key === "PageDown") this.onturn(1, this.current);
    else if (key === "PageUp") this.onturn(-1, this.current);
    else return false;
    return true;
  }

  go(place, shift) {
    this.wanted = null; // who moves on while a decision is under way is not called back when its answer comes
    if (shift) this.stretch(place);
    else { this.clearRange(); this.focus(place); }
  }

  // Past the edge of the page lies the next one, in the same column.
  beyond(to, direction, vertical, shift) {
    const last = this.items.length - 1;
    if (shift) { this.anchor ??= this.rank; this.head ??= this.rank; }
    else this.clearRange();
    const turn = (place) => { this.turning = this.onturn(direction, place) ? { shift } : null; };
    if (!vertical) { turn(direction > 0 ? 0 : "last"); return; }
    if (direction > 0 && this.current < last && Math.floor(this.current / this.columns) < Math.floor(last / this.columns)) {
      this.go(last, shift);
      return;
    }
    const column = this.current % this.columns;
    turn(direction > 0 ? column : { column });
  }

  // The place that ``beyond`` meant, once the page of ``size`` is there.
  placeOf(wish, size) {
    if (wish === "last") return size - 1;
    if (typeof wish !== "object") return Math.min(wish, size - 1);
    const top = Math.floor((size - 1) / this.columns) * this.columns + wish.column;
    return top < size ? top : Math.max(0, top - this.columns);
  }

  // After a verdict the next tile is in turn; should the page shrink, it is found again by its id.
  advance() {
    const next = Math.min(this.current + 1, this.items.length - 1);
    this.wanted = this.items[next]?.id ?? null;
    this.focus(next);
  }

  rescale() { this.items.forEach((item, at) => this.tiles[at].show(item, String(this.offset + at + 1))); }
}
