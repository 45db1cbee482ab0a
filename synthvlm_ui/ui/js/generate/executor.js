// Where a run is carried out: this machine's own worker, a Ray cluster, or tasks of Slurm, which only its own sbatch starts.

import { el, field, options, uniqueId } from "../dom.js";

const NAMES = { local: "This machine", ray: "Ray", slurm: "Slurm array" };

export class ExecutorChoice {
  notes = {};

  constructor() {
    this.select = el("select", { onchange: () => this.chosen() });
    this.workers = el("input", { type: "number", min: 1, max: 1024, step: 1, placeholder: "as its devices" });
    this.tasks = el("input", { type: "number", min: 1, max: 10000, step: 1, value: 8 });
    this.workersField = field("Workers", this.workers);
    this.tasksField = field("Tasks", this.tasks);
    this.note = el("p", { class: "s-hint", id: uniqueId("executor") });
    this.select.setAttribute("aria-describedby", this.note.id);
    this.script = el("pre", { class: "s-log", tabindex: "0", "aria-label": "Slurm script" });
    this.scriptBox = el("details", { hidden: true }, el("summary", { text: "The script that sbatch gets" }), this.script);
    this.root = el("div", { class: "s-form" }, el("div", { class: "s-pair" },
      field("Run on", this.select), this.workersField, this.tasksField), this.note, this.scriptBox);
    this.offer([{ name: "local", ready: true, note: "" }]);
  }

  offer(executors) {
    this.notes = Object.fromEntries(executors.map((one) => [one.name, one.note]));
    const kept = this.select.value || "local";
    options(this.select, executors.map((one) => [one.name, NAMES[one.name] ?? one.name]), kept);
    for (const [at, one] of executors.entries()) {
      if (one.ready) continue;
      this.select.options[at].disabled = true;
      this.select.options[at].textContent += " (not installed)";
    }
    this.chosen();
  }

  get startsHere() {
    return this.select.value !== "slurm";
  }

  chosen() {
    this.workersField.hidden = this.select.value !== "ray";
    this.tasksField.hidden = this.select.value !== "slurm";
    this.note.textContent = this.notes[this.select.value] ?? "";
    if (this.startsHere) this.showScript("");
  }

  showScript(text) {
    this.script.textContent = text || "";
    this.scriptBox.hidden = !text;
  }

  values() {
    return { executor: this.select.value, ray_workers: this.workers.value, slurm_tasks: this.tasks.value };
  }
}
