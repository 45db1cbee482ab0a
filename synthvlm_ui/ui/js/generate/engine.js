// How a real generator is put together and held in memory, and whether drafts decide what is drawn in full.

import { el, field, options } from "../dom.js";

const CHOICES = [
  ["dtype", "Number format", ["auto", "bfloat16", "float16", "float32"]],
  ["offload", "Parts on the card", [["auto", "by its memory"], ["none", "all"], ["model", "one at a time"],
    ["sequential", "layer by layer"]]],
  ["vae", "Decoder", [["auto", "by memory"], "whole", "sliced", "tiled", ["tiny", "tiny (TAESD)"]]],
  ["attention", "Attention", ["auto", "native", "sliced", "xformers", "flash", "sage", "flex"]],
  ["scheduler", "Scheduler", [["", "model's own"], "euler", "euler-trailing", "euler-a", "dpm++", "dpm++-karras", "ddim",
    "ddim-trailing", "unipc", "lcm", "tcd"]],
];
const TEXTS = [
  ["lora", "LoRA", "file, directory or Hub id"],
  ["refiner", "Refiner", "directory or Hub id"],
];

function choice(input, entries) {
  options(input, entries.map((one) => (Array.isArray(one) ? one : [one, one])), "");
  return input;
}

export class EngineOptions {
  inputs = {};

  constructor() {
    const add = (name, input) => { this.inputs[name] = input; return input; };
    const flag = (name, text) => el("label", { class: "s-option" }, add(name, el("input", { type: "checkbox" })), text);
    this.engine = el("details", {}, el("summary", { text: "Engine" }), el("div", { class: "s-form" },
      el("div", { class: "s-trio" }, CHOICES.map(([name, label, entries]) => field(label, choice(add(name, el("select")), entries)))),
      el("div", { class: "s-pair" }, TEXTS.map(([name, label, placeholder]) => field(label,
        add(name, el("input", { placeholder, spellcheck: "false", maxlength: "400" }))))),
      el("div", { class: "s-trio" }, field("Refiner from", add("denoising_end", el("input", { type: "number", min: 0.05,
        max: 0.95, step: "any", placeholder: "0.8" }))), flag("compile", "Compile the blocks"), flag("fuse_qkv", "Fuse QKV")),
      el("p", { class: "s-hint", text: "Left alone, everything follows the memory of the card. What was chosen stands in "
        + "the job and with every image." })));
    this.drafts = el("details", {}, el("summary", { text: "Drafts first" }), el("div", { class: "s-form" },
      el("div", { class: "s-trio" },
        field("Draft's cosine at least", add("draft_clip_min", el("input", { type: "number", min: -1, max: 1, step: "any",
          placeholder: "off" }))),
        field("Steps of a draft", add("draft_num_inference_steps", el("input", { type: "number", min: 1, max: 1000,
          placeholder: "4" }))),
        field("Share to check", add("draft_audit", el("input", { type: "number", min: 0, max: 1, step: "any",
          placeholder: "0.05" })))),
      field("Draft generator", add("draft_generator", el("input", { placeholder: "the same, in fewer steps",
        spellcheck: "false" }))),
      el("p", { class: "s-hint", text: "A few-step draft of each caption is scored first; only captions whose draft reaches "
        + "the cosine are drawn in full. A share of the others is drawn too, to see what the gate costs." })));
    this.root = el("div", { class: "s-stack" }, this.engine, this.drafts);
  }

  // The small world has one engine, and nothing about it to choose.
  show(realGenerator) {
    this.engine.hidden = !realGenerator;
  }

  values() {
    const chosen = {};
    for (const [name, input] of Object.entries(this.inputs)) {
      if (this.engine.hidden && this.engine.contains(input)) continue;
      chosen[name] = input.type === "checkbox" ? input.checked : input.value.trim();
    }
    return chosen;
  }
}
