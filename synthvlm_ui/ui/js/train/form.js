// What to train: recipe and preset, data with weights, where it goes, settings. Shows the checks before the start.

import { Latest, post } from "../api.js";
import { el, field, options } from "../dom.js";
import { count, plural } from "../format.js";
import { isActive, workspace } from "../workspace.js";

const RECIPES = { "synth2-tokens": "VLM from picture tokens (Synth²)", "synth2-pixels": "VLM from pixels (Synth²)",
  "synth2-generator": "Token generator (Synth²)", "synth2-vq": "Picture tokenizer (Synth²)",
  "llava-stage1": "LLaVA stage 1: projector", "llava-stage2": "LLaVA stage 2: projector and language model",
  "llava-lora": "LLaVA with LoRA" };
const MARKS = { ok: ["✓", "s-keep"], warning: ["!", "s-warned"], failed: ["✗", "s-reject"] };

export class TrainForm {
  constructor({ onstart, oncommand }) {
    Object.assign(this, { onstart, oncommand, recipes: [] });
    const changed = () => this.changed();
    const text = (placeholder, more = {}) => el("input", { type: "text", placeholder, autocomplete: "off", spellcheck: "false", oninput: changed, ...more });
    const number = (more) => el("input", { type: "number", oninput: changed, ...more });
    this.recipe = el("select", { onchange: () => this.chooseRecipe() });
    this.preset = el("select", { onchange: () => this.choosePreset() });
    this.presetNote = el("p", { class: "s-hint" });
    this.sets = el("div", { class: "s-train-sets" });
    [this.data, this.images] = [text("pairs.json, on the server"), text("folder of its images")];
    this.out = text("a name, or a path on the server", { oninput: () => { this.named = this.out.value !== ""; changed(); } });
    this.start_ = text("the parts that ship with the app", { list: "s-train-models" });
    this.models = el("datalist", { id: "s-train-models" });
    this.vision = text("only when starting from a language model");
    this.language = text("the one that ships with the app");
    this.split = text("all; or train,restval");
    [this.steps, this.batch] = [number({ min: 1 }), number({ min: 1 })];
    this.rate = text("", { inputmode: "decimal" });
    this.seed = number({ min: 0, value: 0 });
    this.device = el("select", { onchange: changed });
    this.queue = el("p", { class: "s-hint" });
    this.tracker = el("select", { onchange: changed });
    const check = (name, label, title) => {
      this[name] = el("input", { type: "checkbox", onchange: changed });
      return el("label", { class: "s-option", title }, this[name], label);
    };
    this.flyLabel = check("fly", "draw tokens anew each time", "On the fly: the generator draws other tokens for a caption each time it comes");
    const resumeLabel = check("resume", "go on with what is there", "Resume the training that is in the output directory");
    this.checks = el("ul", { class: "s-train-checks", "aria-live": "polite" });
    this.several = el("synth-command");
    this.severalBox = el("details", { class: "s-train-several" }, el("summary", { text: "On several cards of one machine" }), this.several);
    this.button = el("button", { type: "submit", class: "s-button s-primary", text: "Start training", disabled: true });
    this.latest = new Latest((body) => post("train/look", body), (found) => this.showChecks(found), () => this.showChecks(null));
    this.visionField = field("Vision tower", this.vision);
    this.languageField = field("Language model", this.language);
    this.root = el("form", { class: "s-card s-form s-train-form", onsubmit: (event) => { event.preventDefault(); this.onstart(this.settings()); } },
      el("h2", { text: "What to train" }), field("Recipe", this.recipe), field("Preset", this.preset, this.presetNote),
      el("fieldset", { class: "s-plain-set" }, el("legend", { text: "Trained on" }), this.sets),
      el("details", {}, el("summary", { text: "A file with images instead" }),
        el("div", { class: "s-form" }, field("File", this.data), field("Images below", this.images))),
      field("Name of the model", this.out), field("Start from", this.start_), this.models, this.visionField,
      el("div", { class: "s-trio" }, field("Steps", this.steps), field("Batch size", this.batch), field("Learning rate", this.rate)),
      el("div", { class: "s-trio" }, field("Seed", this.seed), field("Device", this.device)), this.queue,
      el("div", { class: "s-row" }, this.flyLabel, resumeLabel),
      el("details", {}, el("summary", { text: "Language model, split, tracking" }),
        el("div", { class: "s-form" }, this.languageField, field("Split of real images", this.split), field("Also write to", this.tracker))),
      this.checks, el("div", {}, this.button), this.severalBox);
  }

  offer(choices) {
    this.recipes = choices.recipes;
    options(this.recipe, Object.entries(RECIPES), "synth2-tokens");
    options(this.device, ["auto", ...choices.devices].map((name) => [name, name]), "auto");
    options(this.tracker, [["", "metrics.jsonl only"], ...choices.trackers.map((name) => [name, name])], "");
    this.chooseRecipe();
  }

  get presets() { return this.recipes.find((one) => one.name === this.recipe.value)?.configurations ?? []; }
  get isLlava() { return this.recipe.value.startsWith("llava"); }

  chooseRecipe() {
    const names = this.presets.map((one) => one.name);
    options(this.preset, names.map((name) => [name, name]), names.includes("miniature") ? "miniature" : names[0]);
    this.flyLabel.hidden = this.recipe.value !== "synth2-tokens";
    this.visionField.hidden = !this.isLlava;
    this.languageField.hidden = this.isLlava;
    this.start_.placeholder = this.isLlava ? "org/name or a folder on the server" : "the parts that ship with the app";
    this.root.classList.toggle("s-train-unweighted", this.isLlava);
    this.choosePreset();
  }

  choosePreset() {
    const one = this.presets.find((each) => each.name === this.preset.value);
    if (!one) return;
    this.steps.placeholder = one.steps ? count(one.steps) : "one round";
    this.batch.placeholder = count(one.batch_size);
    this.rate.placeholder = one.learning_rate.toExponential().replace("e-", "e-");
    const more = one.dropout ? `, dropout ${one.dropout}` : "";
    this.presetNote.textContent = `${one.note}. ${one.cosine ? "Cosine" : "Constant rate"} after ${Math.round(100 * one.warmup_share)} % warm-up${more}.`;
    this.changed();
  }

  // Selections and datasets with real images, each with a weight of its share of every batch.
  show(runs) {
    this.taken = new Set((runs ?? []).map((run) => run.name));
    const sets = workspace.selections.map((name) => ({ kind: "selections", name, note: "selection" }));
    sets.push(...workspace.datasets.filter((set) => set.real).map((set) => ({ kind: "real", name: set.name, note: plural(set.real, "real image") })));
    this.models.replaceChildren(...(runs ?? []).map((run) => el("option", { value: run.out, label: `${run.name}, ${run.recipe}` })));
    this.showQueue();
    const key = JSON.stringify(sets);
    if (key === this.shown) return;
    this.shown = key;
    const before = new Map(this.chosen().map((one) => [`${one.kind}/${one.name}`, one.weight]));
    this.sets.replaceChildren(...(sets.length ? sets.map((set) => this.line(set, before)) : [el("p", { class: "s-hint",
      text: "No selection yet. Save one in Curate, or import real images." })]));
    this.changed();
  }

  line(set, before) {
    const key = `${set.kind}/${set.name}`;
    const input = el("input", { type: "checkbox", checked: before.has(key), onchange: () => this.changed() });
    Object.assign(input.dataset, { kind: set.kind, name: set.name });
    const weight = el("input", { type: "number", min: 0, step: "any", placeholder: "by size", value: before.get(key) ?? "", oninput: () => this.changed(),
      class: "s-train-weight", "aria-label": `Weight of ${set.name}`, title: "Share of every batch; empty: as much as it has pairs" });
    return el("div", { class: "s-train-set" }, el("label", { class: "s-option" }, input, el("span", { text: set.name }),
      el("small", { class: "s-subdued", text: set.note })), weight);
  }

  chosen() {
    return [...this.sets.querySelectorAll(".s-train-set")].filter((line) => line.querySelector("input").checked).map((line) => {
      const [input, weight] = line.querySelectorAll("input");
      return { kind: input.dataset.kind, name: input.dataset.name, weight: this.isLlava ? "" : weight.value };
    });
  }

  showQueue() {
    const device = this.device.value === "auto" ? workspace.jobs.find((job) => job.kind === "train")?.device : this.device.value;
    const jobs = workspace.jobs.filter((job) => isActive(job.state) && (this.device.value === "auto" ? job.device !== "disk" : job.device === device));
    const running = jobs.filter((job) => job.state !== "queued");
    this.queue.textContent = jobs.length ? `Queue: ${[...running, ...jobs.filter((job) => job.state === "queued").reverse()]
      .map((job) => `${job.kind} on ${job.device} (${job.state === "queued" ? "waiting" : job.state})`).join(", then ")}` : "Nothing waits for a device.";
  }

  settings() {
    const named = (kind) => this.chosen().filter((one) => one.kind === kind).map((one) => (one.weight ? `${one.name}:${one.weight}` : one.name));
    return { recipe: this.recipe.value, configuration: this.preset.value, selections: named("selections"), real: named("real"),
      data: this.data.value, images: this.images.value, out: this.out.value.trim(), init_from: this.start_.value, vision_tower: this.isLlava ? this.vision.value : "",
      language: this.isLlava ? "" : this.language.value, split: this.split.value, max_steps: this.steps.value, batch_size: this.batch.value,
      learning_rate: this.rate.value, seed: this.seed.value || 0, device: this.device.value, log_to: this.tracker.value,
      on_the_fly: this.fly.checked && !this.flyLabel.hidden, resume: this.resume.checked };
  }

  // A name that no run has, until the reader gives one.
  suggest() {
    if (this.named || this.resume.checked) return;
    const stem = [this.recipe.value, this.chosen()[0]?.name].filter(Boolean).join("-").replace(/[^\w.-]+/g, "-").slice(0, 58);
    let name = stem;
    for (let number = 2; this.taken?.has(name); number += 1) name = `${stem}-${number}`;
    this.out.value = name;
  }

  changed() {
    this.suggest();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.recipes.length && this.latest.ask(this.settings()), 200);
  }

  showChecks(found) {
    this.checks.replaceChildren(...(found?.checks ?? []).map((one) => el("li", { "data-state": one.state },
      el("span", { class: `s-mark ${MARKS[one.state][1]}`, "aria-label": one.state, text: MARKS[one.state][0] }),
      el("span", {}, el("strong", { text: `${one.name}: ` }), `${one.text}${one.fix && one.state !== "ok" ? `. ${one.fix}` : ""}`))));
    this.button.disabled = workspace.readOnly || !found?.ok;
    this.severalBox.hidden = !found?.launch_command;
    this.several.show?.(found?.launch_command ?? "");
    this.oncommand(found?.command ?? "");
  }
}
