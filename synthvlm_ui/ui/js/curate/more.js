// The seldom wanted parts of a rule: a cap per cluster, skipping the very top, near-duplicates, and a random baseline.

import { el, field, options } from "../dom.js";

const DUPLICATES = [["", "keep them"], ["phash", "same picture (perceptual hash)"], ["embedding", "same content (embedding)"],
  ["both", "either of them"]];

export class MoreRules {
  // ``onchange(fields)`` with the fields of the rule that changed.
  constructor({ onchange }) {
    this.onchange = onchange;
    const whole = (label, key, placeholder, least, empty = null) => {
      const input = el("input", { type: "number", min: least, step: 1, placeholder, oninput: () => {
        const value = Number(input.value);
        if (input.value === "" && !input.validity.badInput) this.onchange({ [key]: empty });
        else if (Number.isInteger(value) && value >= least) this.onchange({ [key]: value });
      } });
      this[key] = input;
      return field(label, input);
    };
    this.duplicates = el("select", { onchange: () => this.onchange({ near_duplicates: this.duplicates.value || null }) });
    options(this.duplicates, DUPLICATES, "");
    this.bits = whole("Hash bits that may differ", "duplicate_bits", "8", 0);
    this.duplicate_cosine = el("input", { type: "number", min: 0.5, max: 1, step: 0.01, placeholder: "0.95", oninput: () => {
      const value = Number(this.duplicate_cosine.value);
      if (this.duplicate_cosine.value === "" || (value > 0 && value <= 1)) this.onchange({ duplicate_cosine: value || null });
    } });
    this.cosine = field("Cosine from which they are the same", this.duplicate_cosine);
    this.random = el("input", { type: "checkbox", onchange: () => this.onchange({ random: this.random.checked }) });
    this.seedField = whole("Seed", "seed", "0", 0);
    this.count = el("span", { class: "s-badge", hidden: true });
    this.root = el("details", { class: "s-fold" }, el("summary", {}, "More rules ", this.count),
      el("div", { class: "s-form" },
        el("div", { class: "s-pair" }, whole("At most per cluster", "per_cluster", "all", 1), whole("Skip the top", "skip_top", "0", 0)),
        field("Near-duplicates", this.duplicates),
        this.pair = el("div", { class: "s-pair" }, this.bits, this.cosine),
        el("div", { class: "s-pair s-end" }, el("label", { class: "s-option", title: "Takes at random instead of by score" }, this.random,
          "Random baseline"), this.seedField)));
  }

  place(rule) {
    const write = (input, value) => { if (document.activeElement !== input) input.value = value ?? ""; };
    for (const key of ["per_cluster", "skip_top", "duplicate_bits", "duplicate_cosine", "seed"]) write(this[key], rule[key] || "");
    const duplicates = rule.near_duplicates ?? (rule.drop_duplicates ? "phash" : null);
    this.duplicates.value = duplicates ?? "";
    this.bits.hidden = duplicates !== "phash" && duplicates !== "both";
    this.cosine.hidden = duplicates !== "embedding" && duplicates !== "both";
    this.pair.hidden = this.bits.hidden && this.cosine.hidden;
    this.random.checked = Boolean(rule.random);
    this.seedField.hidden = !rule.random;
    const on = [rule.per_cluster, rule.skip_top, duplicates, rule.random].filter(Boolean).length;
    this.count.hidden = on === 0;
    this.count.textContent = `${on} on`;
  }
}
