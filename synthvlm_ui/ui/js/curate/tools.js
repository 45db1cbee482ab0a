// The row above the grid: what is shown in which order, undo and redo, and verdicts for everything that is shown.

import { el, field, icon, options } from "../dom.js";
import { count, plural } from "../format.js";
import { SHOWN, SIZES, ordersWith } from "./state.js";

// ``onpage({show | order | limit})``, ``onback("undo" | "redo")``, ``onall(verdict)``, ``onkeys()``.
export class Tools {
  constructor({ onpage, onback, onall, onkeys }) {
    const select = (entries, key) => {
      const node = el("select", { onchange: () => onpage({ [key]: key === "limit" ? Number(node.value) : node.value }) });
      options(node, entries, "");
      this[key] = node;
      return node;
    };
    const button = (name, label, act) => el("button", { type: "button", class: "s-button s-small", title: label,
      "aria-label": label, onclick: act }, icon(name));
    this.undo = button("undo", "Undo", () => onback("undo"));
    this.redo = button("redo", "Redo", () => onback("redo"));
    this.allTitle = el("summary", { class: "s-button s-small" });
    const all = (verdict, name, text) => el("button", { type: "button", class: "s-button s-small", "data-verdict": verdict,
      onclick: () => { this.all.open = false; onall(verdict); } }, icon(name), text);
    this.all = el("details", { class: "s-menu" }, this.allTitle, el("div", { class: "s-menu-body" }, el("p", { class: "s-hint",
      text: "One act over everything that is shown, on all pages." }), all("keep", "check", "Keep all"), all("reject", "cross", "Reject all"),
      all("clear", "clear", "Clear all verdicts")));
    this.all.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.all.open) { this.all.open = false; this.allTitle.focus(); event.stopPropagation(); }
    });
    this.keys = el("button", { type: "button", class: "s-button s-small", "aria-label": "Keys", title: "Keys (?)", text: "?", onclick: onkeys });
    const pages = select(SIZES.map((n) => [String(n), `${n} per page`]), "limit");
    pages.setAttribute("aria-label", "Per page");
    this.root = el("div", { class: "s-tools" }, field("Show", select(SHOWN, "show")), field("Order", select(ordersWith([]), "order")),
      el("div", { class: "s-field" }, pages), el("span", { class: "s-grow" }),
      el("div", { class: "s-row" }, this.undo, this.redo, this.all, this.keys));
  }

  listen(signal) {
    document.addEventListener("pointerdown", (event) => { if (!this.all.contains(event.target)) this.all.open = false; }, { signal });
  }

  place(state) {
    this.show.value = state.show;
    this.limit.value = String(state.limit);
    this.wantedOrder = state.order;
    this.order.value = state.order;
  }

  offer(columns) {
    const now = columns.join();
    if (now === this.offered) return;
    this.offered = now;
    options(this.order, ordersWith(columns), this.wantedOrder);
  }

  showTotal(total, range) {
    this.allTitle.textContent = range ? `${count(range.to - range.from)} in the range` : `All ${plural(total, "result")} …`;
    this.total = total;
  }

  name(keys) {
    this.undo.title = `Undo (${keys.keyOf("undo")})`;
    this.redo.title = `Redo (${keys.keyOf("redo")})`;
    this.undo.setAttribute("aria-label", this.undo.title);
    this.redo.setAttribute("aria-label", this.redo.title);
  }

  block(readOnly) {
    for (const node of [this.undo, this.redo, ...this.all.querySelectorAll("button")]) node.disabled = readOnly;
  }
}
