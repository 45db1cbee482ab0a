// The form that brings captions from a data set of the Hugging Face Hub: look at its first rows, then import them.

import { Latest, attempt, post } from "../api.js";
import { el, field, refusal } from "../dom.js";
import { SynthElement } from "../element.js";
import { Standing } from "../standing.js";
import { announce } from "../toast.js";
import { workspace } from "../workspace.js";

class Hub extends SynthElement {
  build() {
    const input = (more = {}) => el("input", { spellcheck: "false", autocomplete: "off", ...more });
    this.inputs = { source: input({ placeholder: "user/name", required: true }), config: input({ placeholder: "its own default" }),
      split: input({ placeholder: "all" }), files: input({ placeholder: "all" }), limit: input({ type: "number", min: 1, max: 100000000, value: 10000, required: true }),
      caption: input({ placeholder: "guessed" }) };
    this.images = el("input", { type: "checkbox" });
    this.look = el("button", { type: "button", class: "s-button", text: "Look at the first rows", onclick: () => this.run("preview") });
    this.start = el("button", { type: "submit", class: "s-button s-primary", text: "Import from the Hub" });
    this.standing = new Standing();
    this.said = el("div", { "aria-live": "polite" });
    this.preview = el("synth-import-preview");
    this.report = el("synth-import-report");
    this.command = el("synth-command");
    this.commands = new Latest((body) => post("hub/command", body), (found) => this.described(found), (error) => this.refuse(error));
    const { source, config, split, files, limit, caption } = this.inputs;
    this.append(el("form", { class: "s-form", onsubmit: (event) => { event.preventDefault(); this.run("import"); } },
      field("Data set (Hub id or address)", source, el("p", { text: "This server fetches it; a gated or private one needs HF_TOKEN." })),
      el("div", { class: "s-trio" }, field("Configuration", config), field("Split", split), field("Files", files)),
      el("div", { class: "s-pair" }, field("Captions at most", limit), field("Column of the captions", caption)), el("label", { class: "s-option" }, this.images, "Store its images as real ones too"),
      this.said, el("div", { class: "s-row" }, this.look, this.start), this.standing.root, this.preview, this.report, this.command));
  }

  enter(signal) {
    this.addEventListener("input", () => this.changed(), { signal });
    this.dataset_name = document.querySelector("#caption-dataset textarea, #caption-dataset input");
    this.dataset_name?.addEventListener("input", () => this.changed(), { signal });
    workspace.watch(() => this.allow(), signal);
    this.changed();
  }

  get body() {
    const body = { dataset: this.dataset_name?.value.trim() || "captions", images: this.images.checked };
    for (const [name, input] of Object.entries(this.inputs)) body[name] = input.value.trim();
    return body;
  }

  changed() {
    this.known = this.inputs.source.value.trim() !== "";
    this.said.replaceChildren();
    this.allow();
    if (this.known) this.commands.ask(this.body); else this.command.show("");
  }

  allow() {
    this.start.disabled = this.look.disabled = this.busy || !this.known || workspace.readOnly;
  }

  described(found) { this.command.show(found.command); }

  refuse(error) {
    this.said.replaceChildren(refusal(error.message));
    this.start.disabled = this.look.disabled = true;
  }

  async run(what) {
    const body = this.body;
    this.said.replaceChildren();
    this.preview.report("");
    this.report.report("");
    const done = await this.job(() => post(`hub/${what}`, body), what === "preview" ? "Rows read" : "Captions read");
    if (!done) return;
    if (what === "preview") { this.preview.report(JSON.stringify(done)); announce("The first rows are shown"); return; }
    this.report.report(JSON.stringify(done));
    announce("Captions imported");
    if (body.images) await this.takeImages(body.dataset, done.source);
  }

  async takeImages(dataset, source) {
    const stored = await this.job(() => post("hub/images", { ...this.body, dataset, caption_source: source }), "Images stored");
    if (stored) this.said.replaceChildren(el("p", { class: "s-hint", text: `${stored.stored} real images stored, ${stored.skipped} skipped.` }));
  }

  // Starts a job, shows how it stands, and gives its result, or nothing when it failed, with the reason shown.
  async job(start, title) {
    this.busy = true;
    this.allow();
    const started = await attempt(start);
    const now = started && await this.standing.follow(started.job_id, title);
    this.busy = false;
    this.allow();
    if (now && now.state !== "done") this.said.replaceChildren(refusal(now.error || now.message || `The job is ${now.state}.`));
    return now?.state === "done" && Object.keys(now.result ?? {}).length ? now.result : null;
  }
}

customElements.define("synth-hub", Hub);
