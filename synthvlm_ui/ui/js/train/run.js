// One training, watched: how far it is, its loss as it falls, stop and resume. Other runs' losses can be laid over it.

import { attempt, get, post } from "../api.js";
import { el } from "../dom.js";
import { count, duration } from "../format.js";
import { progressBar } from "../progress_bar.js";
import { DASHES, colourOf, draw } from "../plots.js";
import { isActive, workspace } from "../workspace.js";

const LOOK_EVERY_MS = 700;
const pause = () => new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
const WORDS = { queued: "waiting for the device", running: "training", paused: "paused", stopping: "stopping", stopped: "stopped",
  done: "finished", failed: "failed", crashed: "ended unexpectedly" };

export class RunView {
  constructor({ onchange }) {
    Object.assign(this, { onchange, job: null, curves: new Map() });
    this.title = el("h2");
    this.state = el("span", { class: "s-state" });
    this.bar = progressBar();
    this.line = el("p", { class: "s-hint", "aria-live": "polite" });
    const button = (text, act) => el("button", { type: "button", class: "s-button s-small", text, onclick: act });
    this.stop = button("Stop with a checkpoint", () => this.act("stop"));
    this.resume = button("Resume", () => this.act("resume"));
    this.plot = el("div", { class: "s-div-plot" });
    this.root = el("section", { class: "s-card s-train-run", hidden: true },
      el("div", { class: "s-row s-between" }, el("div", { class: "s-row" }, this.title, this.state), el("div", { class: "s-row" }, this.stop, this.resume)),
      this.bar, this.line, this.plot);
  }

  // Follows a run until another one is chosen or the page is left; a finished one is read once.
  async watch(job) {
    this.job = job;
    this.root.hidden = false;
    for (;;) {
      if (this.root.offsetParent === null && this.drawn) { // in another tab of the page
        await pause();
        if (this.job !== job || !this.root.isConnected) return;
        continue;
      }
      const known = this.curves.get(job) ?? { rows: [], name: "" };
      let now;
      try { now = await get(`train/run/${job}`, { after: known.rows.at(-1)?.step ?? 0 }); } catch (error) {
        now = null;
        this.line.textContent = error.message;
      }
      if (this.job !== job || !this.root.isConnected) return;
      if (now) {
        const before = this.run;
        this.run = now.run;
        this.curves.set(job, { rows: [...known.rows, ...now.rows], name: now.run.name });
        this.show(now.run);
        if (now.rows.length || !this.drawn) await this.drawLoss();
        if (before?.job_id !== job || before.state !== now.run.state) this.onchange();
        if (!isActive(now.run.state)) return;
      }
      await pause();
    }
  }

  leave() { this.job = null; }

  show(run) {
    this.title.textContent = run.name;
    this.state.textContent = WORDS[run.state] ?? run.state;
    this.root.dataset.state = run.state;
    this.bar.show(run.progress, `${run.name}: ${WORDS[run.state]}`);
    this.bar.dataset.state = run.state;
    const parts = [`${run.recipe} ${run.configuration} on ${run.device}`, `step ${count(run.steps)} of ${count(run.max_steps)}`];
    if (run.loss !== null) parts.push(`loss ${run.loss.toFixed(4)}`);
    if (run.steps_per_s) parts.push(`${run.steps_per_s.toPrecision(3)} steps/s`);
    if (run.eta_s !== null && run.state === "running") parts.push(`about ${duration(run.eta_s)} left`);
    if (["failed", "crashed"].includes(run.state) || (isActive(run.state) && run.loss === null && run.message)) parts.push(run.message);
    this.line.textContent = parts.join(" · ");
    this.stop.hidden = workspace.readOnly || !["queued", "running", "paused"].includes(run.state);
    this.resume.hidden = workspace.readOnly || !["stopped", "failed", "crashed"].includes(run.state);
  }

  async act(what) {
    if (await attempt(() => post(`jobs/${this.job}/${what}`))) this.watch(this.job);
    workspace.refresh();
  }

  // The losses of other runs beside this one's.
  async compare(runs) {
    for (const run of runs) {
      if (run.job_id === this.job || (this.curves.has(run.job_id) && !isActive(run.state))) continue;
      const found = await attempt(() => get(`train/run/${run.job_id}`));
      if (found) this.curves.set(run.job_id, { rows: found.rows, name: run.name });
    }
    this.beside = runs.map((run) => run.job_id).filter((job) => job !== this.job);
    await this.drawLoss();
  }

  async drawLoss() {
    const shown = [this.job, ...(this.beside ?? [])].map((job) => this.curves.get(job)).filter((curve) => curve?.rows.length);
    this.drawn = shown.length > 0;
    this.plot.hidden = !this.drawn;
    if (!this.drawn) return;
    const traces = shown.flatMap((curve, place) => {
      const steps = curve.rows.map((row) => row.step), losses = curve.rows.map((row) => row.loss);
      const line = { type: "scatter", mode: losses.length > 1 ? "lines" : "markers", name: curve.name, x: steps, y: smooth(losses),
        line: { color: colourOf(place), dash: DASHES[place % DASHES.length], width: 2 }, hovertemplate: "step %{x}: %{y:.4f}<extra></extra>" };
      return [{ ...line, y: losses, line: { color: colourOf(place), width: 1 }, opacity: 0.28, hoverinfo: "skip", hovertemplate: null, showlegend: false }, line];
    });
    await attempt(() => draw(this.plot, traces, "Loss", { x: "step", y: "loss", more: { showlegend: shown.length > 1 } }));
  }
}

// An exponential mean over about the last tenth of the curve, as its bright line; the raw one stays behind it.
function smooth(values) {
  const keep = 1 - 1 / Math.max(1, Math.min(25, values.length / 10));
  let mean = values[0];
  return values.map((value) => { mean = keep * mean + (1 - keep) * value; return mean; });
}
