// Whole sets: the table of scores, distances to the real set, histograms over one another, and a flat map.

import { address, attempt, get, post } from "../api.js";
import { el, field, options } from "../dom.js";
import { count, onScale, percent, scale, unit } from "../format.js";
import { workspace } from "../workspace.js";
import { JobLine } from "./job_line.js";

const TITLES = { clip_cosine: "CLIPScore", ssim: "SSIM", combined: "Combined" };
const METHODS = [["pca", "PCA"], ["tsne", "t-SNE"], ["umap", "UMAP (needs umap-learn)"]];
const OF = [["image", "Images"], ["text", "Captions"]];

export class Sets {
  constructor() {
    Object.assign(this, { shown: false, specs: [], more: new Set(), made: {}, result: null });
    this.others = el("div", { class: "s-chips", role: "group", "aria-label": "More sets" });
    this.table = el("table", { class: "s-table s-set-table" });
    this.notes = el("ul", { class: "s-lines" });
    this.distances = el("div", { class: "s-distances" });
    this.figures = el("div", { class: "s-figures" });
    this.method = el("select");
    this.of = el("select");
    options(this.method, METHODS, "tsne");
    options(this.of, OF, "image");
    this.layOut = el("button", { type: "button", class: "s-button", text: "Lay out the map", onclick: () => this.start() });
    this.mapLine = new JobLine({ label: "Laying out the map", onend: (job) => this.finished("map", job) });
    this.mapNote = el("p", { class: "s-hint", hidden: true, text: "Distances on such a map mean little; what lies together is alike." });
    this.map = el("div");
    this.buildFid();
    this.command = el("synth-command");
    this.problem = el("p", { class: "s-empty s-tall", hidden: true });
    this.body = el("div", { class: "s-set-body" },
      el("div", { class: "s-card" }, el("h2", { text: "Quality" }), el("div", { class: "s-scroll" }, this.table), this.notes, this.distances,
        this.csv = el("p", { class: "s-downloads" })),
      el("div", { class: "s-card" }, el("h2", { text: "Scores over one another" }), this.figures),
      el("div", { class: "s-card" }, el("h2", { text: "Do they lie in one another?" }),
        el("div", { class: "s-row s-map-tools" }, field("Map", this.method), field("Of", this.of), this.layOut), this.mapLine.root, this.mapNote, this.map), this.fidCard);
    this.root = el("section", { class: "s-room", "aria-label": "Sets" }, this.others, this.problem, this.body, this.command);
    onScale(() => this.result && this.fill(), new AbortController().signal);
    new ResizeObserver(() => this.resized()).observe(this.root);
    new MutationObserver(() => this.draw()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  }

  buildFid() {
    this.weights = el("input", { placeholder: "/models/inception.safetensors", autocomplete: "off", spellcheck: "false", required: true });
    this.measureFid = el("button", { type: "submit", class: "s-button", text: "Measure FID" });
    this.fidLine = new JobLine({ label: "Inception features", onend: (job) => this.finished("fid", job) });
    this.fid = el("div", { class: "s-fid" });
    this.fidCard = el("form", { class: "s-card s-study-form", onsubmit: (event) => this.startFid(event) }, el("h2", { text: "FID" }),
      el("p", { class: "s-hint", text: "Needs the Inception network of 2015 as a safetensors file on the server; docs/scorers.md tells how to "
        + "make it. FID of few images comes out far too high; CMMD does not." }),
      el("div", { class: "s-row" }, field("Inception weights", this.weights), this.measureFid), this.fidLine.root, this.fid);
  }

  show(on) {
    this.shown = on;
    this.root.hidden = !on;
    if (on) this.ask();
  }

  choose(real, synthetic, choices) {
    this.specs = [real, synthetic].filter(Boolean);
    const rest = [...(choices?.synthetic ?? []), ...(choices?.real ?? [])].filter((one) => !this.specs.includes(one.spec));
    for (const spec of this.more) if (!rest.some((one) => one.spec === spec)) this.more.delete(spec);
    this.others.replaceChildren(...(rest.length ? [el("span", { class: "s-hint", text: "Also:" })] : []),
      ...rest.map((one) => el("button", { type: "button", class: "s-chip", "aria-pressed": String(this.more.has(one.spec)), text: one.spec,
        onclick: (event) => this.toggle(one.spec, event.currentTarget) })));
    if (this.shown) this.ask();
  }

  toggle(spec, button) {
    if (!this.more.delete(spec)) this.more.add(spec);
    button.setAttribute("aria-pressed", String(this.more.has(spec)));
    this.ask();
  }

  get all() { return [...this.specs, ...this.more].join(","); }

  async ask() {
    if (!this.specs.length) return;
    const asked = this.all;
    try {
      const [result, latest] = await Promise.all([get("compare/sets", { specs: asked }), get("compare/latest", { specs: asked })]);
      if (asked !== this.all) return;
      this.result = result;
      this.takeUp(latest);
    } catch (error) {
      this.problem.textContent = error.message;
      this.problem.hidden = false;
      this.body.hidden = true;
      return;
    }
    this.problem.hidden = true;
    this.body.hidden = false;
    this.layOut.disabled = this.measureFid.disabled = workspace.readOnly;
    this.fidCard.hidden = this.all.split(",").length < 2;
    this.command.show(this.result.command);
    this.fill();
    this.draw();
  }

  fill() {
    const spread = (one, { factor, digits }) => (one.mean === null ? "–"
      : `${unit(one.mean * factor, digits)} ± ${unit(one.std * factor, digits)}`);
    const plain = { factor: 1, digits: 3 };
    const title = (name) => (name === "clip_cosine" ? `CLIPScore (${scale().name})` : TITLES[name] ?? name);
    this.table.replaceChildren(el("thead", {}, el("tr", {}, ["Set", "Images", ...this.result.columns.map(title)].map(
      (text, place) => el("th", { scope: "col", class: place ? "s-right" : "", text })))),
    el("tbody", {}, Object.entries(this.result.sets).map(([name, one]) => el("tr", {}, el("th", { scope: "row" }, name,
      el("small", { text: one.real ? " real" : " synthetic" })), el("td", { class: "s-right", text: count(one.n) }),
    this.result.columns.map((column) => el("td", { class: "s-right", text: spread(one[column], column === "clip_cosine" ? scale() : plain) }))))));
    this.notes.replaceChildren(...this.result.notes.map((text) => el("li", { text })));
    this.distances.replaceChildren(...this.result.distances.map((row) => this.distance(row)));
    this.csv.replaceChildren(this.link("sets", "csv", "Table as CSV", this.made.fid ? { job: this.made.fid } : {}));
  }

  distance(row) {
    const chance = row.cmmd_chance === null ? "" : `; chance alone stays below ${unit(row.cmmd_chance)}`;
    return el("p", {}, el("b", { text: `${row.second}: ` }), `CMMD ${unit(row.cmmd)} to ${row.first}${chance}. `,
      row.own_neighbour_share === null ? "" : `${percent(row.own_neighbour_share)} of the images have their nearest neighbour in `
      + "their own set (50 % when the sets cannot be told apart).");
  }

  address(name, format, extra = {}) {
    const url = new URL(address("compare/figure"));
    const values = { specs: this.all, name, format, v: workspace.state?.summary.version ?? 0, ...extra };
    for (const [key, value] of Object.entries(values)) url.searchParams.set(key, value);
    return url.href;
  }

  link(name, format, text, extra = {}) {
    return el("a", { href: this.address(name, format, extra), download: `${name}.${format}`, text });
  }

  figure(name, title, extra = {}) {
    const whole = this.figures.clientWidth || 640;
    const columns = name === "map" ? 1 : Math.max(1, Math.floor((whole + 14) / 494));
    const width = Math.max(280, Math.min(760, Math.floor((whole - 14 * (columns - 1)) / columns) - 2));
    const look = { ...extra, theme: document.body.classList.contains("dark") ? "dark" : "light", width };
    const alt = name === "map" ? `Map of ${this.all}` : `${title}: shares of ${Object.keys(this.result.sets).join(", ")} by score`;
    return el("figure", { class: "s-figure" }, el("img", { src: this.address(name, "svg", look), alt, class: "s-plot-image" }),
      el("figcaption", { class: "s-downloads" }, ["svg", "png", "csv"].map((format) => this.link(name, format, format.toUpperCase(), extra))));
  }

  draw() {
    if (!this.result || !this.shown) return;
    this.width = this.figures.clientWidth;
    this.figures.replaceChildren(...this.result.columns.map((name) => this.figure(name, TITLES[name] ?? name)));
    this.map.replaceChildren(...(this.made.map ? [this.figure("map", "Map", { job: this.made.map })] : []));
    this.mapNote.hidden = !this.made.map;
  }

  resized() {
    if (this.shown && Math.abs((this.figures.clientWidth || 0) - (this.width || 0)) > 40) this.draw();
  }

  start() {
    return this.begin("compare/map", { method: this.method.value, embeddings: this.of.value }, this.mapLine);
  }

  startFid(event) {
    event.preventDefault();
    return this.begin("compare/fid", { weights: this.weights.value.trim() }, this.fidLine);
  }

  async begin(route, settings, line) {
    line.clear();
    try {
      const started = await post(route, { specs: this.all, ...settings });
      line.follow(started.job_id);
      this.command.show(started.command);
    } catch (error) { line.refuse(error.message); }
  }

  // What was made for these very sets before, by whomever, or is being made now.
  takeUp(latest) {
    for (const [name, line] of [["map", this.mapLine], ["fid", this.fidLine]]) {
      const job = latest[name] && workspace.jobs.find((one) => one.id === latest[name]);
      if (line.id !== latest[name]) line.clear();
      this.made[name] = job?.state === "done" ? job.id : null;
      if (job && job.state !== "done" && !line.busy) line.follow(job.id);
    }
    this.showFid();
  }

  finished(name, job) {
    if (job.state !== "done") return;
    this.made[name] = job.id;
    this.fill();
    this.draw();
    this.showFid();
  }

  async showFid() {
    const job = this.made.fid;
    const found = job ? await attempt(() => get(`compare/job/${job}`)) : null;
    if (job !== this.made.fid) return;
    this.fid.replaceChildren(...(found?.fid ?? []).map((row) => el("p", {}, el("b", { text: `${row.second}: ` }),
      `FID ${unit(row.fid, 2)} to ${row.first}, of ${count(row.n[1])} and ${count(row.n[0])} images (weights ${row.weights_sha256.slice(0, 12)}).`)));
  }
}
