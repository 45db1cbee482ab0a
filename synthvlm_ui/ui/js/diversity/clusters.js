// The clusters of a run: name, nearest captions, example images, each set's share; and filling those that lack captions.

import { Latest, attempt, post, thumb } from "../api.js";
import { el, field, options } from "../dom.js";
import { count, percent, plural } from "../format.js";
import { colourOf } from "../plots.js";

export class Clusters {
  constructor({ onopen, onfill }) {
    Object.assign(this, { onopen, onfill, plans: new Latest((asked) => post("diversity/gaps", asked), (plan) => this.promised(plan),
      (error) => { this.promise.textContent = error.message; }) });
    this.list = el("ol", { class: "s-div-clusters" });
    this.set = el("select", { onchange: () => this.plan() });
    this.more = el("input", { type: "number", value: 50, min: 1, max: 100000, step: 1, oninput: () => this.plan() });
    this.writer = el("input", { value: "miniature", spellcheck: "false" });
    this.promise = el("p", { class: "s-hint", "aria-live": "polite" });
    this.fill = el("button", { type: "submit", class: "s-button", text: "Fill the gaps" });
    this.form = el("form", { class: "s-div-gaps", onsubmit: (event) => this.start(event) },
      field("Dataset", this.set), field("More captions", this.more), field("Writer", this.writer), this.fill, this.promise);
    this.root = el("section", { class: "s-card" }, el("h2", { text: "Clusters" }), this.form, this.list);
  }

  show(report, readOnly) {
    this.report = report;
    const names = Object.keys(report.datasets);
    this.list.replaceChildren(...report.clusters.map((cluster) => this.card(cluster, names)));
    const fillable = report.rows_are === "captions" ? report.sets.filter((set) => set.kind === "dataset").map((set) => set.name) : [];
    this.form.hidden = fillable.length === 0 || readOnly;
    options(this.set, fillable.map((name) => [name, name]), fillable.includes(this.set.value) ? this.set.value : fillable[0]);
    this.plan();
  }

  card(cluster, names) {
    const bars = names.map((name, place) => {
      const share = cluster.shares[name];
      const fill = el("span");
      fill.style.width = `${Math.min(100, 100 * share * this.report.k / 3)}%`;
      fill.style.background = colourOf(place);
      return el("div", { class: "s-div-share" }, el("span", { class: "s-subdued", text: name }), el("div", { class: "s-div-bar" }, fill),
        el("span", { text: percent(share) }));
    });
    const images = cluster.candidate_ids.slice(0, 4).map((id) => el("img", { src: thumb(id), alt: "", loading: "lazy" }));
    const open = this.report.rows_are !== "file" && el("button", { type: "button", class: "s-button s-small", text: "Show in Curate",
      "aria-label": `Show cluster ${cluster.index + 1} in Curate`, onclick: () => this.onopen(cluster.index) });
    return el("li", { class: "s-div-cluster", id: `s-div-cluster-${cluster.index}` },
      el("div", { class: "s-row s-between" }, el("h3", { text: `${cluster.index + 1}. ${cluster.name}` }), open),
      images.length > 0 && el("div", { class: "s-div-images" }, images), bars,
      el("ul", { class: "s-lines" }, cluster.captions.slice(0, 3).map((text) => el("li", { text }))));
  }

  plan() {
    clearTimeout(this.timer);
    if (this.form.hidden) return;
    this.timer = setTimeout(() => this.plans.ask({ run: this.report.run, set: this.set.value, count: Number(this.more.value) || 1 }), 200);
  }

  promised(plan) {
    const thin = plan.wanted.filter((wanted) => wanted > 0).length;
    this.promise.textContent = `${plural(thin, "cluster")} would get captions; entropy ${plan.entropy_before.toFixed(2)} → `
      + `at most ${plan.entropy_after.toFixed(2)} bit. Every text is embedded and kept only when it falls into one of them.`;
  }

  async start(event) {
    event.preventDefault();
    const body = { run: this.report.run, set: this.set.value, count: Number(this.more.value) || 1, writer: this.writer.value.trim() };
    const started = await attempt(() => post("diversity/fill", body));
    if (started) this.onfill(started.job_id);
  }

  told(result) {
    this.promise.textContent = `${count(result.written)} captions written (${count(result.tried)} texts tried): entropy `
      + `${result.entropy_before.toFixed(2)} → ${result.entropy_after.toFixed(2)} bit. Measure again to see them in the plots.`;
  }
}
