// The train tab: a form, the run that is watched, what can be done with its model, and the table over all runs.
// Runs are jobs: leaving the page, another browser or a restart of the app only ends the watching.

import { attempt, get, post } from "../api.js";
import { el, refusal } from "../dom.js";
import { SynthElement } from "../element.js";
import { isActive, workspace } from "../workspace.js";
import { Evaluate, Trial } from "./after.js";
import { TrainForm } from "./form.js";
import { RunView } from "./run.js";
import { RunTable } from "./runs.js";

class Train extends SynthElement {
  runs = [];

  build() {
    this.form = new TrainForm({ onstart: (settings) => this.start(settings), oncommand: (text) => this.command.show(text) });
    this.command = el("synth-command");
    this.failed = el("div");
    this.view = new RunView({ onchange: () => this.read() });
    this.evaluate = new Evaluate({ onstart: () => workspace.refresh() });
    this.trial = new Trial();
    this.after = el("div", { class: "s-div-pair", hidden: true }, this.evaluate.root, this.trial.root);
    this.table = new RunTable({ onopen: (run) => this.open(run), oncompare: (runs) => this.view.compare(runs) });
    this.none = el("div", { class: "s-card s-empty s-tall" }, el("p", { text: "Nothing is trained yet. Choose what to train on and press Start training: "
      + "it goes on when this page is closed, and its loss is shown here." }));
    this.append(el("div", { class: "s-train" }, el("div", { class: "s-div-side" }, this.form.root, this.command),
      el("div", { class: "s-main" }, this.failed, this.none, this.view.root, this.after, this.table.root)));
  }

  enter(signal) {
    workspace.watch(() => this.read(), signal);
    const seen = new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) this.read(); });
    seen.observe(this);
    signal.addEventListener("abort", () => seen.disconnect());
    this.table.enter(signal);
    this.offer();
    new MutationObserver(() => this.view.drawLoss()).observe(document.body, { attributeFilter: ["class"] });
  }

  leave() { this.view.leave(); }

  async offer() {
    const choices = await attempt(() => get("train/choices"));
    if (choices) this.form.offer(choices);
  }

  // Takes in the runs; watches the one that is active, or the newest, when none was chosen.
  async read() {
    if (this.offsetParent === null) return;
    const found = await attempt(() => get("train/runs"));
    if (!found) return;
    this.runs = found.runs;
    this.form.show(this.runs);
    this.none.hidden = this.runs.length > 0;
    const watched = this.runs.find((run) => run.job_id === this.view.job) ?? this.runs.find((run) => isActive(run.state)) ?? this.runs[0];
    this.after.hidden = !watched;
    if (!watched) return;
    this.table.show(this.runs, watched.job_id);
    this.evaluate.show(watched);
    this.trial.show(watched);
    const began = isActive(watched.state) && !isActive(this.view.run?.state); // resumed elsewhere
    if (watched.job_id !== this.view.job || (began && this.view.run)) this.view.watch(watched.job_id);
  }

  open(run) {
    this.view.watch(run.job_id);
    this.table.show(this.runs, run.job_id);
    this.evaluate.show(run);
    this.trial.show(run);
    this.view.root.scrollIntoView({ behavior: "smooth", block: "nearest" });
  }

  async start(settings) {
    this.failed.replaceChildren();
    let started;
    try { started = await post("train/start", settings); } catch (error) {
      this.failed.replaceChildren(refusal(error.message));
      return;
    }
    this.view.watch(started.job_id);
    workspace.refresh();
  }
}

customElements.define("synth-train", Train);
