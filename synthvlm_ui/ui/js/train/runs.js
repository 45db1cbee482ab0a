// The table over runs: what each was trained on, what it reached and what it can do since.

import { attempt, post } from "../api.js";
import { el } from "../dom.js";
import { clip, count, onScale, unit, when } from "../format.js";
import { openTab } from "../tabs.js";

const HEADS = ["", "Run", "Trained on", "Pairs", "CLIPScore", "SSIM", "Entropy", "Steps", "Loss", "Steps/s", "Metrics"];
const HINTS = { Entropy: "Of the newest diversity run that measured the set, in bits", Loss: "Mean of the last 20 steps",
  "Steps/s": "As trained: tokens, pixels or drawn on the fly" };

export class RunTable {
  constructor({ onopen, oncompare }) {
    Object.assign(this, { onopen, oncompare, beside: new Set(), runs: [] });
    this.body = el("tbody");
    this.table = el("div", { class: "s-scroll" }, el("table", { class: "s-table s-train-table" }, el("thead", {}, el("tr", {}, HEADS.map((text, place) =>
      el("th", { text, scope: "col", class: place > 2 && place < 10 ? "s-right" : null, title: HINTS[text] })))), this.body));
    this.root = el("section", { class: "s-card", hidden: true }, el("h2", { text: "Runs" }), this.table,
      el("p", { class: "s-hint", text: "A run's name shows its loss above; tick others to lay their losses beside it. A selection opens in Curate." }));
  }

  enter(signal) { onScale(() => this.show(this.runs, this.job), signal); }

  show(runs, job) {
    Object.assign(this, { runs, job });
    this.root.hidden = runs.length === 0;
    this.body.replaceChildren(...runs.map((run) => this.row(run)));
  }

  row(run) {
    const tick = el("input", { type: "checkbox", checked: this.beside.has(run.job_id) || run.job_id === this.job, disabled: run.job_id === this.job,
      "aria-label": `Show the loss of ${run.name}`, onchange: () => { this.toggle(run.job_id, tick.checked); } });
    const name = el("button", { type: "button", class: "s-chip s-train-name", "aria-pressed": String(run.job_id === this.job), onclick: () => this.onopen(run) },
      el("strong", { text: run.name }), el("br"), el("small", { text: `${run.recipe} ${run.configuration}${run.on_the_fly ? ", on the fly" : ""} · ${run.state}` }));
    const each = (text) => el("td", { class: "s-right" }, run.sources.map((source) => el("div", { text: text(source) })));
    const right = (text) => el("td", { class: "s-right", text });
    return el("tr", { "data-job": run.job_id, title: when(run.created) }, el("td", {}, el("label", { class: "s-option" }, tick)), el("td", {}, name),
      el("td", {}, run.sources.map((source) => this.source(source))), each((source) => count(source.pairs)), each((source) => clip(source.scores.clip_cosine)),
      each((source) => unit(source.scores.ssim)), each((source) => (source.entropy_bits === null ? "–" : `${source.entropy_bits.toFixed(2)} bit`)),
      right(run.steps === run.max_steps ? count(run.steps) : `${count(run.steps)} of ${count(run.max_steps)}`), right(unit(run.loss, 4)), right(run.steps_per_s ? run.steps_per_s.toPrecision(3) : "–"),
      el("td", {}, this.metrics(run)));
  }

  source(source) {
    const weight = source.weight === null ? "" : ` × ${source.weight}`;
    if (source.kind !== "selection") return el("div", { text: `${source.kind === "real" ? "real images of " : ""}${source.name}${weight}` });
    return el("div", {}, el("button", { type: "button", class: "s-chip", text: `${source.name}${weight}`, title: "Open in Curate",
      onclick: () => this.toCurate(source) }));
  }

  metrics(run) {
    const found = Object.entries(run.metrics).filter(([name]) => !["pictures", "tokens"].includes(name));
    const waiting = run.evaluations.some((one) => ["queued", "running"].includes(one.state));
    const failed = run.evaluations.findLast((one) => ["failed", "crashed"].includes(one.state));
    return [...found.map(([name, value]) => el("div", { class: "s-train-metric", text: `${name} ${Math.abs(value) >= 10 ? value.toFixed(1) : value.toPrecision(3)}` })),
      waiting ? el("div", { class: "s-subdued", text: "measuring …" }) : null, failed && !found.length && !waiting ? el("div", { class: "s-alert", text: failed.message }) : null,
      found.length || waiting || failed ? null : "–"].filter(Boolean);
  }

  toggle(job, on) {
    if (on) this.beside.add(job); else this.beside.delete(job);
    this.oncompare(this.runs.filter((run) => this.beside.has(run.job_id)));
  }

  async toCurate(source) {
    const link = await attempt(() => post("curate/link", { state: { rule: source.rule, show: "kept" } }));
    if (!link) return;
    location.hash = `#curate?${link.query}`;
    openTab("curate");
  }
}
