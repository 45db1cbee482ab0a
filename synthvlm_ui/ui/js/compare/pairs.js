// One caption after the other: its real image beside any of its candidates, with both scores and what changed.

import { Latest, get, thumb } from "../api.js";
import { el, field, icon, isTyping, options } from "../dom.js";
import { SCALES, count, scale, unit } from "../format.js";
import { announce } from "../toast.js";
import { Viewer } from "./viewer.js";

const ORDERS = [["largest-gap", "Largest gap"], ["synthetic-better", "Synthetic better"], ["real-better", "Real better"],
  ["caption", "Caption"]];
const SCORES = [["combined", "Combined"], ["clip_cosine", "CLIPScore"], ["ssim", "SSIM"]];
const KEYS = "← → captions · C next candidate · M how to look";

export class Pairs {
  constructor({ active }) {
    Object.assign(this, { active, real: "", synthetic: "", offset: 0, total: 0, candidate: 0 });
    this.pages = new Latest((query) => get("compare/pairs", query), (page) => this.receive(page), (error) => this.failed(error));
    this.viewer = new Viewer();
    const select = (entries) => {
      const node = el("select", { onchange: () => this.to(0) });
      options(node, entries, entries[0][0]);
      return node;
    };
    this.order = select(ORDERS);
    this.score = select(SCORES);
    const button = (name, label, act) => el("button", { type: "button", class: "s-button s-small", "aria-label": label, title: label,
      onclick: act }, icon(name));
    this.previous = button("left", "Previous caption (left arrow)", () => this.to(this.offset - 1));
    this.following = button("right", "Next caption (right arrow)", () => this.to(this.offset + 1));
    this.where = el("span", { class: "s-where", "aria-live": "polite" });
    this.caption = el("p", { class: "s-pair-caption" });
    this.strip = el("div", { class: "s-sibling-row", role: "group", "aria-label": "Candidates of this caption" });
    this.table = el("table", { class: "s-table s-pair-table" });
    this.command = el("synth-command");
    this.problem = el("p", { class: "s-empty s-tall", hidden: true });
    this.body = el("div", { class: "s-pair-body" }, el("div", { class: "s-card" }, this.viewer.root),
      el("div", { class: "s-card s-pair-facts" }, this.caption, el("div", { class: "s-scroll" }, this.table), this.strip));
    this.root = el("section", { class: "s-room", "aria-label": "Pairs" },
      el("div", { class: "s-tools" }, field("Order", this.order), field("By", this.score), el("span", { class: "s-grow" }),
        el("span", { class: "s-hint s-keyhint", text: KEYS }), el("div", { class: "s-row" }, this.previous, this.where, this.following)),
      this.problem, this.body, this.command);
  }

  show(on) { this.root.hidden = !on; }

  choose(real, synthetic) {
    const changed = real !== this.real || synthetic !== this.synthetic;
    Object.assign(this, { real, synthetic });
    if (changed) this.offset = this.candidate = 0;
    this.ask();
  }

  to(offset) {
    if (offset < 0 || (this.total && offset >= this.total)) return;
    this.offset = offset;
    this.candidate = 0;
    this.ask();
  }

  ask() {
    if (!this.real || !this.synthetic) { this.failed(new Error("Choose a real and a synthetic set.")); return; }
    this.pages.ask({ real: this.real, synthetic: this.synthetic, order: this.order.value, score: this.score.value,
      offset: this.offset, limit: 1 });
  }

  failed(error) {
    this.problem.hidden = false;
    this.body.hidden = true;
    this.where.textContent = "";
    this.problem.textContent = error.message;
    this.command.show("");
  }

  receive(page) {
    this.total = page.total;
    if (!page.pairs.length) { if (this.offset) this.to(0); return; }
    this.pair = page.pairs[0];
    this.problem.hidden = true;
    this.body.hidden = false;
    this.where.textContent = `${count(this.offset + 1)} of ${count(this.total)}`;
    this.previous.disabled = this.offset === 0;
    this.following.disabled = this.offset >= this.total - 1;
    this.caption.textContent = this.pair.caption;
    this.command.show(page.command);
    this.draw();
  }

  draw() {
    const one = this.pair.candidates[Math.min(this.candidate, this.pair.candidates.length - 1)];
    this.viewer.show(this.pair.real, one);
    this.strip.hidden = this.pair.candidates.length < 2;
    this.strip.replaceChildren(...this.pair.candidates.map((other, place) => el("button", { type: "button", class: "s-sibling",
      "aria-pressed": String(place === this.candidate), "aria-label": `Candidate ${place + 1} of ${this.pair.candidates.length}`,
      onclick: () => this.pick(place) }, el("img", { src: thumb(other.id), alt: "", class: other.w < 200 ? "s-pixels" : "" }))));
    this.fill(one);
  }

  fill(one) {
    const shownAs = (score, value, sign = false) => {
      if (value === null || value === undefined) return "–";
      const { factor, digits } = score === "clip_cosine" ? scale() : SCALES.cosine;
      const text = unit(value * factor, digits);
      return sign && value > 0 ? `+${text}` : text.replace("-", "−");
    };
    const rows = [["clip_cosine", `CLIPScore (${scale().name})`], ["ssim", "SSIM"], ["combined", "Combined"]].map(([score, label]) =>
      el("tr", {}, el("th", { scope: "row", text: label }), el("td", { class: "s-right", text: shownAs(score, this.pair.real[score]) }),
        el("td", { class: "s-right", text: shownAs(score, one[score]) }),
        el("td", { class: "s-right s-change", "data-sign": Math.sign(one.change[score] ?? 0), text: shownAs(score, one.change[score], true) })));
    this.table.replaceChildren(el("thead", {}, el("tr", {}, ["", "Real", "Synthetic", "Change"].map((text, place) =>
      el("th", { scope: "col", class: place ? "s-right" : "", text })))), el("tbody", {}, rows));
  }

  pick(place) {
    this.candidate = place;
    this.draw();
    announce(`Candidate ${place + 1}`);
  }

  pressed(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || !this.active()
      || document.querySelector("dialog[open]") || event.target.closest?.("[role=tablist]") || this.body.hidden) return;
    const lettersOff = localStorage.getItem("synthvlm.single_keys") === "off";
    const radios = event.target.matches?.("input[type=radio]");
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "ArrowLeft" && !radios) this.to(this.offset - 1);
    else if (key === "ArrowRight" && !radios) this.to(this.offset + 1);
    else if (key === "c" && !lettersOff) this.pick((this.candidate + 1) % this.pair.candidates.length);
    else if (key === "m" && !lettersOff) this.viewer.next();
    else return;
    event.preventDefault();
  }
}
