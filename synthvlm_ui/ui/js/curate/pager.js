// Where the page stands in the whole order: turn, jump to a rank, or slide through all of it.

import { el, icon, uniqueId } from "../dom.js";
import { count } from "../format.js";

// ``onturn(direction)``, ``onrank(rank)`` with a rank from 0 on, ``onslide(offset)`` while the slider moves.
export class Pager {
  constructor({ onturn, onrank, onslide }) {
    Object.assign(this, { onrank, onslide, total: 0, limit: 48 });
    const button = (name, label, act) => el("button", { type: "button", class: "s-button s-small", title: label, "aria-label": label,
      onclick: act }, icon(name));
    this.first = button("left", "Previous page (Page Up)", () => onturn(-1));
    this.last = button("right", "Next page (Page Down)", () => onturn(1));
    this.where = el("span", { class: "s-where", "aria-live": "polite" });
    this.slider = el("input", { type: "range", min: 0, step: 1, value: 0, class: "s-slider", "aria-label": "Page",
      oninput: () => onslide(Number(this.slider.value) * this.limit) });
    this.rank = el("input", { type: "text", inputmode: "numeric", id: uniqueId("rank"), placeholder: "rank", autocomplete: "off" });
    this.problem = el("span", { class: "s-field-problem", role: "alert" });
    this.root = el("nav", { class: "s-pager", "aria-label": "Pages" }, this.first, this.where, this.last, this.slider,
      el("form", { class: "s-jump", onsubmit: (event) => { event.preventDefault(); this.jump(); } },
        el("label", { for: this.rank.id, text: "Go to rank" }), this.rank,
        el("button", { type: "submit", class: "s-button s-small", text: "Go" })), this.problem);
  }

  focus() { this.rank.focus(); this.rank.select(); }

  jump() {
    const text = this.rank.value.replaceAll(/[\s,.]/g, "");
    const rank = Number(text);
    const good = /^\d+$/.test(text) && rank >= 1 && rank <= this.total;
    this.rank.toggleAttribute("aria-invalid", !good);
    this.problem.textContent = good ? "" : `“${this.rank.value.slice(0, 20)}” is no rank from 1 to ${count(this.total)}.`;
    if (good) this.onrank(rank - 1);
  }

  show({ total, offset, limit, shown }) {
    Object.assign(this, { total, limit });
    this.root.hidden = total === 0;
    const last = Math.min(total, offset + shown);
    this.where.textContent = `${count(offset + 1)}–${count(last)} of ${count(total)}`;
    this.first.disabled = offset === 0;
    this.last.disabled = last >= total;
    const pages = Math.ceil(total / limit);
    this.slider.hidden = pages < 3;
    this.slider.max = Math.max(0, pages - 1);
    if (document.activeElement !== this.slider) this.slider.value = Math.floor(offset / limit);
    this.slider.setAttribute("aria-valuetext", `page ${count(Math.floor(offset / limit) + 1)} of ${count(pages)}`);
  }
}
