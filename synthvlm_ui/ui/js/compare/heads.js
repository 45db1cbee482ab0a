// Scorers beyond the known three: one learnt from the reader's own verdicts, those there are, and scoring by name.

import { Latest, attempt, get, post } from "../api.js";
import { el, field, options, uniqueId } from "../dom.js";
import { count, percent, plural } from "../format.js";
import { showInCurate } from "../tabs.js";
import { workspace } from "../workspace.js";
import { JobLine } from "./job_line.js";

const BY_NAME = ["clip", "ssim", "ssim-tiled", "guards", "vqascore:HUB-ID-OR-DIRECTORY"];

export class Heads {
  constructor() {
    this.asked = new Latest((query) => get("heads", query), (found) => this.receive(found), (error) => this.line.refuse(error.message));
    this.buildLearning();
    this.buildScoring();
    this.table = el("table", { class: "s-table s-head-table" });
    this.none = el("p", { class: "s-empty", text: "No scorer has been learnt yet." });
    this.command = el("synth-command");
    this.root = el("section", { class: "s-room", "aria-label": "Scorers" },
      el("div", { class: "s-study-setup" }, this.learning, this.scoring),
      el("div", { class: "s-card" }, el("h2", { text: "Learnt scorers" }), this.none, el("div", { class: "s-scroll" }, this.table)),
      this.command);
    workspace.addEventListener("change", () => this.offer());
  }

  buildLearning() {
    this.dataset = el("select", { onchange: () => this.ask() });
    this.name = el("input", { maxlength: "64", placeholder: "taste", pattern: "[A-Za-z0-9][A-Za-z0-9_.\\-]*", required: true,
      autocomplete: "off", spellcheck: "false", oninput: () => this.ask() });
    this.verdicts = el("p", { class: "s-hint", role: "status" });
    this.learn = el("button", { type: "submit", class: "s-button s-primary", text: "Learn and score" });
    this.line = new JobLine({ label: "Learning", onend: (job) => this.learnt(job.result) });
    this.result = el("div", { role: "status" });
    this.learning = el("form", { class: "s-card s-study-form", onsubmit: (event) => this.start(event) },
      el("h2", { text: "Learn a scorer from your verdicts" }), el("p", { class: "s-hint", text: "Keep and reject images in Curate; a "
        + "logistic regression on the stored CLIP embeddings then tells how much any image is like those you keep." }),
      el("div", { class: "s-row" }, field("Dataset", this.dataset), field("Name of the scorer", this.name), this.learn), this.verdicts,
      this.line.root, this.result);
  }

  buildScoring() {
    this.scored = el("select");
    this.scorers = el("input", { list: uniqueId("scorers"), autocomplete: "off", spellcheck: "false", required: true,
      placeholder: "vqascore:llava-hf/llava-1.5-7b-hf" });
    this.known = el("datalist", { id: this.scorers.getAttribute("list") });
    this.score = el("button", { type: "submit", class: "s-button", text: "Score" });
    this.scoreLine = new JobLine({ label: "Scoring", onend: (job) => this.hasScored(job.result) });
    this.scoreResult = el("p", { class: "s-hint", role: "status" });
    this.scoring = el("form", { class: "s-card s-study-form", onsubmit: (event) => this.startScoring(event) },
      el("h2", { text: "Score by name" }), el("p", { class: "s-hint", text: "VQAScore with any vision-language model of transformers, a "
        + "learnt scorer as head:NAME, a head from a file as head:FILE.safetensors; several with commas. Only missing numbers are made." }),
      el("div", { class: "s-row" }, field("Dataset", this.scored), field("Scorers", this.scorers), this.score), this.known,
      this.scoreLine.root, this.scoreResult);
  }

  show(on) {
    this.root.hidden = !on;
    if (on) { this.offer(); this.ask(); }
  }

  // Starts where the reader looks: at the dataset of the chosen synthetic images.
  choose(_real, synthetic, choices) {
    const dataset = choices?.synthetic.find((one) => one.spec === synthetic)?.dataset;
    if (dataset && dataset !== this.looked) this.dataset.value = this.scored.value = this.looked = dataset;
    this.offer();
  }

  offer() {
    const sets = workspace.datasets.filter((one) => one.candidates > 0 || one.real > 0).map((one) => [one.name, one.name]);
    const key = JSON.stringify(sets);
    this.learn.disabled = this.score.disabled = workspace.readOnly || sets.length === 0;
    if (key === this.offered) return;
    this.offered = key;
    for (const select of [this.dataset, this.scored]) options(select, sets, select.value || this.looked || sets[0]?.[0]);
    if (!this.root.hidden) this.ask();
  }

  ask() { this.asked.ask({ dataset: this.dataset.value, name: this.name.value.trim() }); }

  receive(found) {
    const { heads, verdicts } = found;
    if (verdicts) {
      const enough = Math.min(verdicts.kept, verdicts.rejected) >= verdicts.least;
      this.verdicts.textContent = `${count(verdicts.kept)} kept and ${count(verdicts.rejected)} rejected by hand`
        + (enough ? "." : `; ${verdicts.least} of each are needed.`);
    }
    if (found.command) this.command.show(found.command);
    this.known.replaceChildren(...BY_NAME.map((value) => el("option", { value })),
      ...heads.map((one) => el("option", { value: `head:${one.name}`, label: `column ${one.column}` })));
    this.none.hidden = heads.length > 0;
    const titles = ["Name", "Learnt from", "Kept", "Rejected", "Accuracy", "Larger side", "Column", ""];
    this.table.hidden = heads.length === 0;
    this.table.replaceChildren(el("thead", {}, el("tr", {}, titles.map((text, place) => el("th", { scope: "col",
      class: place > 1 && place < 6 ? "s-right" : "", text })))), el("tbody", {}, heads.map((one) => this.row(one))));
  }

  row(one) {
    const share = (text) => (text === undefined ? "–" : percent(Number(text)));
    const cell = (text, right = true) => el("td", { class: right ? "s-right" : "", text: text ?? "–" });
    const accuracy = one.accuracy === undefined ? "–" : `${share(one.accuracy)}${one.accuracy_sd ? ` ± ${share(one.accuracy_sd)}` : ""}`;
    return el("tr", {}, el("th", { scope: "row", text: one.name }), cell(one.learnt_from, false), cell(one.kept), cell(one.rejected),
      cell(accuracy), cell(share(one.majority)), el("td", {}, el("code", { text: one.column })), el("td", {}, one.learnt_from
        && this.opener(one.learnt_from, one.column)));
  }

  // A bound at the middle of its scale brings the score's histogram into view there.
  opener(dataset, column) {
    return el("button", { type: "button", class: "s-button s-small", text: "Show in Curate", "aria-label": `Show ${column} in Curate`,
      onclick: () => showInCurate({ rule: { dataset, where: `${column} >= 0.5`, guards: false }, show: "kept" }) });
  }

  async start(event) {
    event.preventDefault();
    this.result.replaceChildren();
    this.line.clear();
    try {
      const started = await post("heads/learn", { dataset: this.dataset.value, name: this.name.value.trim() });
      this.line.follow(started.job_id);
    } catch (error) { this.line.refuse(error.message); }
  }

  learnt(found) {
    if (!found.column) return;
    const better = found.accuracy - found.majority;
    const says = better > found.accuracy_sd ? "It has learnt something." : better > 0 ? "That is hardly more than chance."
      : "It has learnt nothing that helps.";
    this.result.replaceChildren(el("p", { class: "s-win" }, el("b", { text: percent(found.accuracy) }), ` ± ${percent(found.accuracy_sd)} accuracy`),
      el("p", { class: "s-hint", text: `Cross-validated over ${plural(found.folds, "fold")} with all candidates of a caption in one; always `
        + `saying what is more frequent would be right in ${percent(found.majority)}. ${says}` }),
      el("p", { class: "s-row" }, el("span", { text: `${plural(found.scored, "image")} scored as ${found.column}.` }),
        this.opener(this.dataset.value, found.column)));
    this.ask();
    workspace.refresh();
  }

  async startScoring(event) {
    event.preventDefault();
    this.scoreResult.textContent = "";
    this.scoreLine.clear();
    try {
      const started = await post("score", { dataset: this.scored.value, scorers: this.scorers.value });
      this.scoreLine.follow(started.job_id);
      this.command.show(started.command);
    } catch (error) { this.scoreLine.refuse(error.message); }
  }

  hasScored(result) {
    this.scoreResult.textContent = `${plural(result.scored ?? 0, "image")} scored, ${count(result.failed ?? 0)} failed. The columns are in Curate’s `
      + "histograms and filter, and under Sets where both sides have them.";
    workspace.refresh();
  }
}
