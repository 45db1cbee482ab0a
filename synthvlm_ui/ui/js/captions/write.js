// The form that has captions written by class: what is drawn, the first prompts, and how the job stands.

import { Latest, attempt, get, post } from "../api.js";
import { el, field, options, refusal, uniqueId } from "../dom.js";
import { SynthElement } from "../element.js";
import { count, duration, plural } from "../format.js";
import { progressBar } from "../progress_bar.js";
import { announce } from "../toast.js";
import { isActive, workspace } from "../workspace.js";

const SMALL_WORLD = "miniature";
const SAMPLINGS = [["uniform", "each by chance (Synth²)"], ["balanced", "all equally often"], ["natural", "by natural frequency"]];
const EVERY_MS = 700;

class Write extends SynthElement {
  build() {
    this.previews = new Latest((body) => post("write/preview", body), (result) => this.previewed(result),
      (error) => this.refused(error));
    this.fields();
    this.prompts = el("div", { class: "s-stack", role: "list", "aria-label": "First prompts" });
    this.estimate = el("p", { class: "s-estimate", role: "status" });
    this.start = el("button", { type: "submit", class: "s-button s-primary", text: "Write captions" });
    this.command = el("synth-command");
    this.bar = progressBar();
    this.standing = el("p", { class: "s-hint", role: "status" });
    this.report = el("synth-import-report");
    this.running = el("div", { hidden: true }, this.bar, this.standing);
    const more = el("details", {}, el("summary", { text: "Prompt, checks and budget" }), el("div", { class: "s-form" },
      field("Prompt", this.writing_prompt, this.promptHint), el("div", { class: "s-trio" },
        field("Words", this.words), field("Requests at most", this.max_requests), field("Tokens at most", this.max_tokens))));
    this.more = more;
    this.append(el("form", { class: "s-form", onsubmit: (event) => this.submit(event) },
      field("Writer (name, Hub id or directory)", this.writer, this.status), this.known, this.chips,
      el("div", { class: "s-trio" }, field("Captions", this.count), field("Seed", this.seed),
        field("Temperature", this.temperature)),
      field("Classes are drawn", this.sampling), field("Classes", this.classes, this.classHint), more,
      this.estimate, el("details", {}, el("summary", { text: "First prompts" }), this.prompts),
      el("div", { class: "s-row" }, this.start), this.running, this.report, this.command));
    this.loadWriters();
  }

  fields() {
    this.writer = el("input", { list: uniqueId("writers"), value: SMALL_WORLD, autocomplete: "off", spellcheck: "false" });
    this.known = el("datalist", { id: this.writer.getAttribute("list") });
    this.status = el("p", {});
    this.chips = el("div", { class: "s-chips", "aria-label": "Writers" });
    const number = (limits) => el("input", { type: "number", ...limits });
    this.count = number({ min: 1, max: 1000000, value: 200, required: true });
    this.seed = number({ min: 0, max: 4294967295, value: 0 });
    this.temperature = number({ min: 0, max: 10, step: "any", value: 1 });
    this.sampling = el("select");
    options(this.sampling, SAMPLINGS, "uniform");
    this.classes = el("textarea", { rows: "3", maxlength: "400000", placeholder: "one name a line; empty: the writer's own list" });
    this.classHint = el("p", {});
    this.writing_prompt = el("textarea", { rows: "3", maxlength: "4000", placeholder: "empty: the prompt of Synth²" });
    this.promptHint = el("p", { text: "[object] stands where the class goes." });
    this.words = el("input", { placeholder: "30:40", pattern: "\\d+:\\d+" });
    this.max_requests = number({ min: 1, placeholder: "no limit" });
    this.max_tokens = number({ min: 1, placeholder: "no limit" });
  }

  enter(signal) {
    this.addEventListener("input", () => this.changed(), { signal });
    this.dataset_name = document.querySelector("#caption-dataset textarea, #caption-dataset input");
    this.dataset_name?.addEventListener("input", () => this.changed(), { signal });
    workspace.watch(() => { this.start.disabled = this.busy || workspace.readOnly; }, signal);
    this.changed();
  }

  leave() { clearTimeout(this.timer); }

  async loadWriters() {
    this.writers = (await attempt(() => get("writers")))?.writers ?? [];
    this.known.replaceChildren(...this.writers.map((one) => el("option", { value: one.name, label: one.note })));
    this.chips.replaceChildren(...this.writers.map((one) => el("button", { type: "button", class: "s-chip", title: one.note,
      "aria-pressed": "false", "data-name": one.name, onclick: () => this.choose(one.name) },
      one.name, one.status === "ready" ? null : el("small", { text: ` ${one.status}` }))));
    this.changed();
  }

  choose(name) {
    this.writer.value = name;
    this.changed();
    announce(`Writer ${name}`);
  }

  get body() {
    const body = { dataset: this.dataset_name?.value.trim() || "captions", writer: this.writer.value.trim(),
      sampling: this.sampling.value };
    for (const name of ["count", "seed", "temperature", "classes"]) body[name] = this[name].value;
    if (body.writer !== SMALL_WORLD) {
      for (const name of ["writing_prompt", "words", "max_requests", "max_tokens"]) body[name] = this[name].value;
    }
    return body;
  }

  changed() {
    const name = this.writer.value.trim();
    const one = (this.writers ?? []).find((known) => known.name === name);
    this.status.textContent = one ? `${one.status}: ${one.note}` : "A Hub id (owner/name) is downloaded when it starts.";
    for (const chip of this.chips.children) chip.setAttribute("aria-pressed", String(chip.dataset.name === name));
    this.more.hidden = name === SMALL_WORLD;
    this.previews.ask(this.body);
  }

  previewed(result) {
    this.estimate.dataset.kind = "";
    const spread = result.class_entropy_bits === null ? "" : `, ${result.class_entropy_bits.toFixed(2)} bits of entropy`;
    this.estimate.textContent = `${count(result.drawn_classes)} of ${plural(result.classes, "class", "classes")} are drawn${spread}.`;
    this.classHint.textContent = result.source === "typed" ? "" : `Now: ${result.source}, ${plural(result.classes, "name")}.`;
    this.prompts.replaceChildren(...result.prompts.map((one) => el("p", { class: "s-hint", role: "listitem", text: one.prompt })));
    this.command.show(result.command);
    this.start.disabled = this.busy || workspace.readOnly;
  }

  refused(error) {
    this.estimate.dataset.kind = "bad";
    this.estimate.textContent = error.message;
    this.start.disabled = true;
  }

  async submit(event) {
    event.preventDefault();
    this.busy = this.start.disabled = true;
    this.report.hidden = true;
    const started = await attempt(() => post("write", this.body));
    if (!started) { this.busy = this.start.disabled = false; return; }
    this.running.hidden = false;
    workspace.refresh();
    this.follow(started.job_id);
  }

  async follow(job) {
    let now;
    try {
      now = await get(`jobs/${job}`);
    } catch (error) {
      this.standing.textContent = error.message;
      this.timer = setTimeout(() => this.follow(job), 3000);
      return;
    }
    this.bar.show(now.progress, "Captions written");
    this.bar.dataset.state = now.state;
    const left = now.eta_s !== null ? ` · about ${duration(now.eta_s)} left` : "";
    this.standing.textContent = now.state === "queued" ? "Waiting for the device"
      : `${now.message || `${count(now.done)} of ${plural(now.total, "caption")}`}${isActive(now.state) ? left : ""}`;
    if (isActive(now.state) && this.isConnected) { this.timer = setTimeout(() => this.follow(job), EVERY_MS); return; }
    this.ended(now);
  }

  ended(job) {
    this.busy = this.start.disabled = false;
    workspace.refresh();
    if (job.state === "failed" || job.state === "crashed") {
      this.report.hidden = false;
      this.report.replaceChildren(refusal(job.error || job.message || "The job failed."));
      return;
    }
    const result = job.result;
    this.report.report(JSON.stringify({ ...result, imported: result.written, did: "written into" }));
    announce(`${plural(result.written, "caption")} written`);
  }
}

customElements.define("synth-write", Write);
