// One rule of the curation: on or off, its limits on a histogram, its other settings, and why it cannot be applied.

import { Histogram } from "../curate/histogram.js";
import { el, field, uniqueId } from "../dom.js";

const SKILLS = ["count", "position", "colour", "text"];
const WHEN_ON = { tokens: { max: 77 }, exact_duplicates: { max: 0 }, near_duplicates: { max: 0.8 }, shared_ngrams: { max: 0.8 },
  prompt_echo: { max: 0 }, llm_gate: { min: 1 }, words: { min: 3 }, characters: { min: 10 } };
const TWO_VALUED = new Set(["exact_duplicates", "prompt_echo", "llm_gate"]);

// ``onchange(values | null, part)``: what the rule is set to now, null when it is off, and which setting was changed.
export class RuleRow {
  constructor(rule, onchange) {
    Object.assign(this, { name: rule.name, title: rule.title, digits: rule.digits, onchange, values: {}, remembered: null });
    this.on = el("input", { type: "checkbox", id: uniqueId("rule"), onchange: () => this.switched() });
    this.summary = el("span", { class: "s-subdued s-rule-limits" });
    this.about = el("p", { class: "s-hint", text: rule.about });
    this.missing = el("p", { class: "s-hint s-rule-missing" });
    this.inner = el("div", { class: "s-rule s-rule-inner" }, this.about, this.missing);
    if (rule.name !== "difficulty" && !TWO_VALUED.has(rule.name)) this.buildHistogram();
    this.inputs = Object.entries(rule.parameters).map(([name, parameter]) => this.parameter(name, parameter));
    this.inner.append(...this.inputs.map((one) => one.root));
    // The switch stands beside the summary, not in it: a control inside a control is lost to screen readers.
    this.details = el("details", {}, el("summary", {}, el("span", { class: "s-rule-head" }, el("span", { text: rule.title }), this.summary)),
      this.inner);
    this.root = el("div", { class: "s-rule-row", "data-rule": rule.name },
      el("label", { class: "s-rule-switch", title: `Apply ${rule.title}` }, this.on, el("span", { class: "s-unseen", text: `Apply ${rule.title}` })),
      this.details);
  }

  buildHistogram() {
    this.histogram = new Histogram({ title: this.title, column: this.name, unit: () => "value", exact: async () => null,
      display: () => ({ factor: 1, digits: this.digits, name: "" }), onchange: (bounds) => this.bounded(bounds) });
    this.inner.append(this.histogram.root);
  }

  parameter(name, parameter) {
    if (parameter.kind === "names") {
      const boxes = SKILLS.map((skill) => el("input", { type: "checkbox", value: skill, onchange: () => this.put(name,
        boxes.filter((box) => box.checked).map((box) => box.value)) }));
      const root = el("fieldset", { class: "s-plain-set" }, el("legend", { text: "Reject captions that need" }),
        el("div", { class: "s-row" }, boxes.map((box) => el("label", { class: "s-option" }, box, box.value))));
      return { name, root, write: (value) => { for (const box of boxes) box.checked = (value ?? []).includes(box.value); } };
    }
    const numeric = parameter.kind !== "text";
    const input = el("input", { type: numeric ? "number" : "text", step: parameter.kind === "whole" ? 1 : "any", spellcheck: "false",
      placeholder: parameter.default === null ? "none" : String(parameter.default),
      onchange: () => this.put(name, input.value.trim() === "" ? null : numeric ? input.valueAsNumber : input.value.trim()) });
    const write = (value) => { if (document.activeElement !== input) input.value = value ?? ""; };
    return { name, root: field(`${name.replaceAll("_", " ")}: ${parameter.about}`, input), write };
  }

  printed(value) { return this.digits === 0 ? String(Math.round(value)) : value.toPrecision(3); }

  switched() {
    if (this.on.checked) {
      this.onchange(this.remembered ?? WHEN_ON[this.name] ?? {}, "");
      if (this.name === "difficulty") this.details.open = true;
    } else {
      this.remembered = this.values;
      this.onchange(null, "");
    }
  }

  bounded({ min, max }) {
    const part = min !== (this.values.min ?? null) ? "min" : "max";
    const values = { ...this.values };
    for (const [side, value] of [["min", min], ["max", max]]) if (value === null) delete values[side]; else values[side] = value;
    if (values.min !== undefined) delete values.keep_ratio;
    this.values = values;
    this.onchange(values, part);
    this.write();
  }

  put(name, value) {
    const values = { ...this.values };
    if (value === null || Number.isNaN(value)) delete values[name]; else values[name] = value;
    if (name === "keep_ratio" && value !== null) delete values.min;
    this.values = values;
    this.onchange(values, name);
  }

  show(rule, histogram) {
    this.values = rule.values;
    this.on.checked = rule.on;
    this.missing.textContent = rule.unavailable ? `Not available: ${rule.unavailable}` : "";
    this.missing.hidden = !rule.unavailable;
    this.root.classList.toggle("s-rule-off", !rule.on);
    if (this.histogram) {
      this.histogram.root.hidden = !histogram;
      this.histogram.set({ min: rule.values.min ?? null, max: rule.values.max ?? null });
      if (histogram) this.histogram.show(histogram);
    }
    for (const one of this.inputs) one.write(rule.values[one.name]);
    this.write();
  }

  write() {
    const { min, max } = this.values;
    const side = (value, sign) => (value === undefined ? "" : `${sign} ${Number(value.toPrecision(4))}`);
    this.summary.textContent = !this.on.checked ? "off"
      : this.missing.textContent ? "not available"
        : TWO_VALUED.has(this.name) ? "on"
          : [side(min, "≥"), side(max, "≤"), this.values.keep_ratio && `top ${100 * this.values.keep_ratio} %`,
            this.values.exclude?.length && `not ${this.values.exclude.join(", ")}`].filter(Boolean).join(", ") || "on";
  }
}
