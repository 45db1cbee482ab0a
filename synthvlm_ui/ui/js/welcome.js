// Greets an empty workspace and offers the demo; while the demo runs, shows how far it is.

import { attempt, post } from "./api.js";
import { el } from "./dom.js";
import { SynthElement } from "./element.js";
import "./generate/live.js";
import { openTab } from "./tabs.js";
import { isActive, workspace } from "./workspace.js";

const KEY = "synthvlm.demo_job";
const SAMPLE = "sample";
const STEPS = [
  ["Captions", "Import a file or paste lines."],
  ["Generate", "Draw several images per caption and score them."],
  ["Curate", "Move thresholds, keep and reject by hand, see what survives."],
  ["Export", "Write LLaVA JSON and images, with every score and setting."],
];

class Welcome extends SynthElement {
  build() {
    this.start = el("button", { type: "button", class: "s-button s-primary s-large",
      text: "Make the demo: ~300 candidates in about a minute", onclick: () => this.demo() });
    this.offer = el("div", { class: "s-welcome-offer" },
      el("p", { text: "This workspace is empty. The demo draws three images for each of about a hundred sample captions "
        + "with the small model that ships with the app, and scores them. Nothing is downloaded." }),
      this.start,
      el("p", { class: "s-hint", text: "Or go to Captions and bring your own. The app stays usable while the demo runs." }));
    this.live = el("synth-live");
    this.look = el("button", { type: "button", class: "s-button s-primary", text: "Look at them in Curate",
      onclick: () => this.lookAtThem() });
    this.resume = el("button", { type: "button", class: "s-button s-primary", text: "Resume", onclick: () => this.goOn() });
    this.done = el("div", { class: "s-row", hidden: true }, this.look, this.resume,
      el("button", { type: "button", class: "s-button", text: "Hide this", onclick: () => this.dismiss() }));
    this.heading = el("h2");
    this.steps = el("ol", { class: "s-steps" }, STEPS.map(([name, what]) =>
      el("li", {}, el("strong", { text: name }), el("span", { text: what }))));
    this.append(el("section", { class: "s-card s-welcome", "aria-label": "Welcome" },
      this.heading, this.steps, this.offer, this.live, this.done));
    this.live.addEventListener("finished", () => this.show());
    this.hidden = true;
  }

  enter(signal) {
    workspace.watch(() => this.show(), signal);
    // Who goes on to a room has seen that the demo is done: it need not stand above every room.
    document.addEventListener("click", (event) => { if (event.target.closest?.("[role=tab]") && this.finished) this.dismiss(); }, { signal });
  }

  get finished() { return !this.hidden && !this.done.hidden && this.resume.hidden; }

  async demo() {
    this.start.disabled = true;
    const started = await attempt(() => post("demo"));
    this.start.disabled = false;
    if (!started) return;
    remember(started.job_id);
    await workspace.refresh();
    this.show();
  }

  show() {
    const known = workspace.jobs.find((job) => job.id === remembered());
    // A demo that was started elsewhere is shown too.
    const first = workspace.datasets.length === 1 && workspace.datasets[0].name === SAMPLE && !workspace.datasets[0].candidates;
    const other = first ? workspace.activeJobs.find((job) => job.kind === "generate") : null;
    if (!known && other) remember(other.id);
    const job = known ?? other;
    this.hidden = !(workspace.isEmpty || job);
    this.heading.textContent = job ? "The demo" : "Make a synthetic image-caption set, and see why each pair is in it";
    this.steps.hidden = Boolean(job);
    this.offer.hidden = Boolean(job) || workspace.readOnly;
    if (!job) { this.done.hidden = true; this.live.hidden = true; return; }
    this.live.follow(job.id);
    this.done.hidden = isActive(job.state);
    this.look.hidden = workspace.datasets.every((set) => set.candidates === 0);
    this.resume.hidden = job.state === "done" || workspace.readOnly;
  }

  lookAtThem() {
    workspace.wantedDataset = SAMPLE;
    openTab("curate");
    this.dismiss();
    workspace.dispatchEvent(new Event("change"));
  }

  async goOn() {
    await attempt(() => post(`jobs/${remembered()}/resume`));
    this.live.poll();
    workspace.refresh();
  }

  dismiss() {
    remember(null);
    this.hidden = true;
  }
}

function remembered() {
  try { return localStorage.getItem(KEY); } catch { return memory; }
}

let memory = null;
function remember(job) {
  memory = job;
  try { if (job) localStorage.setItem(KEY, job); else localStorage.removeItem(KEY); } catch { /* storage is off */ }
}

customElements.define("synth-welcome", Welcome);
