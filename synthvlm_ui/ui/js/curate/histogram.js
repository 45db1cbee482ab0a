// One score: its histogram, and the two bounds as lines to drag, fields to type into, values or percentiles.
// Knows a score's name and scale; what a bound does to the rule is its owner's.

import { el, icon, uniqueId } from "../dom.js";
import { count } from "../format.js";
import { Plot } from "./plot.js";

const WORDS = { min: ["≥", "at least"], max: ["≤", "at most"] };

// ``onchange({min, max})`` while a bound moves. ``display()`` gives {factor, digits, name} of the numbers shown;
// ``exact(column, percentile)`` resolves to the value there; ``unit()`` is "value" or "percentile".
export class Histogram {
  constructor({ title, column, onchange, display, unit, exact, onremove = null }) {
    Object.assign(this, { title, column, onchange, display, unit, exact, min: null, max: null, data: null });
    this.plot = new Plot({ title, onmove: (lines) => this.moved(lines), printed: (value) => this.printed(value) });
    this.fields = { min: this.bound("min"), max: this.bound("max") };
    this.mean = el("span", { class: "s-mean" });
    this.ends = el("div", { class: "s-ends", "aria-hidden": "true" }, el("span"), el("span"));
    this.named = el("span", { class: "s-subdued" });
    this.problem = el("p", { class: "s-field-problem", role: "alert", id: uniqueId("problem") });
    this.off = el("button", { type: "button", class: "s-button s-small", title: "No threshold",
      "aria-label": `${title}: no threshold`, onclick: () => this.choose({ min: null, max: null }) }, icon("cross"));
    this.root = el("section", { class: "s-histogram", "data-column": column, "aria-label": title },
      el("div", { class: "s-histogram-head" }, el("h3", { text: title }), this.named, this.mean, this.off,
        onremove && el("button", { type: "button", class: "s-button s-small", "aria-label": `Remove the histogram of ${title}`,
          text: "Remove", onclick: onremove })),
      this.plot.root, this.ends,
      el("div", { class: "s-bounds" }, this.fields.min.root, this.fields.max.root), this.problem);
  }

  bound(which) {
    const [sign, words] = WORDS[which];
    const input = el("input", { type: "text", inputmode: "decimal", placeholder: "off", id: uniqueId("bound"), autocomplete: "off",
      spellcheck: "false", "aria-label": `${this.title} ${words}`, oninput: () => this.typed(which),
      onchange: () => this.settle(which), onblur: () => this.left(which) });
    const other = el("span", { class: "s-other-unit" });
    return { input, other, root: el("div", { class: `s-bound s-bound-${which}` },
      el("label", { for: input.id, text: sign, title: words, "aria-hidden": "true" }), input, other) };
  }

  printed(value) {
    const { factor, digits } = this.display();
    return (value * factor).toFixed(digits);
  }

  moved(lines) {
    const rounded = (value) => (value === null ? null : Number(value.toPrecision(6)));
    this.choose({ min: rounded(lines.min), max: rounded(lines.max) });
  }

  choose(lines) {
    this.complain("");
    this.set(lines, true);
    this.onchange({ min: this.min, max: this.max });
  }

  // A field somebody types in is left alone unless ``rewrite``.
  set({ min = null, max = null }, rewrite = false) {
    this.min = min;
    this.max = max;
    this.plot.place({ min, max });
    for (const which of ["min", "max"]) this.write(which, rewrite);
    this.off.hidden = min === null && max === null;
  }

  write(which, rewrite) {
    const { input, other } = this.fields[which];
    const value = this[which];
    const { factor, digits } = this.display();
    const typing = document.activeElement === input || input.hasAttribute("aria-invalid");
    const shown = value === null ? "" : (value * factor).toFixed(digits + 1);
    const place = value === null ? null : this.percentileOf(value);
    const inPercent = this.unit() === "percentile";
    if (rewrite || !typing) input.value = inPercent ? (place === null ? "" : place.toFixed(1)) : shown;
    other.textContent = value === null ? (inPercent ? "percentile" : "") : inPercent ? shown
      : place === null ? "" : `${place.toFixed(1)} %ile`;
  }

  typed(which) {
    const text = this.fields[which].input.value.trim().replace(",", ".").replace(/%$/, "");
    if (text === "") { this.put(which, null); return; }
    const number = Number(text);
    if (!Number.isFinite(number)) {
      const kept = this[which] === null ? "No bound is set." : `The bound stays ${this.printed(this[which])}.`;
      this.complain(`“${text.slice(0, 40)}” is no number. ${kept}`, which);
      return;
    }
    if (this.unit() !== "percentile") { this.put(which, number / this.display().factor); return; }
    if (number < 0 || number > 100) { this.complain("A percentile lies between 0 and 100.", which); return; }
    this.put(which, this.valueAt(number));
  }

  put(which, value) {
    this.complain("");
    this[which] = value;
    this.plot.place({ min: this.min, max: this.max });
    this.write(which, false);
    this.off.hidden = this.min === null && this.max === null;
    this.onchange({ min: this.min, max: this.max });
  }

  // What was typed as a percentile becomes exact once it is done.
  async settle(which) {
    const text = this.fields[which].input.value.trim().replace(",", ".").replace(/%$/, "");
    if (this.unit() !== "percentile" || text === "" || !(Number(text) >= 0 && Number(text) <= 100)) return;
    const value = await this.exact(this.column, Number(text));
    if (value !== null && value !== undefined && this.unit() === "percentile") this.put(which, value);
  }

  left(which) {
    const { input } = this.fields[which];
    if (input.hasAttribute("aria-invalid")) return; // the text stays, with its message
    this.write(which, true);
  }

  complain(text, which = null) {
    this.problem.textContent = text;
    for (const [name, { input }] of Object.entries(this.fields)) {
      if (text && name === which) {
        input.setAttribute("aria-invalid", "true");
        input.setAttribute("aria-describedby", this.problem.id);
      } else if (!text) {
        input.removeAttribute("aria-invalid");
        input.removeAttribute("aria-describedby");
      }
    }
  }

  // Between two whole percentiles a straight line is near enough to look at.
  percentileOf(value) {
    const table = this.data?.percentiles;
    if (!table?.length) return null;
    const last = table.length - 1;
    if (value <= table[0]) return 0;
    if (value >= table[last]) return 100;
    let low = 0, high = last;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (table[middle] <= value) low = middle; else high = middle;
    }
    return 100 * (low + (value - table[low]) / (table[high] - table[low] || 1)) / last;
  }

  valueAt(percentile) {
    const table = this.data?.percentiles;
    if (!table?.length) return this.plot.low + (percentile / 100) * (this.plot.high - this.plot.low);
    const at = (percentile / 100) * (table.length - 1);
    const low = Math.floor(at), high = Math.min(table.length - 1, low + 1);
    return Number((table[low] + (at - low) * (table[high] - table[low])).toPrecision(6));
  }

  show(data, rewrite = false) {
    this.data = data;
    const { factor, digits, name } = this.display();
    this.named.textContent = name ? `(${name})` : "";
    const empty = !data || data.min === null || data.min === undefined;
    this.root.classList.toggle("s-without", empty);
    for (const { input } of Object.values(this.fields)) input.disabled = empty;
    if (empty) {
      this.plot.clear(`${this.title}: no scores yet`);
      this.mean.textContent = "no scores yet";
      this.ends.hidden = true;
      return;
    }
    const shown = (value) => (value * factor).toFixed(digits);
    const sum = (values) => values.reduce((a, b) => a + b, 0);
    const real = data.real ? sum(data.real) : 0;
    this.plot.draw(data, `${this.title}: ${count(sum(data.all))} candidates from ${shown(data.min)} to ${shown(data.max)}, `
      + `${count(sum(data.kept))} kept${real ? `, ${count(real)} real images as an outline` : ""}`);
    this.ends.hidden = false;
    this.ends.firstChild.textContent = shown(data.edges[0]);
    this.ends.lastChild.textContent = shown(data.edges.at(-1));
    this.mean.textContent = `mean ${shown(data.mean)} ± ${shown(data.std)}`;
    this.mean.title = data.real_mean === null || data.real_mean === undefined ? "" : `real images: mean ${shown(data.real_mean)}`;
    this.set({ min: this.min, max: this.max }, rewrite);
  }
}
