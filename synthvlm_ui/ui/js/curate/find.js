// The search line: words of the caption, a sentence in CLIP space, or more like one candidate. It narrows what is shown.

import { attempt, post, thumb } from "../api.js";
import { el, icon, options } from "../dom.js";
import { count } from "../format.js";

const KINDS = [["text", "words in captions"], ["meaning", "what it looks like"]];
const WAIT_MS = 250;

// ``onfind(find, how)``: {text, meaning, like}, only those that are wanted. ``dataset()`` names where to look.
export class Find {
  constructor({ onfind, dataset }) {
    Object.assign(this, { onfind, dataset, find: {}, timer: 0, sequence: 0 });
    this.kind = el("select", { "aria-label": "Search by", onchange: () => { if (this.input.value.trim()) this.go(); } });
    options(this.kind, KINDS, "text");
    this.input = el("input", { type: "search", "aria-label": "Search", placeholder: "Search captions", maxlength: "500",
      enterkeyhint: "search", oninput: () => this.typed() });
    this.kind.addEventListener("change", () => { this.input.placeholder = this.kind.value === "text" ? "Search captions"
      : "a sentence; the best matching images come first"; });
    this.note = el("span", { class: "s-find-note", role: "status" });
    this.spinner = el("span", { class: "s-spinner", hidden: true, "aria-hidden": "true" });
    this.like = el("span", { class: "s-like", hidden: true }, this.likeImage = el("img", { alt: "" }), "more like this",
      el("button", { type: "button", class: "s-plain", "aria-label": "End “more like this”", text: "×", onclick: () => this.set({ like: undefined }) }));
    this.root = el("form", { class: "s-find", role: "search", onsubmit: (event) => { event.preventDefault(); this.go(); } },
      this.kind, this.input, el("button", { type: "submit", class: "s-button s-small", "aria-label": "Search", title: "Search" }, icon("find")),
      this.like, this.spinner, this.note);
  }

  focus() { this.input.focus(); this.input.select(); }

  // Words are looked up while they are typed; a sentence waits for Enter, because it costs a model.
  typed() {
    clearTimeout(this.timer);
    const empty = this.input.value.trim() === "";
    if (this.kind.value === "text" || empty) this.timer = setTimeout(() => this.go(), WAIT_MS);
  }

  go() {
    clearTimeout(this.timer);
    const words = this.input.value.trim();
    const wanted = { text: undefined, meaning: undefined, ...(words ? { [this.kind.value]: words } : {}) };
    if (wanted.meaning) wanted.like = undefined; // one picture or one sentence, not both
    this.set(wanted);
  }

  async set(fields) {
    const find = Object.fromEntries(Object.entries({ ...this.find, ...fields }).filter(([, value]) => value));
    if (JSON.stringify(find) === JSON.stringify(this.find)) return;
    this.place(find);
    const sequence = ++this.sequence;
    if (find.meaning || find.like) {
      this.note.textContent = find.meaning ? "looking …" : "";
      this.spinner.hidden = false;
      const done = await attempt(() => post("curate/find", { rule: { dataset: this.dataset() }, find }));
      if (sequence !== this.sequence) return;
      this.spinner.hidden = true;
      if (!done) { this.note.textContent = "not found out"; this.find = {}; return; }
    }
    this.onfind(find, "step");
  }

  place(find) {
    this.find = find;
    const kind = find.meaning ? "meaning" : find.text ? "text" : this.kind.value;
    this.kind.value = kind;
    if (document.activeElement !== this.input) this.input.value = find.meaning ?? find.text ?? "";
    this.like.hidden = !find.like;
    if (find.like) this.likeImage.src = thumb(find.like);
    if (!Object.keys(find).length) { this.note.textContent = ""; this.spinner.hidden = true; }
  }

  show(found, total) {
    if (!found) { if (!Object.keys(this.find).length) this.note.textContent = ""; return; }
    const parts = [];
    if (found.text_captions !== null && found.text_captions !== undefined) parts.push(`${count(found.text_captions)} captions`);
    parts.push(`${count(total)} shown`);
    if (found.model) parts.push(`by ${found.model}`);
    this.note.textContent = parts.join(" · ");
  }
}
