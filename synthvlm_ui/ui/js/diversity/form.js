// What to measure: sets, parts, embedder, numbers. Knows no result.

import { Latest, post } from "../api.js";
import { el, field } from "../dom.js";
import { plural } from "../format.js";
import { workspace } from "../workspace.js";

export class Form {
  constructor({ onstart, oncommand }) {
    Object.assign(this, { onstart, oncommand, chosen: null, timer: 0,
      commands: new Latest((settings) => post("diversity/command", settings), (found) => oncommand(found.command), () => oncommand("")) });
    const changed = () => this.changed();
    this.sets = el("div", { class: "s-div-sets" });
    const number = (value, min, max) => el("input", { type: "number", value, min, max, step: 1, oninput: changed });
    this.embedder = el("input", { value: "lm", list: "s-div-embedders", autocomplete: "off", spellcheck: "false", oninput: changed });
    this.known = el("datalist", { id: "s-div-embedders" });
    [this.k, this.fits, this.seed] = [number(20, 2, 1000), number(5, 1, 100), number(0, 0, 2 ** 31)];
    const check = (text, on, title) => {
      const input = el("input", { type: "checkbox", checked: on, onchange: changed });
      return [input, el("label", { class: "s-option", title }, input, text)];
    };
    const [dropped, droppedLabel] = check("what selections drop", false, "Also measure the candidates that a selection leaves out");
    const [real, realLabel] = check("real images", false, "Also measure the captions that have a real image, or those images");
    const [elbow, elbowLabel] = check("elbow, K from 2 to 40", false, "Within-cluster sum of squares for each K");
    Object.assign(this, { dropped, real, elbow });
    this.note = el("p", { class: "s-hint" });
    this.button = el("button", { type: "submit", class: "s-button s-primary", text: "Measure diversity" });
    this.root = el("form", { class: "s-card s-form s-div-form", onsubmit: (event) => { event.preventDefault(); this.onstart(this.settings()); } },
      el("h2", { text: "What to measure" }),
      el("fieldset", { class: "s-plain-set" }, el("legend", { text: "Sets, clustered together" }), this.sets),
      el("fieldset", { class: "s-plain-set" }, el("legend", { text: "Also" }), el("div", { class: "s-row" }, droppedLabel, realLabel, elbowLabel)),
      field("Embeddings by", this.embedder, this.note), this.known,
      el("div", { class: "s-trio" }, field("Clusters K", this.k), field("Fits in the band", this.fits), field("Seed", this.seed)),
      el("div", {}, this.button));
  }

  offer(embedders) {
    this.embedders = embedders;
    this.known.replaceChildren(...embedders.map((one) => el("option", { value: one.name, label: one.note })));
    this.explain();
  }

  explain() {
    const kind = this.embedder.value.split(":")[0];
    this.note.textContent = this.embedders?.find((one) => one.name === kind)?.note ?? "A sentence encoder: Hub id or directory.";
  }

  show() {
    const sets = workspace.datasets.map((set) => ({ kind: "datasets", name: set.name, note: plural(set.captions, "caption") }));
    sets.push(...workspace.selections.map((name) => ({ kind: "selections", name, note: "selection" })));
    const key = JSON.stringify(sets);
    this.button.disabled = workspace.readOnly || sets.length === 0;
    if (key === this.shown) return;
    this.shown = key;
    const before = this.checked();
    this.sets.replaceChildren(...sets.map((set) => {
      const on = this.chosen === null ? set.kind === "datasets" : before.has(`${set.kind}/${set.name}`);
      const input = el("input", { type: "checkbox", checked: on, onchange: () => this.changed() });
      Object.assign(input.dataset, { kind: set.kind, name: set.name });
      return el("label", { class: "s-option" }, input, el("span", { text: set.name }), el("small", { class: "s-subdued", text: set.note }));
    }));
    this.chosen = true;
    this.changed();
  }

  checked() {
    return new Set([...this.sets.querySelectorAll("input:checked")].map((input) => `${input.dataset.kind}/${input.dataset.name}`));
  }

  settings() {
    const names = (kind) => [...this.sets.querySelectorAll("input:checked")].filter((input) => input.dataset.kind === kind)
      .map((input) => input.dataset.name);
    return { datasets: names("datasets"), selections: names("selections"),
      parts: [this.dropped.checked && "dropped", this.real.checked && "real"].filter(Boolean), embedder: this.embedder.value.trim() || "lm",
      k: Number(this.k.value) || 20, fits: Number(this.fits.value) || 5, seed: Number(this.seed.value) || 0,
      elbow: this.elbow.checked ? [2, 40] : null };
  }

  changed() {
    this.explain();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.commands.ask(this.settings()), 150);
  }
}

