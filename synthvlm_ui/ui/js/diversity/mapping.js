// The map of a run with its tools: method, colours, lasso, what was selected, and saving that as a selection.

import { address, attempt, post, thumb } from "../api.js";
import { el, field, options } from "../dom.js";
import { count, percent, plural } from "../format.js";
import { toast } from "../toast.js";
import { workspace } from "../workspace.js";
import { colourOf } from "../plots.js";
import { PointMap } from "./map.js";

const TITLES = { pca: "PCA", tsne: "t-SNE", umap: "UMAP" };
const SHOWN = 24;

export class Mapping {
  constructor({ onjob }) {
    this.onjob = onjob;
    this.map = new PointMap({ onlasso: (points) => this.took(points), onpoint: (point) => this.look([point], false) });
    this.method = el("select", { onchange: () => this.open() });
    this.by = el("select", { onchange: () => { this.map.by = this.by.value; this.legend(); this.map.ask(); } });
    options(this.by, [["set", "set"], ["cluster", "cluster"]], "set");
    const mode = (value, text) => el("label", { class: "s-option" }, el("input", { type: "radio", name: "s-map-mode", value,
      checked: value === "pan", onchange: () => { this.map.mode = value; this.map.root.dataset.mode = value; } }), text);
    const button = (text, act, label = text) => el("button", { type: "button", class: "s-button s-small", text, "aria-label": label, onclick: act });
    this.make = button("Draw the map", () => this.start());
    this.tools = el("div", { class: "s-row" }, el("div", { class: "s-segments", role: "radiogroup", "aria-label": "What dragging does" },
      mode("pan", "Move"), mode("lasso", "Lasso")), button("+", () => this.map.zoom(1.5), "Zoom in"), button("−", () => this.map.zoom(1 / 1.5), "Zoom out"),
      button("All", () => this.map.fit(), "Show everything"), button("Select what is visible", () => this.map.chooseVisible()),
      button("Select nothing", () => this.map.clear()));
    this.sets = el("div", { class: "s-row s-div-legend" });
    this.status = el("p", { class: "s-hint", "aria-live": "polite" });
    this.found = el("div", { class: "s-map-found" });
    this.name = el("input", { maxlength: "60", placeholder: "lasso", pattern: "[A-Za-z0-9][A-Za-z0-9_.\\-]*", required: true });
    this.save = el("form", { class: "s-row", hidden: true, onsubmit: (event) => this.keep(event) }, field("Name", this.name),
      el("button", { type: "submit", class: "s-button s-primary", text: "Save as selection" }));
    this.body = el("div", { class: "s-div-map", hidden: true }, this.tools, this.sets, this.map.root, this.status, this.save, this.found);
    this.root = el("section", { class: "s-card" }, el("div", { class: "s-row s-between" }, el("h2", { text: "Map" }),
      el("div", { class: "s-row" }, field("Method", this.method), field("Colours by", this.by), this.make)), this.body);
  }

  offer(methods) { options(this.method, methods.map((name) => [name, TITLES[name] ?? name]), "pca"); }

  show(report) {
    this.report = report;
    this.map.hidden.clear();
    this.open();
  }

  // Shows the map when it is there, and offers to make it when it is not.
  async open() {
    const is = this.report.maps.includes(this.method.value);
    this.make.hidden = is || workspace.readOnly;
    this.body.hidden = !is;
    if (!is) return;
    const response = await fetch(address(`diversity/map/${this.report.run}/${this.method.value}`));
    if (!response.ok) { toast("The map cannot be read.", "error"); return; }
    const started = performance.now();
    this.map.load(await response.arrayBuffer());
    this.map.canvas.setAttribute("aria-label", `Map of ${plural(this.map.n, "point")}. Arrow keys move, plus and minus zoom, 0 shows everything.`);
    this.legend();
    this.took([]);
    this.map.root.dataset.loadedMs = (performance.now() - started).toFixed(0);
  }

  async start() {
    const started = await attempt(() => post("diversity/map", { run: this.report.run, method: this.method.value }));
    if (started) this.onjob(started.job_id, () => { this.report.maps.push(this.method.value); this.open(); });
  }

  legend() {
    this.sets.replaceChildren(...Object.keys(this.report.datasets).map((name, place) => {
      const input = el("input", { type: "checkbox", checked: !this.map.hidden.has(place), onchange: () => {
        if (input.checked) this.map.hidden.delete(place); else this.map.hidden.add(place);
        this.map.ask();
      } });
      const dot = el("span", { class: "s-dot", "aria-hidden": "true" });
      if (this.by.value === "set") dot.style.background = colourOf(place);
      return el("label", { class: "s-option" }, input, dot, name);
    }));
  }

  took(points) {
    this.points = points;
    this.save.hidden = !points.length || workspace.readOnly || this.report.rows_are === "file";
    this.found.replaceChildren();
    this.status.textContent = points.length ? "" : `${plural(this.map.n, "point")}. Drag to move, scroll to zoom, click a point to see it; choose Lasso to select.`;
    if (points.length) this.look(points, true);
  }

  async look(points, all) {
    const seen = await attempt(() => post("diversity/points", { run: this.report.run, method: this.method.value, points }));
    if (!seen) return;
    if (all) {
      const parts = Object.entries(seen.sets).filter(([, n]) => n).map(([name, n]) => `${name} ${count(n)}`);
      this.status.textContent = `${plural(seen.total, "point")} of ${count(this.map.n)} (${percent(seen.total / this.map.n)}): ${parts.join(", ")}.`
        + (seen.total > SHOWN ? ` The first ${SHOWN}:` : "");
    }
    this.found.replaceChildren(...seen.shown.map((one) => el("figure", { class: "s-map-item" },
      one.candidate_id && el("img", { src: thumb(one.candidate_id), alt: "", loading: "lazy" }),
      el("figcaption", {}, el("span", { text: one.caption || `row ${one.row}` }),
        el("small", { class: "s-subdued", text: `${one.set} · cluster ${one.cluster + 1}` })))));
  }

  async keep(event) {
    event.preventDefault();
    const body = { run: this.report.run, method: this.method.value, points: this.points, name: this.name.value.trim() };
    const done = await attempt(() => post("diversity/select", body));
    if (!done) return;
    toast(`Selection “${done.name}” saved: ${plural(done.kept, "candidate")} of ${plural(done.captions_kept, "caption")}`);
    workspace.refresh();
  }
}
