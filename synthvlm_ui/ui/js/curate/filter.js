// The filter of a rule, written as an expression: help, examples, and what is wrong with it beside the field.
// A filter that cannot be read stays in the field while the last one that could goes on to hold.

import { el, uniqueId } from "../dom.js";

const WAIT_MS = 300;
const EXAMPLES = [
  ["clip_cosine >= 0.25 and not (ssim < 0.7)", "both scores"],
  ["verdict == keep or combined > 0.6", "kept by hand, or good"],
  ['caption contains "red"', "words of the caption"],
  ["tokens > 77", "captions that CLIP cuts off"],
  ["length < 200 and words >= 4", "length in characters and words"],
  ["cluster == 3", "one cluster"],
  ['dataset == "sample" and seed < 100', "dataset and seed"],
  ['selection == "best"', "in a saved selection"],
  ["guard == 0 and repeat == 0", "first image of each caption"],
];
const HELP = [
  ["and · or · not · ( )", "join parts"], ["== != < <= > >=", "compare; 0.2 < ssim <= 0.9 is fine too"],
  ["clip_cosine ssim combined …", "any score, the raw cosine for CLIPScore"],
  ["verdict", "keep, reject, undecided"], ["length words tokens truncated", "of the caption"],
  ["dataset generator cluster seed repeat guard ok", "facts of a candidate"],
  ['caption contains "…"', "words, whatever their case"], ['selection == "…"', "member of a saved selection"],
];

// ``onchange(text)``: some time after the last key, or at once on Enter.
export class Filter {
  constructor({ onchange }) {
    Object.assign(this, { onchange, timer: 0, applied: "" });
    this.problem = el("p", { class: "s-field-problem", role: "alert", id: uniqueId("problem") });
    this.text = el("textarea", { rows: 2, id: uniqueId("filter"), spellcheck: "false", autocomplete: "off", autocapitalize: "off",
      placeholder: "clip_cosine >= 0.25 and not (ssim < 0.7)", "aria-describedby": this.problem.id,
      oninput: () => this.wait(), onkeydown: (event) => this.key(event), onblur: () => this.apply() });
    const examples = el("div", { class: "s-filter-examples" }, EXAMPLES.map(([text, what]) => el("button", { type: "button", class: "s-chip",
      title: "Use this example", onclick: () => this.use(text) }, el("code", { text }), el("small", { text: what }))));
    this.root = el("div", { class: "s-field s-filter" }, el("label", { for: this.text.id, text: "Filter" }), this.text, this.problem,
      el("details", { class: "s-help" }, el("summary", { text: "How to write a filter" }),
        el("dl", { class: "s-facts" }, HELP.flatMap(([term, what]) => [el("dt", {}, el("code", { text: term })), el("dd", { text: what })])),
        examples));
  }

  key(event) {
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    this.apply();
  }

  wait() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.apply(), WAIT_MS);
  }

  use(text) {
    this.text.value = text;
    this.apply();
  }

  apply() {
    clearTimeout(this.timer);
    const text = this.text.value.replaceAll(/\s+/g, " ").trim();
    if (text === this.applied) { if (this.problem.textContent && this.good === text) this.complain(""); return; }
    this.applied = text;
    this.onchange(text);
  }

  // The server's answer to what was sent last: empty when it could be read.
  complain(text) {
    this.problem.textContent = text ? `${text} The filter before goes on to hold.` : "";
    this.text.toggleAttribute("aria-invalid", Boolean(text));
    if (text) this.text.setAttribute("aria-invalid", "true");
    else this.good = this.applied;
  }

  place(text) {
    if (document.activeElement === this.text || this.problem.textContent) return;
    this.applied = this.good = text;
    if (this.text.value.trim() !== text) this.text.value = text;
  }
}
