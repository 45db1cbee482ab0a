// The prompt box: marks words the small world does not know, offers examples it can draw, and a way to a real model.

import { post } from "../api.js";
import { el, field } from "../dom.js";

const WAIT_MS = 150;

// ``onchange(text)``: after every edit. ``onleave()``: the user asks for a real model.
export class PromptBox {
  constructor({ onchange, onleave }) {
    this.input = el("textarea", { rows: "3", maxlength: "4000", spellcheck: "true",
      placeholder: "a red cat on the left of a blue house", oninput: () => this.edited() });
    this.echo = el("p", { class: "s-echo" });
    this.leave = el("button", { type: "button", class: "s-button s-small", text: "Use a real model", onclick: onleave });
    this.unknown = el("div", { class: "s-unknown", role: "status", hidden: true }, this.echo,
      el("div", { class: "s-row" }, this.saying = el("span", { class: "s-hint" }), this.leave));
    this.examples = el("div", { class: "s-chips", "aria-label": "Examples" });
    this.root = el("div", {}, field("Prompt", this.input), this.unknown, this.examples);
    this.onchange = onchange;
    this.marks = true;
    this.check();
  }

  get text() { return this.input.value.trim(); }

  // ``on``: words are checked only for a generator with a closed vocabulary.
  mark(on) {
    this.marks = on;
    this.check();
  }

  edited() {
    this.onchange(this.text);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), WAIT_MS);
  }

  async check() {
    if (!this.marks) { this.unknown.hidden = true; this.examples.hidden = true; return; }
    const text = this.input.value;
    let found;
    try { found = await post("words", { text }); } catch { return; }
    if (text !== this.input.value || !this.marks) return;
    this.show(text, found.unknown ?? []);
    this.suggest(found.examples ?? []);
  }

  show(text, unknown) {
    this.unknown.hidden = unknown.length === 0;
    if (!unknown.length) { this.input.removeAttribute("aria-invalid"); return; }
    const parts = [];
    let at = 0;
    for (const [start, end] of unknown) {
      parts.push(text.slice(at, start), el("mark", { text: text.slice(start, end) }));
      at = end;
    }
    parts.push(text.slice(at));
    this.echo.replaceChildren(...parts);
    const words = [...new Set(unknown.map(([, , word]) => word))];
    this.saying.textContent = `The small world does not know ${words.slice(0, 6).map((word) => `“${word}”`).join(", ")}`
      + (words.length > 6 ? ` and ${words.length - 6} more.` : ".");
  }

  suggest(examples) {
    this.examples.hidden = examples.length === 0;
    this.examples.replaceChildren(el("span", { class: "s-hint", text: "It can draw:" }), ...examples.slice(0, 3).map((text) =>
      el("button", { type: "button", class: "s-chip", text, onclick: () => this.use(text) })));
  }

  use(text) {
    this.input.value = text;
    this.input.focus();
    this.edited();
  }
}
