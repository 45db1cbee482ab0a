// What can be done with a model: measure it on real pairs, and try it on a picture beside what it was before.

import { Latest, attempt, post, upload } from "../api.js";
import { el, field, options, refusal } from "../dom.js";
import { plural } from "../format.js";
import { workspace } from "../workspace.js";

const METRICS = { "synth2-tokens": ["cider"], "synth2-pixels": ["cider"], "llava-stage1": ["cider", "perplexity"],
  "llava-stage2": ["cider", "perplexity"], "llava-lora": ["cider", "perplexity"] };

export class Evaluate {
  constructor({ onstart }) {
    this.onstart = onstart;
    this.commands = new Latest((asked) => post("train/evaluate/command", asked), (shown) => this.commanded(shown),
      () => this.commanded({})); // what is wrong is said when it is started
    this.dataset = el("select", { onchange: () => this.changed() });
    this.metrics = el("div", { class: "s-row" });
    this.limit = el("input", { type: "number", min: 1, placeholder: "all", oninput: () => this.changed() });
    this.split = el("input", { type: "text", placeholder: "all; or test", oninput: () => this.changed(), autocomplete: "off" });
    this.tasks = el("input", { type: "text", placeholder: "mmlu", oninput: () => this.changed(), autocomplete: "off" });
    this.tasksField = field("lm-eval tasks", this.tasks);
    this.button = el("button", { type: "submit", class: "s-button", text: "Evaluate" });
    this.command = el("synth-command");
    this.lmms = el("synth-command");
    this.lmmsBox = el("details", {}, el("summary", { text: "ScienceQA, MM-Vet, VizWiz, POPE, MME: the lmms-eval line" }), this.lmms);
    this.failed = el("div");
    this.root = el("form", { class: "s-card s-form", onsubmit: (event) => { event.preventDefault(); this.start(); } }, el("h2", { text: "Evaluate" }),
      field("On the real pairs of", this.dataset), this.metrics,
      el("div", { class: "s-trio" }, field("Pictures", this.limit), field("Split", this.split), this.tasksField), this.failed,
      el("div", {}, this.button), this.command, this.lmmsBox);
  }

  show(run) {
    this.run = run;
    const sets = workspace.datasets.filter((set) => set.real);
    if (JSON.stringify(sets) !== this.shown) {
      this.asked = null;
      this.shown = JSON.stringify(sets);
      options(this.dataset, sets.map((set) => [set.name, `${set.name} (${plural(set.real, "real image")})`]), this.dataset.value || sets[0]?.name);
    }
    const names = METRICS[run.recipe] ?? [];
    const llava = run.recipe.startsWith("llava");
    if (this.metrics.dataset.recipe !== run.recipe) {
      this.metrics.dataset.recipe = run.recipe;
      this.metrics.replaceChildren(...names.map((name) => el("label", { class: "s-option" }, el("input", { type: "checkbox", value: name,
        checked: name === names[0], onchange: () => this.changed() }), name)));
    }
    this.root.hidden = names.length === 0;
    this.tasksField.hidden = this.lmmsBox.hidden = !llava;
    this.button.disabled = workspace.readOnly || (!sets.length && !llava);
    this.failed.replaceChildren(...(sets.length ? [] : [el("p", { class: "s-hint", text: "No dataset has real images yet: import some with their captions." })]));
    if (this.asked !== run.job_id) { this.asked = run.job_id; this.changed(); }
  }

  request() {
    return { model: this.run.out, dataset: this.dataset.value, metrics: [...this.metrics.querySelectorAll("input:checked")].map((input) => input.value),
      limit: this.limit.value, split: this.split.value, tasks: this.tasks.value.split(",").map((name) => name.trim()).filter(Boolean) };
  }

  changed() {
    if (this.run) this.commands.ask(this.request());
  }

  commanded(shown) {
    this.command.show?.(shown.command ?? "");
    this.lmms.show?.(shown.lmms ?? "");
  }

  async start() {
    this.failed.replaceChildren();
    try { this.onstart((await post("train/evaluate", this.request())).job_id); } catch (error) { this.failed.replaceChildren(refusal(error.message)); }
  }
}

export class Trial {
  constructor() {
    this.file = el("input", { type: "file", accept: "image/*", onchange: () => this.ask(this.file.files[0]) });
    this.picture = el("img", { alt: "The picture to caption", hidden: true });
    this.said = el("dl", { class: "s-facts s-train-said", "aria-live": "polite" });
    this.line = el("synth-command");
    this.root = el("section", { class: "s-card s-form s-train-trial" }, el("h2", { text: "Try it" }), field("A picture", this.file,
      el("p", { class: "s-hint", text: "The model says what it sees, beside what it said before it was trained." })),
      el("div", { class: "s-train-tried" }, this.picture, this.said), this.line);
    this.root.addEventListener("dragover", (event) => event.preventDefault());
    this.root.addEventListener("drop", (event) => { event.preventDefault(); this.ask(event.dataTransfer.files[0]); });
  }

  show(run) {
    if (run.job_id !== this.run?.job_id) { this.said.replaceChildren(); this.picture.hidden = true; this.file.value = ""; }
    this.run = run;
    this.root.hidden = !(run.recipe in METRICS) || run.state === "queued";
    this.line.show?.(`python -m synthvlm_ui try --model ${quoted(run.out)} --image FILE`);
  }

  async ask(file) {
    if (!file) return;
    URL.revokeObjectURL(this.picture.src);
    this.picture.src = URL.createObjectURL(file);
    this.picture.hidden = false;
    this.said.replaceChildren(el("dd", { class: "s-subdued", text: "Looking at it … the first time the model is opened." }));
    const found = await attempt(() => upload("train/try", file, { model: this.run.out, name: file.name }));
    this.said.replaceChildren(...(found ? Object.entries(found.captions) : []).flatMap(([kind, text]) => [el("dt", { text: kind }),
      el("dd", { "data-kind": kind, text: text || "(nothing)" })]));
    if (!found) this.picture.hidden = true;
  }
}

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);
