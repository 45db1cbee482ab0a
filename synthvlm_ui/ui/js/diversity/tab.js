// The diversity tab: what to measure, and what the latest or a chosen run found. Jobs are followed here; numbers come whole
// from the server.

import { Latest, attempt, get, post } from "../api.js";
import { el, field, options, refusal } from "../dom.js";
import { SynthElement } from "../element.js";
import { count, percent, when } from "../format.js";
import { showInCurate } from "../tabs.js";
import { isActive, workspace } from "../workspace.js";
import { drawConcentration, drawCuts, drawElbow, drawSizes } from "./charts.js";
import { Clusters } from "./clusters.js";
import { Form } from "./form.js";
import { Mapping } from "./mapping.js";

const LOOK_EVERY_MS = 400;
const SCORES = [["combined", "CLIPScore + 0.5·SSIM"], ["clip_cosine", "CLIPScore"], ["ssim", "SSIM"]];

class Diversity extends SynthElement {
  build() {
    this.form = new Form({ onstart: (settings) => this.start(settings), oncommand: (text) => this.command.show(text) });
    this.command = el("synth-command");
    this.cutting = new Latest(({ run, ...asked }) => get(`diversity/cuts/${run}`, asked), (cuts) => this.showCut(cuts), () => this.showCut(null));
    this.progress = el("div", { class: "s-progress", role: "progressbar", "aria-label": "Progress" }, this.bar = el("div", { class: "s-progress-fill" }));
    this.doing = el("p", { class: "s-hint", "aria-live": "polite" });
    this.stop = el("button", { type: "button", class: "s-button s-small", text: "Stop", onclick: () => this.job && attempt(() => post(`jobs/${this.job}/stop`)) });
    this.working = el("section", { class: "s-card", hidden: true }, el("div", { class: "s-row s-between" }, this.doing, this.stop), this.progress);
    this.failed = el("div");
    this.runs = el("select", { onchange: () => this.openRun(this.runs.value) });
    this.facts = el("p", { class: "s-hint" });
    this.head = el("div", { class: "s-row s-between" }, field("Run", this.runs));
    this.table = el("div", { class: "s-scroll" });
    this.said = el("ul", { class: "s-div-said" });
    const plot = (name) => (this[name] = el("div", { class: "s-div-plot" }));
    this.column = el("select", { onchange: () => this.cut() });
    options(this.column, SCORES, "combined");
    this.cutOf = el("select", { onchange: () => this.cut() });
    this.cutCard = el("section", { class: "s-card" }, el("div", { class: "s-row" }, field("Score", this.column), field("Dataset", this.cutOf)), plot("cuts"));
    this.elbowCard = el("section", { class: "s-card", hidden: true }, plot("elbow"));
    this.clusters = new Clusters({ onopen: (cluster) => this.toCurate(cluster), onfill: (job) => this.follow(job, (result) => {
      this.clusters.told(result);
      workspace.refresh();
    }) });
    this.mapping = new Mapping({ onjob: (job, done) => this.follow(job, done) });
    this.body = el("div", { class: "s-div-results", hidden: true },
      el("section", { class: "s-card" }, this.head, this.table, this.said, this.facts),
      el("section", { class: "s-card" }, plot("sizes"), el("p", { class: "s-hint", text: "Click a bar to see its members in Curate." })),
      el("div", { class: "s-div-pair" }, el("section", { class: "s-card" }, plot("concentration")), this.cutCard, this.elbowCard),
      this.mapping.root, this.clusters.root);
    this.none = el("div", { class: "s-card s-empty s-tall" }, el("p", { text: "Nothing is measured yet. Choose sets and press Measure diversity: "
      + "captions are embedded by a language model and clustered together, as in Synth²." }));
    this.append(el("div", { class: "s-diversity" }, el("div", { class: "s-div-side" }, this.form.root, this.command),
      el("div", { class: "s-main" }, this.working, this.failed, this.none, this.body)));
  }

  enter(signal) {
    workspace.watch(() => this.form.show(), signal);
    this.choose();
    // Plots take their colours when they are drawn.
    new MutationObserver(() => this.report && this.show(this.report)).observe(document.body, { attributeFilter: ["class"] });
  }

  async choose() {
    const choices = await attempt(() => get("diversity/choices"));
    if (!choices) return;
    this.form.offer(choices.embedders);
    this.mapping.offer(choices.methods);
    this.offerRuns(choices.runs);
    const active = workspace.jobs.find((job) => job.kind === "diversity" && isActive(job.state));
    if (active) this.follow(active.id, () => this.measured(active.id));
    if (choices.runs.length) this.openRun(choices.runs[0].run);
  }

  offerRuns(runs) {
    options(this.runs, runs.map((run) => [run.run, `${when(run.created)} · K = ${run.k} · ${run.sets.join(", ")}`.slice(0, 90)]), runs[0]?.run);
  }

  async start(settings) {
    this.failed.replaceChildren();
    let started;
    try { started = await post("diversity/start", settings); } catch (error) {
      this.failed.replaceChildren(refusal(error.message));
      return;
    }
    workspace.refresh();
    this.follow(started.job_id, () => this.measured(started.job_id));
  }

  async measured(run) {
    const choices = await attempt(() => get("diversity/choices"));
    if (choices) this.offerRuns(choices.runs);
    await this.openRun(run);
  }

  // Watches a job until it ends; the elbow is drawn while it computes. ``done(result)`` when it went well.
  async follow(job, done) {
    this.job = job;
    this.working.hidden = false;
    for (;;) {
      let now;
      try { now = await get(`diversity/progress/${job}`); } catch { now = null; }
      if (this.job !== job) return;
      if (now) {
        this.doing.textContent = now.message ? `${now.message} (${count(now.done)} of ${count(now.total)})` : "waiting for its turn";
        this.bar.style.width = `${100 * now.progress}%`;
        this.liveElbow(now.metrics);
        if (!isActive(now.state)) {
          this.working.hidden = true;
          this.job = null;
          workspace.refresh();
          if (now.state === "done") done(now.result);
          else this.failed.replaceChildren(refusal(now.error ?? `The job is ${now.state}.`));
          return;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  liveElbow(metrics) {
    const points = metrics.filter((row) => row.kind === "wcss").map((row) => [row.k, row.wcss]);
    if (points.length < 2 || points.length === this.elbowSeen) return;
    this.elbowSeen = points.length;
    this.none.hidden = true;
    this.body.hidden = false;
    this.elbowCard.hidden = false;
    attempt(() => drawElbow(this.elbow, points, null));
  }

  async openRun(run) {
    const report = await attempt(() => get(`diversity/run/${run}`));
    if (report) await this.show(report);
  }

  async show(report) {
    this.report = report;
    this.elbowSeen = 0;
    this.none.hidden = true;
    this.body.hidden = false;
    this.runs.value = report.run;
    this.showTable(report);
    this.clusters.show(report, workspace.readOnly);
    this.mapping.show(report);
    await attempt(async () => {
      await drawSizes(this.sizes, report, (cluster, set) => this.toCurate(cluster, set));
      await drawConcentration(this.concentration, report);
      this.elbowCard.hidden = !report.wcss;
      if (report.wcss) await drawElbow(this.elbow, Object.entries(report.wcss).map(([k, wcss]) => [Number(k), wcss]), report.knee);
    });
    const datasets = [...new Set(report.sets.map((set) => set.dataset).filter(Boolean))];
    options(this.cutOf, datasets.map((name) => [name, name]), datasets.includes(this.cutOf.value) ? this.cutOf.value : datasets[0]);
    this.cut();
  }

  showTable(report) {
    const heads = ["Set", "Rows", "Top-3", "Top-5", "Entropy", "over the fits", "of log₂ K", "Effective clusters"];
    const rows = Object.entries(report.datasets).map(([name, found]) => {
      const band = found.band.entropy_bits;
      const cells = [count(found.n) + (found.left_out ? ` (${count(found.left_out)} left out)` : ""), `${(100 * found.top3).toFixed(1)} %`,
        `${(100 * found.top5).toFixed(1)} %`, `${found.entropy_bits.toFixed(2)} bit`, `${band.low.toFixed(2)}–${band.high.toFixed(2)}`,
        percent(found.entropy_share), found.effective_clusters.toFixed(1)];
      return el("tr", {}, el("th", { scope: "row", text: name }), cells.map((text) => el("td", { class: "s-right", text })));
    });
    this.table.replaceChildren(el("table", { class: "s-table s-div-table" }, el("thead", {}, el("tr", {}, heads.map((text, place) => el("th", { text,
      scope: "col", class: place ? "s-right" : null })))), el("tbody", {}, rows)));
    this.said.replaceChildren(...report.differences.map((one) => el("li", {}, el("span", { class: one.differs ? "s-mark s-keep" : "s-mark",
      "aria-hidden": "true", text: one.differs ? "≠" : "≈" }), el("span", { text: ` ${one.statement}` }))));
    this.facts.textContent = `K = ${report.k}, ${report.fits} fits on ${count(report.sample_rows)} pooled rows, seed ${report.seed}; embeddings by `
      + `${report.embedder} (${report.dimension} numbers each). Numbers of runs with other centroids are not comparable below 0.15 bit.`;
  }

  cut() {
    this.cutCard.hidden = !this.cutOf.value;
    if (!this.cutCard.hidden) this.cutting.ask({ run: this.report.run, dataset: this.cutOf.value, column: this.column.value });
  }

  showCut(cuts) {
    this.cutCard.hidden = !cuts?.points.length && this.column.value === "combined";
    if (cuts?.points.length) attempt(() => drawCuts(this.cuts, cuts, `keep ${this.column.selectedOptions[0].textContent} ≥`));
  }

  // A cluster's members, as a condition in Curate; of the named set's dataset, or of the first.
  async toCurate(cluster, name = null) {
    const set = this.report.sets.find((one) => one.name === name) ?? this.report.sets.find((one) => one.dataset);
    if (!set?.dataset) return;
    await showInCurate({ rule: { dataset: set.dataset, where: `cluster == ${cluster}`, guards: false }, show: "kept" });
  }
}

customElements.define("synth-diversity", Diversity);
