// The controls of a selection rule: dataset, preset, lambda, three thresholds, best per caption, guards, how many.

import { el, field, options, uniqueId } from "./dom.js";
import { SCALES, chooseScale, scale, scaleName } from "./format.js";
import { Histogram } from "./histogram.js";

const PRESETS = [["paper", "SynthVLM paper"], ["bettersynth", "BetterSynth"], ["flare", "FLARE"], ["normalised", "Normalised"]];
const PLAIN = { factor: 1, digits: 3, name: "" };

export const freshRule = (dataset) => ({ dataset, preset: "paper", ssim_weight: null, clip_min: null, ssim_min: null,
  combined_min: null, best_per_caption: false, guards: true, top_k: null, keep_ratio: null });

// ``onchange(rule)`` after every change of a control.
export class RulePanel {
  constructor({ onchange }) {
    this.rule = freshRule("");
    this.onchange = onchange;
    this.resolvedWeight = 0.5;
    const threshold = (title, column, key, display) => new Histogram({ title, column, display,
      onchange: (value) => this.change({ [key]: value }) });
    this.histograms = {
      clip_cosine: threshold("CLIPScore", "clip_cosine", "clip_min", scale),
      ssim: threshold("SSIM", "ssim", "ssim_min", () => PLAIN),
      combined: threshold("CLIPScore + λ·SSIM", "combined", "combined_min", () => PLAIN),
    };
    this.buildHead();
    this.buildWeight();
    this.buildCut();
    this.root = el("div", { class: "s-rule" }, el("div", { class: "s-pair" }, this.datasetField, this.presetField),
      this.histograms.clip_cosine.root, this.histograms.ssim.root, this.weightField, this.histograms.combined.root,
      el("div", { class: "s-legend", "aria-hidden": "true" }, el("span", { class: "s-key-all", text: "all" }),
        el("span", { class: "s-key-kept", text: "kept" })),
      this.cutSet, this.checks, el("div", { class: "s-row s-between" }, this.scaleField, this.reset));
  }

  buildHead() {
    this.dataset = el("select", { onchange: () => this.change({ ...freshRule(this.dataset.value) }) });
    this.datasetField = field("Dataset", this.dataset);
    this.preset = el("select", { onchange: () => this.change({ preset: this.preset.value, ssim_weight: null }) });
    options(this.preset, PRESETS, "paper");
    this.presetField = field("Preset", this.preset);
    const scales = el("select", { onchange: () => chooseScale(scales.value) });
    options(scales, Object.entries(SCALES).map(([key, one]) => [key, one.name]), scaleName());
    this.scaleField = field("CLIPScore as", scales);
    this.reset = el("button", { type: "button", class: "s-button s-small", text: "Reset the rule",
      onclick: () => this.change(freshRule(this.rule.dataset)) });
  }

  buildWeight() {
    const slid = (input) => { if (input.value !== "") this.change({ ssim_weight: Number(input.value) }); };
    this.weight = el("input", { type: "range", min: 0, max: 2, step: 0.01, "aria-label": "Weight lambda of SSIM",
      oninput: () => slid(this.weight) });
    this.weightNumber = el("input", { type: "number", min: 0, step: 0.01, id: uniqueId("lambda"),
      oninput: () => slid(this.weightNumber) });
    this.share = el("p", { class: "s-hint" });
    this.weightField = el("div", { class: "s-weight" },
      el("label", { for: this.weightNumber.id, text: "λ, weight of SSIM" }), this.weight, this.weightNumber, this.share);
  }

  buildCut() {
    const name = uniqueId("cut");
    const number = (key, label, limits) => {
      const input = el("input", { type: "number", "aria-label": label, ...limits,
        oninput: () => this.change({ top_k: null, keep_ratio: null, ...this.cutOf(key, input.value) }, key) });
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
    const check = (key, text, title) => {
      this[key] = el("input", { type: "checkbox", onchange: () => this.change({ [key]: this[key].checked }) });
      return el("label", { class: "s-option", title }, this[key], text);
    };
    this.checks = el("div", { class: "s-row" }, check("best_per_caption", "Best per caption", "Only the best candidate of each caption"),
      check("guards", "Guards", "Drop blank, blurred and flat images, which SSIM rewards"));
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

  change(fields) {
    this.rule = { ...this.rule, ...fields };
    this.place();
    this.onchange(this.rule);
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
    this.histograms.clip_cosine.set(rule.clip_min);
    this.histograms.ssim.set(rule.ssim_min);
    this.histograms.combined.set(rule.combined_min);
    this.cuts[rule.top_k !== null ? 1 : rule.keep_ratio !== null ? 2 : 0].checked = true;
    write(this.topK, rule.top_k ?? "");
    write(this.ratio, rule.keep_ratio === null ? "" : Number((100 * rule.keep_ratio).toPrecision(4)));
    this.best_per_caption.checked = rule.best_per_caption;
    this.guards.checked = rule.guards;
  }

  show({ rule, histograms, yield: counted }) {
    this.resolvedWeight = rule.ssim_weight;
    for (const [column, histogram] of Object.entries(this.histograms)) histogram.show(histograms[column]);
    const share = counted.variance_share;
    this.share.textContent = share?.ssim === null || share?.ssim === undefined ? ""
      : `${Math.round(100 * share.ssim)} % of what tells candidates apart comes from SSIM.`;
    this.place();
  }

  rescale() { for (const histogram of Object.values(this.histograms)) if (histogram.data) histogram.show(histogram.data, true); }
}
