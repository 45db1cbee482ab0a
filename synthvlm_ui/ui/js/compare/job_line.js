// One job where it was started: what it does, how far it is, stop, and why it failed. What it found goes to its owner.

import { attempt, get, post } from "../api.js";
import { el, refusal } from "../dom.js";
import { count, duration } from "../format.js";
import { progressBar } from "../progress_bar.js";
import { isActive, workspace } from "../workspace.js";

// ``onend(job)`` when it is done, or stopped with what it has by then.
export class JobLine {
  constructor({ label, onend }) {
    Object.assign(this, { label, onend, id: null });
    this.bar = progressBar();
    this.standing = el("span", { class: "s-hint", role: "status" });
    this.stop = el("button", { type: "button", class: "s-button s-small", text: "Stop",
      onclick: () => attempt(() => post(`jobs/${this.id}/stop`)).then(() => workspace.refresh()) });
    this.running = el("div", { hidden: true }, el("div", { class: "s-row s-between" }, this.standing, this.stop), this.bar);
    this.refused = el("div");
    this.root = el("div", { class: "s-job-line" }, this.running, this.refused);
    workspace.addEventListener("change", () => this.look());
  }

  get busy() { return this.id !== null; }

  follow(id) {
    this.id = id;
    this.refused.replaceChildren();
    this.running.hidden = false;
    this.show({ state: "queued", progress: 0 });
    workspace.refresh().then(() => this.look());
  }

  clear() {
    this.id = null;
    this.running.hidden = true;
    this.refused.replaceChildren();
  }

  refuse(text) { this.refused.replaceChildren(refusal(text)); }

  show(job) {
    this.bar.show(job.progress, this.label);
    const parts = job.state === "queued" ? ["Waiting for the device"] : [job.message || this.label];
    if (job.total) parts.push(`${count(job.done)} of ${count(job.total)}`);
    if (job.failed) parts.push(`${count(job.failed)} failed`);
    if (job.eta_s !== null && job.eta_s !== undefined) parts.push(`about ${duration(job.eta_s)} left`);
    this.standing.textContent = parts.join(" · ");
    this.stop.hidden = workspace.readOnly || job.state === "stopping";
  }

  async look() {
    const job = this.id && workspace.jobs.find((one) => one.id === this.id);
    if (!job) return;
    if (isActive(job.state)) { this.show(job); return; }
    this.clear();
    if (job.state === "done" || job.state === "stopped") { this.onend(job); return; }
    const whole = await attempt(() => get(`jobs/${job.id}`));
    this.refuse(whole?.error || job.message || "The job failed.");
  }
}
