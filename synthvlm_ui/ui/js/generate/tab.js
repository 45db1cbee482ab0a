// The form that starts a generation, its estimate, and the images as they are made.

import { Latest, attempt, get, post } from "../api.js";
import { el, field, options, uniqueId } from "../dom.js";
import { SynthElement } from "../element.js";
import { EngineOptions } from "./engine.js";
import { ExecutorChoice } from "./executor.js";
import { SCALES, bytes, chooseScale, duration, plural, scaleName } from "../format.js";
import "./live.js";
import "./matrix.js";
import { PromptBox } from "./prompt.js";
import { openTab } from "../tabs.js";
import { announce } from "../toast.js";
import { workspace } from "../workspace.js";

const SMALL_WORLD = "miniature";
const FIRST_REAL = "sdxl";
const NUMBERS = [
  ["images_per_caption", "Images per caption", { min: 1, max: 1000, value: 3 }],
  ["seed", "Seed", { min: 0, max: 4294967295, value: 0 }],
  ["num_inference_steps", "Steps", { min: 1, max: 1000 }],
  ["guidance_scale", "Guidance scale", { min: 0, max: 100, step: "any" }],
  ["width", "Width, px", { min: 8, max: 8192 }],
  ["height", "Height, px", { min: 8, max: 8192 }],
];

class Generate extends SynthElement {
  generators = [];

  build() {
    this.estimates = new Latest((body) => post("estimate", body), (result) => this.estimated(result),
      (error) => this.refused(error));
    this.previews = new Latest((body) => post("prompts", body), (result) => this.showPrompts(result),
      () => { this.resolvedBox.hidden = true; });
    this.prompt = new PromptBox({ onchange: () => this.changed(), onleave: () => this.useGenerator(this.realModel()) });
    this.buildSource();
    this.buildSettings();
    this.estimate = el("p", { class: "s-estimate", role: "status" });
    this.start = el("button", { type: "submit", class: "s-button s-primary", text: "Generate" });
    this.command = el("synth-command");
    this.live = el("synth-live");
    this.live.addEventListener("finished", () => { this.lookButton.hidden = false; announce("Generation finished"); });
    this.lookButton = el("button", { type: "button", class: "s-button", text: "Look at them in Curate", hidden: true,
      onclick: () => this.look() });
    const form = el("form", { class: "s-card s-form", onsubmit: (event) => this.submit(event) },
      this.sources, this.settings, this.estimate, el("div", { class: "s-row" }, this.start), this.command,
      this.matrix = el("synth-matrix"));
    const scales = el("select", { onchange: () => chooseScale(scales.value) });
    options(scales, Object.entries(SCALES).map(([key, one]) => [key, one.name]), scaleName());
    this.idle = el("div", { class: "s-empty s-tall" }, el("p", { text: "Images appear here one by one, each with its "
      + "CLIPScore and SSIM." }));
    this.stage = el("section", { class: "s-card s-stage", "aria-label": "Images" },
      el("div", { class: "s-row s-between" }, el("h2", { text: "Images" }), field("CLIPScore as", scales)),
      this.idle, this.live, this.lookButton);
    this.append(el("div", { class: "s-columns" }, form, this.stage));
    this.loadGenerators();
    this.choose("prompt");
  }

  enter(signal) {
    workspace.watch(() => this.show(), signal);
    this.addEventListener("input", () => this.changed(), { signal });
  }

  buildSource() {
    const name = uniqueId("source");
    const radio = (value, text) => el("label", { class: "s-option" },
      el("input", { type: "radio", name, value, onchange: () => this.choose(value) }), text);
    this.datasetChoice = el("select");
    this.limit = el("input", { type: "number", min: 1, placeholder: "all" });
    this.datasetNote = el("p", { class: "s-hint" });
    this.everyCaption = el("input", { type: "checkbox" });
    this.everyOption = el("label", { class: "s-option", hidden: true }, this.everyCaption, el("span"));
    this.fromDataset = el("div", {}, el("div", { class: "s-pair" }, field("Dataset", this.datasetChoice),
      field("Captions at most", this.limit)), this.everyOption, this.datasetNote);
    this.sources = el("fieldset", { class: "s-plain-set" }, el("legend", { class: "s-unseen", text: "What to draw" }),
      el("div", { class: "s-segments" }, this.promptRadio = radio("prompt", "One prompt"),
        this.datasetRadio = radio("dataset", "A dataset")), this.prompt.root, this.fromDataset);
  }

  buildSettings() {
    this.generator = el("input", { list: uniqueId("generators"), value: SMALL_WORLD, autocomplete: "off",
      spellcheck: "false", onchange: () => this.generatorChanged() });
    this.known = el("datalist", { id: this.generator.getAttribute("list") });
    this.status = el("p", {});
    this.presets = el("div", { class: "s-chips", "aria-label": "Generators" });
    this.inputs = {};
    const fields = NUMBERS.map(([name, label, limits]) => {
      this.inputs[name] = el("input", { type: "number", step: 1, ...limits });
      return field(label, this.inputs[name]);
    });
    this.inputs.prompt_template = el("input", { maxlength: "4000", placeholder: "{caption}", spellcheck: "false" });
    this.engine = new EngineOptions();
    this.executor = new ExecutorChoice();
    this.variations = el("input", { type: "number", min: 1, max: 1000, value: 4 });
    this.resolved = el("div", { role: "list", class: "s-stack", "aria-label": "Resolved prompts" });
    this.resolvedBox = el("details", { hidden: true }, el("summary", { text: "Resolved prompts" }),
      this.variationsField = field("Different prompts", this.variations), this.resolved);
    this.inputs.negative_prompt = el("input", { maxlength: "4000", placeholder: "what should not be in the image" });
    this.settings = el("div", { class: "s-stack" }, field("Generator (name, Hub id or directory)", this.generator, this.status), this.known,
      this.presets, el("div", { class: "s-trio" }, fields), field("Negative prompt", this.inputs.negative_prompt),
      field("Prompt template", this.inputs.prompt_template, el("p", { text: "{caption} stands for the caption, {a|b} is a "
        + "choice, __toy__ a line of wildcards/toy.txt." })), this.resolvedBox, this.engine.root, this.executor.root);
  }

  async loadGenerators() {
    const found = await attempt(() => get("generators"));
    this.generators = found?.generators ?? [];
    if (found) this.executor.offer(found.executors);
    this.known.replaceChildren(...this.generators.map((one) => el("option", { value: one.name, label: one.note })));
    this.presets.replaceChildren(...this.generators.slice(0, 6).map((one) => el("button", { type: "button",
      class: "s-chip", title: one.note, "aria-pressed": "false", "data-name": one.name,
      onclick: () => this.useGenerator(one.name) },
      one.name, one.status === "ready" ? null : el("small", { text: ` ${one.status}` }))));
    this.generatorChanged();
  }

  realModel() {
    const real = this.generators.filter((one) => one.name !== SMALL_WORLD);
    return (real.find((one) => one.name === FIRST_REAL) ?? real[0])?.name ?? FIRST_REAL;
  }

  useGenerator(name) {
    this.generator.value = name;
    this.generatorChanged();
    announce(`Generator ${name}`);
  }

  generatorChanged() {
    const name = this.generator.value.trim();
    const one = this.generators.find((known) => known.name === name);
    this.status.textContent = one ? `${one.status}${one.note ? `: ${one.note}` : ""}${one.engine ? `. Here: ${one.engine}` : ""}`
      : "A Hub id (owner/name) is downloaded when it starts; a directory is read as it is.";
    this.status.dataset.status = one?.status ?? "";
    for (const chip of this.presets.children) chip.setAttribute("aria-pressed", String(chip.dataset.name === name));
    const hints = { num_inference_steps: one?.num_inference_steps, guidance_scale: one?.guidance_scale, width: one?.native_px,
      height: one?.native_px };
    for (const [key, hint] of Object.entries(hints)) {
      this.inputs[key].placeholder = hint === null || hint === undefined ? "model's own" : String(hint);
    }
    for (const side of ["width", "height"]) {
      this.inputs[side].min = one?.min_px ?? 8;
      this.inputs[side].max = one?.max_px ?? 8192;
      this.inputs[side].disabled = Boolean(one && one.min_px === one.max_px);
      if (this.inputs[side].disabled) this.inputs[side].value = "";
    }
    this.prompt.mark(name === SMALL_WORLD);
    this.engine.show(name !== SMALL_WORLD);
    this.changed();
  }

  choose(source) {
    this.source = source;
    for (const [label, value] of [[this.promptRadio, "prompt"], [this.datasetRadio, "dataset"]]) {
      label.firstChild.checked = value === source;
    }
    this.prompt.root.hidden = source !== "prompt";
    this.matrix.hidden = source !== "prompt";
    this.fromDataset.hidden = source !== "dataset";
    this.changed();
  }

  show() {
    const sets = workspace.datasets;
    options(this.datasetChoice, sets.map((set) => [set.name, `${set.name} (${plural(set.captions, "caption")})`]),
      this.datasetChoice.value || sets[0]?.name);
    this.datasetChoice.disabled = sets.length === 0;
    this.datasetNote.textContent = sets.length ? "" : "There is no dataset yet. Import captions first.";
    this.allowStart();
    const running = workspace.activeJobs.find((job) => job.kind.startsWith("generat"));
    if (running && running.id !== this.live.job) this.follow(running.id);
    const key = JSON.stringify(sets.map((set) => [set.name, set.captions]));
    if (key !== this.sets) { this.sets = key; this.changed(); }
  }

  body() {
    const settings = { generator: this.generator.value.trim() };
    for (const [name, input] of Object.entries(this.inputs)) if (!input.disabled) settings[name] = input.value.trim();
    Object.assign(settings, this.engine.values());
    const how = { settings, ...this.executor.values() };
    return this.source === "prompt" ? { ...how, prompt: this.prompt.text, variations: this.variations.value }
      : { ...how, dataset: this.datasetChoice.value, limit: this.limit.value,
        captions: this.everyCaption.checked ? "all" : "kept" };
  }

  allowStart() {
    this.start.disabled = workspace.readOnly || !this.executor.startsHere;
    this.start.title = workspace.readOnly ? "This server only shows the workspace"
      : this.executor.startsHere ? "" : "Slurm's tasks are started by its own sbatch: copy the line below";
  }

  changed() {
    if (!this.estimate) return;
    this.allowStart();
    clearTimeout(this.asking);
    this.asking = setTimeout(() => this.ask(), 200);
  }

  ask() {
    const body = this.body();
    if (!body.prompt && !body.dataset) {
      this.say(this.source === "prompt" ? "Type a prompt to see how long it will take." : "");
      this.command.show("");
      return;
    }
    this.estimates.ask(body);
    this.previews.ask(body);
  }

  // Shown only where a prompt is not simply the caption.
  showPrompts(result) {
    const templated = !["", "{caption}"].includes(this.inputs.prompt_template.value.trim());
    this.resolvedBox.hidden = !result.varies && !templated;
    if (result.varies && !this.resolvedBox.hidden && !this.seenVaried) this.resolvedBox.open = this.seenVaried = true;
    this.variationsField.hidden = !(result.varies && this.source === "prompt");
    this.resolved.replaceChildren(...result.prompts.map((text) => el("p", { class: "s-hint", role: "listitem", text })));
  }

  estimated(result) {
    const guess = result.measured ? "about" : "roughly";
    const time = result.seconds === null ? "time unknown until the model is there" : `${guess} ${duration(result.seconds)}`;
    this.say(`${plural(result.images, "image")} · ${time} · ${bytes(result.bytes)} on disk, ${bytes(result.free_bytes)} free`,
      result.fits ? "" : "bad");
    if (!result.fits) this.estimate.append(" This does not fit.");
    const out = result.left_out ?? 0;
    this.everyOption.hidden = this.source !== "dataset" || (!out && !this.everyCaption.checked);
    this.everyOption.lastChild.textContent = out ? `Draw the ${plural(out, "caption")} too that curation leaves out`
      : "Draw captions too that curation leaves out";
    this.command.show(result.command);
    this.executor.showScript(result.script);
  }

  refused(error) {
    this.say(error.message, "bad");
    this.command.show("");
  }

  say(text, kind = "") {
    this.estimate.textContent = text;
    this.estimate.dataset.kind = kind;
  }

  async submit(event) {
    event.preventDefault();
    this.start.disabled = true;
    const started = await attempt(() => post("generate", this.body()));
    this.allowStart();
    if (!started) return;
    announce("Generation started");
    this.follow(started.job_id);
    workspace.refresh();
  }

  async look() {
    const shown = await attempt(() => get(`jobs/${this.live.job}`));
    workspace.wantedDataset = shown?.config?.dataset ?? null;
    await workspace.refresh();
    openTab("curate");
    workspace.dispatchEvent(new Event("change"));
  }

  follow(job) {
    this.idle.hidden = true;
    this.lookButton.hidden = true;
    this.live.follow(job);
    if (this.stage.getBoundingClientRect().top > window.innerHeight * 0.8) this.stage.scrollIntoView({ block: "start" });
  }
}

customElements.define("synth-generate", Generate);
