// The controls of a selection rule: dataset, preset, lambda, a histogram with two bounds for each score, and how many.
// What is seldom wanted stands in ``more.js``, the filter in ``filter.js``; all of them change the same rule.

import { el, field, options, uniqueId } from "../dom.js";
import { SCALES, chooseScale, scale, scaleName } from "../format.js";
import { Filter } from "./filter.js";
import { Histogram } from "./histogram.js";
import { MoreRules } from "./more.js";
import { freshRule } from "./state.js";
import { joinWhere, splitWhere } from "./where.js";

const PRESETS = [["paper", "SynthVLM paper"], ["bettersynth", "BetterSynth"], ["flare", "FLARE"], ["normalised", "Normalised"]];
const PLAIN = { factor: 1, digits: 3, name: "" };
const MINIMA = { clip_cosine: "clip_min", ssim: "ssim_min", combined: "combined_min" };
const TITLES = { clip_cosine: "CLIPScore", ssim: "SSIM", combined: "CLIPScore + λ·SSIM" };
const UNIT = "synthvlm.threshold_unit";

// ``onchange(rule, how)`` after every change of a control; ``how`` is "drag" where more of the same will follow.
// ``exact(column, percentile)``: see Histogram.
export class RulePanel {
  constructor({ onchange, exact }) {
    Object.assign(this, { rule: freshRule(""), onchange, exact, resolvedWeight: 0.5, columns: [], histograms: {} });
    try { this.unit = localStorage.getItem(UNIT) === "percentile" ? "percentile" : "value"; } catch { this.unit = "value"; }
    this.buildHead();
    this.buildWeight();
    this.buildCut();
    this.filter = new Filter({ onchange: (text) => this.changeBounds({}, text) });
    this.more = new MoreRules({ onchange: (fields) => this.change(fields) });
    this.plots = { first: el("div", { class: "s-plots" }), combined: el("div", { class: "s-plots" }), other: el("div", { class: "s-plots" }) };
    for (const column of ["clip_cosine", "ssim", "combined"]) this.add(column);
    this.legend = el("div", { class: "s-legend", "aria-hidden": "true" }, el("span", { class: "s-key-all", text: "all" }),
      el("span", { class: "s-key-kept", text: "kept" }), this.realKey = el("span", { class: "s-key-real", text: "real, same area" }));
    this.root = el("div", { class: "s-rule" }, el("div", { class: "s-pair" }, this.datasetField, this.presetField),
      this.legend, this.plots.first, this.weightField, this.plots.combined, this.plots.other, this.addField, this.cutSet, this.checks,
      this.filter.root, this.more.root, el("div", { class: "s-row s-between" }, this.scaleField, this.unitField), this.reset);
  }

  buildHead() {
    this.dataset = el("select", { onchange: () => this.change({ ...freshRule(this.dataset.value) }, "step") });
    this.datasetField = field("Dataset", this.dataset);
    this.preset = el("select", { onchange: () => this.change({ preset: this.preset.value, ssim_weight: null }, "step") });
    options(this.preset, PRESETS, "paper");
    this.presetField = field("Preset", this.preset);
    const scales = el("select", { onchange: () => chooseScale(scales.value) });
    options(scales, Object.entries(SCALES).map(([key, one]) => [key, one.name]), scaleName());
    this.scaleField = field("CLIPScore as", scales);
    const units = el("select", { onchange: () => this.chooseUnit(units.value) });
    options(units, [["value", "values"], ["percentile", "percentiles"]], this.unit);
    this.unitField = field("Thresholds as", units);
    this.others = el("select", { onchange: () => { this.add(this.others.value); this.others.value = ""; this.onchange(this.rule, "columns"); } });
    this.addField = field("Another score", this.others);
    this.addField.hidden = true;
    this.reset = el("button", { type: "button", class: "s-button s-small", text: "Reset the rule",
      onclick: () => { this.filter.complain(""); this.change(freshRule(this.rule.dataset), "step"); } });
  }

  buildWeight() {
    const slid = (input) => { if (input.value !== "") this.change({ ssim_weight: Number(input.value) }); };
    this.weight = el("input", { type: "range", min: 0, max: 2, step: 0.01, "aria-label": "Weight lambda of SSIM",
      oninput: () => slid(this.weight) });
    this.weightNumber = el("input", { type: "number", min: 0, step: 0.01, id: uniqueId("lambda"),
      oninput: () => slid(this.weightNumber) });
    this.share = el("p", { class: "s-hint" });
    this.shareBar = el("div", { class: "s-share", "aria-hidden": "true" }, el("div"), el("div"));
    this.weightField = el("div", { class: "s-weight" },
      el("label", { for: this.weightNumber.id, text: "λ, weight of SSIM" }), this.weight, this.weightNumber, this.shareBar, this.share);
  }

  buildCut() {
    const name = uniqueId("cut");
    const number = (key, label, limits) => {
      const input = el("input", { type: "number", "aria-label": label, ...limits,
        oninput: () => this.change({ top_k: null, keep_ratio: null, ...this.cutOf(key, input.value) }) });
      return input;
    };
    this.topK = number("top_k", "How many to keep", { min: 1, step: 1, placeholder: "100" });
    this.ratio = number("keep_ratio", "Percent to keep", { min: 0.1, max: 100, step: 0.1, placeholder: "10" });
    this.cuts = ["none", "top_k", "keep_ratio"].map((value) => el("input", { type: "radio", name, value,
      onchange: () => this.chooseCut(value) }));
    const option = (place, ...parts) => el("label", { class: "s-option" }, this.cuts[place], ...parts);
    this.cutSet = el("fieldset", { class: "s-plain-set" }, el("legend", { text: "Of those, keep" }),
      el("div", { class: "s-row" }, option(0, "all"), el("div", { class: "s-option" }, option(1, "the best"), this.topK),
        el("div", { class: "s-option" }, option(2, "the best"), this.ratio, el("span", { text: "%" }))));
    const check = (key, text, title, value) => {
      this[key] = el("input", { type: "checkbox", onchange: () => this.change({ [key]: this[key].checked ? true : value }) });
      return el("label", { class: "s-option", title }, this[key], text);
    };
    this.checks = el("div", { class: "s-row" }, check("best_per_caption", "Best per caption", "Only the best candidate of each caption", null),
      check("guards", "Guards", "Drop blank, blurred and flat images, which SSIM rewards", false));
  }

  cutOf(key, text) {
    const value = Number(text);
    if (text === "" || !(value > 0)) return {};
    return key === "top_k" ? { top_k: Math.round(value) } : { keep_ratio: Math.min(1, value / 100) };
  }

  chooseCut(value) {
    if (value === "none") return this.change({ top_k: null, keep_ratio: null });
    const input = value === "top_k" ? this.topK : this.ratio;
    input.value ||= input.placeholder;
    return this.change({ top_k: null, keep_ratio: null, ...this.cutOf(value, input.value) });
  }

  chooseUnit(unit) {
    this.unit = unit;
    try { localStorage.setItem(UNIT, unit); } catch { /* storage is off */ }
    for (const one of Object.values(this.histograms)) one.set({ min: one.min, max: one.max }, true);
  }

  // Histograms: three are always there, others as the reader adds them.
  add(column) {
    if (!column || this.histograms[column]) return;
    const extra = !(column in MINIMA);
    const made = new Histogram({ title: TITLES[column] ?? column, column, display: column === "clip_cosine" ? scale : () => PLAIN,
      unit: () => this.unit, exact: this.exact, onchange: (lines) => this.changeBounds({ [column]: lines }),
      onremove: extra ? () => this.remove(column) : null });
    this.histograms[column] = made;
    this.plots[extra ? "other" : column === "combined" ? "combined" : "first"].append(made.root);
  }

  remove(column) {
    const histogram = this.histograms[column];
    delete this.histograms[column];
    histogram.root.remove();
    if (histogram.min !== null || histogram.max !== null) this.changeBounds({ [column]: {} });
    this.offer(this.columns);
  }

  get shownColumns() { return Object.keys(this.histograms); }

  offer(columns) {
    this.columns = columns;
    const free = columns.filter((name) => !this.histograms[name]);
    this.addField.hidden = free.length === 0;
    const entries = [["", "choose …"], ...free.map((name) => [name, name])];
    const now = entries.map(([value]) => value).join();
    if (now !== this.offered) { this.offered = now; options(this.others, entries, ""); }
  }

  // Lower bounds of the three known scores are fields of the rule, all other bounds parts of its filter.
  changeBounds(changed, text = null) {
    const { bounds, rest } = splitWhere(this.rule.where, this.boundable);
    const fields = {};
    for (const [column, { min = null, max = null }] of Object.entries(changed)) {
      const least = MINIMA[column];
      if (least) fields[least] = min;
      bounds[column] = least ? { max } : { min, max };
    }
    this.change({ ...fields, where: joinWhere(bounds, text ?? rest) });
  }

  // The server has read this filter: what was wrong with the one in the field is over when it is the same.
  accepted(where) {
    if (splitWhere(where, this.boundable).rest === this.filter.applied) this.filter.complain("");
  }

  get boundable() { return [...new Set([...Object.keys(MINIMA), ...this.columns, ...this.shownColumns])]; }

  change(fields, how = "drag") {
    this.rule = { ...this.rule, ...fields };
    this.place();
    this.onchange(this.rule, how);
  }

  // Writes the rule into the controls; a field somebody types in is left alone.
  place() {
    const { rule } = this;
    const write = (input, text) => { if (document.activeElement !== input) input.value = text; };
    this.dataset.value = rule.dataset;
    this.preset.value = rule.preset;
    const weight = rule.ssim_weight ?? this.resolvedWeight;
    write(this.weight, weight);
    write(this.weightNumber, weight);
    const { bounds, rest } = splitWhere(rule.where, this.boundable);
    for (const column of Object.keys(bounds)) this.add(column);
    for (const [column, histogram] of Object.entries(this.histograms)) {
      const least = MINIMA[column];
      histogram.set({ ...bounds[column], ...(least && rule[least] !== null && rule[least] !== undefined ? { min: rule[least] } : {}) });
    }
    this.cuts[rule.top_k ? 1 : rule.keep_ratio ? 2 : 0].checked = true;
    write(this.topK, rule.top_k ?? "");
    write(this.ratio, rule.keep_ratio ? Number((100 * rule.keep_ratio).toPrecision(4)) : "");
    this.best_per_caption.checked = Boolean(rule.best_per_caption);
    this.guards.checked = rule.guards !== false;
    this.filter.place(rest);
    this.more.place(rule);
  }

  show({ rule, histograms, yield: counted, score_columns: columns }) {
    if (rule) this.resolvedWeight = rule.ssim_weight;
    if (columns) this.offer(columns);
    if (histograms) {
      for (const [column, histogram] of Object.entries(this.histograms)) histogram.show(histograms[column]);
      this.realKey.hidden = !Object.values(histograms).some((one) => one?.real);
    }
    const share = counted?.variance_share?.ssim;
    if (counted) {
      this.share.textContent = share === null || share === undefined ? ""
        : `${Math.round(100 * share)} % of what tells candidates apart comes from SSIM.`;
      this.shareBar.firstChild.style.width = `${100 * (1 - (share ?? 0))}%`;
      this.shareBar.hidden = share === null || share === undefined;
    }
    this.place();
  }

  // Whether a link's filter has brought up histograms that were not asked for; said once, since the server shows only so many.
  lacks(histograms) {
    const lacking = this.shownColumns.filter((name) => !(name in histograms)).join();
    const news = lacking !== "" && lacking !== this.lacking;
    this.lacking = lacking;
    return news;
  }

  rescale() { for (const histogram of Object.values(this.histograms)) if (histogram.data) histogram.show(histogram.data, true); }
}
