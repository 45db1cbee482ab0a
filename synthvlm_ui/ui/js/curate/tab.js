// The curate tab: a rule, what it keeps, and the candidates to look at. Holds the state of the view and joins its parts;
// what a part looks like and how it is asked for is the part's own.

import { attempt, post } from "../api.js";
import { el, field, options } from "../dom.js";
import { SynthElement } from "../element.js";
import { onScale, plural } from "../format.js";
import { openTab } from "../tabs.js";
import { announce, toast } from "../toast.js";
import { workspace } from "../workspace.js";
import { Acts } from "./acts.js";
import { Asking } from "./asking.js";
import { Deciding } from "./deciding.js";
import { Detail } from "./detail.js";
import { Find } from "./find.js";
import { Grid } from "./grid.js";
import { Judged } from "./judged.js";
import { Keys } from "./keys.js";
import { News } from "./news.js";
import { Pager } from "./pager.js";
import { People } from "./people.js";
import { RulePanel } from "./rule.js";
import { freshRule, freshState, stateFrom } from "./state.js";
import { Statistics } from "./statistics.js";
import { Strip } from "./strip.js";
import { CODES } from "./tile.js";
import { Tools } from "./tools.js";
import { Views } from "./views.js";
import { Waiting } from "./waiting.js";
import { Yield } from "./yield.js";

const MINIMA = { clip_cosine: "clip_min", ssim: "ssim_min", combined: "combined_min" };

class Curate extends SynthElement {
  state = freshState();
  total = 0;
  goodWhere = null;

  build() {
    this.buildAsking();
    this.buildParts();
    this.buildSaving();
    this.none = el("div", { class: "s-card s-empty s-tall" },
      el("p", { text: "There is nothing to curate yet. Generate some candidates, or make the demo." }),
      el("button", { type: "button", class: "s-button s-primary", text: "Go to Generate", onclick: () => openTab("generate") }));
    this.unscored = el("div", { class: "s-notice", hidden: true }, this.unscoredText = el("span"), el("button", { type: "button",
      class: "s-button s-small", text: "Score them", onclick: () => this.score() }));
    this.nothing = el("div", { class: "s-empty s-tall", hidden: true }, this.nothingText = el("p"), this.showAll = el("button", {
      type: "button", class: "s-button", text: "Show all candidates", onclick: () => this.page({ show: "all" }) }));
    this.side = el("details", { class: "s-side", open: window.innerWidth > 820 },
      el("summary", {}, el("h2", { text: "Rule and thresholds" })), this.panel.root, this.statistics.root, this.judged.root);
    this.body = el("div", { class: "s-curate" }, this.side,
      el("div", { class: "s-main" }, this.yield.counts, (this.waiting = new Waiting((asked) => this.asking.ask(asked))).root, this.unscored, this.yield.datasets, this.strip.root,
        el("div", { class: "s-find-bar" }, this.find.root, this.views.root), this.tools.root, this.nothing, this.grid.root,
        this.pager.root, this.saving, this.command));
    this.append(this.none, this.body, this.detail.root, this.keys.root, this.acts.dialog, this.views.dialog, this.people.dialog);
    this.body.hidden = true;
  }

  buildAsking() {
    this.asking = new Asking({
      body: () => ({ rule: this.state.rule, find: this.state.find, name: this.name.value.trim(),
        page: { offset: this.state.offset, limit: this.state.limit, show: this.state.show, order: this.state.order } }),
      extras: () => ({ histograms: { columns: this.panel.shownColumns }, strip: this.strip.request }),
      live: () => [...(this.yield.entropy.hidden ? [] : ["entropy"]), ...(this.yield.datasets.open ? ["datasets"] : []),
        ...(this.strip.wanted ? ["strip"] : [])],
      rest: () => ["command", "entropy", "datasets", ...(this.judged.wanted ? ["judged"] : []), ...(this.statistics.wanted ? ["statistics"] : [])],
      receive: (view, asked) => this.receive(view, asked), fail: (error, asked) => this.refused(error, asked) });
  }

  buildParts() {
    const rest = () => this.asking.askRest();
    this.deciding = new Deciding(this);
    this.panel = new RulePanel({ onchange: (rule, how) => this.ruled(rule, how),
      exact: (column, percentile) => this.valueAt(column, percentile) });
    this.people = new People();
    this.yield = new Yield({ people: this.people.root });
    this.strip = new Strip({ onopen: (id) => this.open(id), onwant: rest });
    this.judged = new Judged({ onwant: rest, oncut: (column, value) => this.panel.change({ [MINIMA[column]]: value }, "step") });
    this.statistics = new Statistics({ onwant: rest });
    this.find = new Find({ onfind: (find) => this.searched(find), dataset: () => this.state.rule.dataset });
    this.views = new Views({ state: () => this.fullState(), onopen: (state, push) => this.openState(state, push) });
    this.acts = new Acts({ ondone: (done) => this.afterDecision(done) });
    this.tools = new Tools({ onpage: (fields) => this.page(fields), onback: (which) => this.acts.back(which),
      onall: (verdict) => this.deciding.all(verdict), onkeys: () => this.keys.open() });
    this.tools.place(this.state);
    this.grid = new Grid({ onverdict: (id, verdict) => this.deciding.decide([id], verdict), onopen: (id) => this.open(id),
      onturn: (direction, place) => this.turn(direction, place), onrange: () => this.tools.showTotal(this.total, this.grid.range) });
    this.pager = new Pager({ onturn: (direction) => this.turn(direction), onrank: (rank) => this.jump(rank),
      onslide: (offset) => this.goTo(offset, {}, false) });
    this.detail = new Detail({ onverdict: (id, verdict) => this.deciding.decide([id], verdict), onstep: (direction) => this.step(direction),
      onclose: () => this.closed(), onsimilar: (id) => this.similar(id), onshow: (id) => { this.state.id = id; this.views.note(false); } });
    this.keys = new Keys({ act: (action) => this.act(action), move: (key, event) => this.move(key, event),
      active: () => this.offsetParent !== null && !this.body.hidden && !document.querySelector("dialog[open]:not(.s-detail)"),
      onchange: () => this.keys && this.tools.name(this.keys) });
    this.tools.name(this.keys);
    this.news = new News({ active: () => this.offsetParent !== null, onnews: (news, fresh) => this.heard(news, fresh) });
    this.command = el("synth-command");
  }

  buildSaving() {
    this.name = el("input", { maxlength: "80", placeholder: "best", pattern: "[A-Za-z0-9][A-Za-z0-9_.\\-]*", required: true,
      oninput: () => this.asking.askRest() });
    this.save = el("button", { type: "submit", class: "s-button s-primary", text: "Save selection" });
    this.saving = el("form", { class: "s-card s-save", onsubmit: (event) => this.select(event) },
      field("Name of the selection", this.name), this.save, this.saved = el("p", { class: "s-hint" }));
  }

  enter(signal) {
    this.keys.listen(signal);
    this.tools.listen(signal);
    this.views.listen(signal);
    this.news.listen(signal);
    onScale(() => { this.panel.rescale(); this.grid.rescale(); }, signal);
    window.matchMedia("(min-width: 821px)").addEventListener("change", (event) => { this.side.open = event.matches; }, { signal });
    // an own page or tab may have been hidden meanwhile: then nothing was asked for
    new IntersectionObserver(() => this.news.check()).observe(this);
    workspace.watch(() => this.show(), signal);
  }

  // The workspace as the whole page knows it has changed, or is known for the first time.
  async show() {
    const sets = workspace.datasets.filter((set) => set.candidates > 0);
    this.none.hidden = sets.length > 0;
    this.body.hidden = sets.length === 0;
    if (!sets.length) return;
    if (!this.begun) await (this.beginning ??= this.begin());
    this.takeWanted(sets);
    this.offerDatasets(sets);
    this.tools.block(workspace.readOnly);
    this.save.disabled = workspace.readOnly;
    this.saved.textContent = workspace.selections.length ? `Saved: ${workspace.selections.join(", ")}` : "";
    this.showUnscored(sets.find((set) => set.name === this.state.rule.dataset));
    if (this.views.queryOfAddress === "" && this.offsetParent !== null && this.version) this.views.note(false);
    const version = JSON.stringify([workspace.state.summary.version, sets]);
    if (version !== this.version) { this.version = version; this.asking.ask(); }
    if (this.openFirst) this.open(this.openFirst);
    this.openFirst = null;
  }

  // A link says what to show first.
  async begin() {
    const wanted = await this.views.wanted();
    if (wanted) this.takeState(wanted);
    this.openFirst = wanted?.id;
    this.begun = true;
  }

  offerDatasets(sets) {
    const names = sets.map((set) => set.name);
    const several = this.state.rule.dataset.includes(",") || this.state.rule.dataset === "*";
    if (!several && !names.includes(this.state.rule.dataset)) this.take(freshRule(names[0]));
    const entries = names.map((name) => [name, name]);
    if (names.length > 1) entries.push(["*", "all datasets"]);
    if (this.state.rule.dataset.includes(",")) entries.push([this.state.rule.dataset, this.state.rule.dataset]);
    options(this.panel.dataset, entries, this.state.rule.dataset);
  }

  takeWanted(sets) {
    const wanted = workspace.wantedDataset;
    if (!sets.some((set) => set.name === wanted)) return;
    workspace.wantedDataset = null;
    this.version = null;
    this.takeState({ rule: wanted === this.state.rule.dataset ? this.state.rule : { dataset: wanted }, show: "all", order: this.state.order,
      limit: this.state.limit });
  }

  showUnscored(set) {
    const missing = set ? set.candidates - set.failed - set.scored : 0;
    this.unscored.hidden = missing <= 0 || workspace.activeJobs.length > 0 || workspace.readOnly;
    this.unscoredText.textContent = `${plural(missing, "candidate")} without scores.`;
  }

  async score() {
    const started = await attempt(() => post("score", { dataset: this.state.rule.dataset }));
    if (started) announce("Scoring started");
    workspace.refresh();
  }

  // The state and what changes it.
  fullState() { return { ...this.state, id: this.detail.open ? this.detail.id : null }; }

  take(rule) {
    this.state.rule = this.panel.rule = rule;
    this.panel.place();
  }

  takeState(given) {
    this.state = stateFrom(given, this.state.rule.dataset);
    this.goodWhere = this.state.rule.where;
    this.panel.filter.complain("");
    this.take(this.state.rule);
    this.find.place(this.state.find);
    this.tools.place(this.state);
  }

  openState(given, push) {
    const id = given.id;
    this.takeState(given);
    this.grid.clearRange();
    this.asking.ask();
    if (id) this.open(id);
    else if (this.detail.open) this.detail.root.close();
    this.views.note(push);
  }

  ruled(rule, how) {
    const another = rule.dataset !== this.state.rule.dataset;
    this.state.rule = rule;
    if (another) { this.state.find = {}; this.find.place({}); }
    this.state.offset = 0;
    this.grid.clearRange();
    this.asking.ask();
    this.views.note(how === "step");
  }

  async valueAt(column, percentile) {
    const found = await attempt(() => post("curate/percentile", { rule: this.state.rule, column, percentile }));
    return found?.value ?? null;
  }

  searched(find) {
    const sorted = Boolean(find.meaning || find.like);
    if (sorted && !(this.state.find.meaning || this.state.find.like)) {
      this.orderBefore = this.state.order;
      this.state.order = "similarity";
      if (this.state.show === "kept") this.state.show = "all";
    } else if (!sorted && this.state.order === "similarity") this.state.order = this.orderBefore ?? "combined";
    this.state.find = find;
    this.page({});
  }

  similar(id) {
    if (this.detail.open) this.detail.root.close();
    this.find.set({ like: id, meaning: undefined });
  }

  page(fields) {
    Object.assign(this.state, fields, { offset: 0 });
    this.tools.place(this.state);
    this.grid.clearRange();
    this.asking.ask({ parts: ["page"] });
    this.views.note(true);
  }

  goTo(offset, wish, push = true) {
    this.state.offset = offset;
    this.asking.ask({ parts: ["page"], wish });
    this.views.note(push);
  }

  turn(direction, place = 0) {
    const to = Math.max(0, this.state.offset + direction * this.state.limit);
    if (to >= this.total || to === this.state.offset) return false;
    const inGrid = this.grid.hasFocus || place === "last" || typeof place === "object";
    this.goTo(to, { place, focus: inGrid });
    return true;
  }

  jump(rank) {
    const offset = Math.floor(rank / this.state.limit) * this.state.limit;
    this.goTo(offset, { place: rank - offset, focus: true });
  }

  // Answers.
  receive(view, asked) {
    if (this.waiting.takes(view, asked)) return;
    if (view.yield && view.page) this.news.seen(view.last_event, view.version); // an answer of other parts shows no verdict
    if (view.score_columns) this.tools.offer(view.score_columns);
    if (view.histograms || view.yield) {
      this.panel.show(view);
      if ("where" in asked) { this.goodWhere = asked.where; this.panel.accepted(asked.where); }
    }
    if (view.histograms && this.panel.lacks(view.histograms)) this.asking.ask({ parts: ["histograms"] });
    if (view.yield) this.yield.show(view.yield);
    if (view.command) this.command.show(view.command);
    if (view.datasets) this.yield.showDatasets(view.datasets);
    if ("entropy" in view) this.yield.showEntropy(view.entropy);
    if (view.strip) this.strip.show(view.strip);
    if (view.judged) this.judged.show(view.judged);
    if (view.statistics) this.statistics.show(view.statistics);
    if (view.page) this.receivePage(view, asked);
  }

  receivePage(view, asked) {
    const { page } = view;
    this.total = page.total;
    if (page.offset >= this.total && page.offset > 0) {
      this.goTo(Math.max(0, Math.floor((this.total - 1) / this.state.limit) * this.state.limit), asked.wish ?? {}, false);
      return;
    }
    if (asked.at) this.state.offset = page.offset;
    const { place = null, focus } = asked.wish ?? {};
    this.grid.show(page.items, page.offset, { focus, place: place === null ? page.place ?? null : this.grid.placeOf(place, page.items.length) });
    Object.assign(this.grid.root.dataset, { shown: view.sequence, show: asked.show, order: asked.order }); // what the tiles are an answer to
    this.find.show(view.find, page.total);
    this.nothing.hidden = this.total > 0;
    const searching = Object.keys(this.state.find).length > 0;
    this.nothingText.textContent = searching ? "Nothing is found here." : this.state.show === "kept"
      ? "Nothing passes this rule. Lower a threshold, or reset the rule." : "No candidate here.";
    this.showAll.hidden = this.state.show === "all";
    this.pager.show({ total: this.total, offset: page.offset, limit: this.state.limit, shown: page.items.length });
    this.tools.showTotal(this.total, this.grid.range);
  }

  // A filter that cannot be read is said beside its field; the last one that could be goes on to hold.
  refused(error, asked) {
    this.grid.turning = null;
    const where = String(error.facts?.where ?? "");
    if (error.status === 400 && where.startsWith("where") && asked.where !== this.goodWhere) {
      this.panel.filter.complain(error.message);
      this.state.rule = this.panel.rule = { ...this.state.rule, where: this.goodWhere };
      this.asking.ask();
      return;
    }
    toast(error.message, "error");
  }

  heard(news, fresh) {
    this.people.show(news.actors ?? []);
    if (!fresh) return;
    this.asking.ask();
    if (this.detail.open) this.detail.show(this.detail.id);
  }

  // Keys.
  act(action) {
    const verdict = action in CODES ? action : null;
    if (verdict) { this.deciding.here(verdict); return true; }
    if (action === "undo" || action === "redo") { this.acts.back(action); return true; }
    const id = this.detail.open ? this.detail.id : this.grid.id;
    if (action === "similar" && id) { this.similar(id); return true; }
    if (this.detail.open) return false;
    if (action === "find") { this.find.focus(); return true; }
    if (action === "jump") { this.pager.focus(); return true; }
    if (action === "all") { this.tools.all.open = true; this.tools.all.querySelector("button").focus(); return true; }
    return false;
  }

  move(key, event) {
    const { target } = event;
    if (this.detail.open) {
      if ((key !== "ArrowLeft" && key !== "ArrowRight") || event.ctrlKey || event.metaKey) return false;
      this.step(key === "ArrowRight" ? 1 : -1);
      return true;
    }
    const elsewhere = target !== document.body && !this.grid.root.contains(target);
    if (elsewhere && !["PageDown", "PageUp"].includes(key)) return false;
    if (event.ctrlKey || event.metaKey) return this.moveFar(key);
    if (key === "Escape" && this.grid.range) { this.grid.clearRange(); return true; }
    if (this.grid.move(key, event.shiftKey)) return true;
    if (key === "Enter" && this.grid.id && !target.closest("button")) { this.open(this.grid.id); return true; }
    return false;
  }

  moveFar(key) {
    if (key === "Home") this.goTo(0, { place: 0, focus: true });
    else if (key === "End" && this.total) this.goTo(Math.floor((this.total - 1) / this.state.limit) * this.state.limit, { place: "last", focus: true });
    else if (key === "a" && this.grid.hasFocus) this.grid.selectPage();
    else return false;
    return true;
  }

  afterDecision(done) {
    if (done?.last_event !== undefined) this.news.seen(done.last_event);
    if (this.acts.waiting > 1) return; // more keys are on their way: the last one asks
    this.asking.ask();
    if (this.detail.open) this.detail.show(this.detail.id);
  }

  // The detail.
  open(id) {
    const place = this.grid.items.findIndex((item) => item.id === id);
    if (place >= 0) this.grid.mark(place);
    this.detail.show(id);
  }

  step(direction) {
    const place = this.grid.items.findIndex((item) => item.id === this.detail.id);
    const next = this.grid.items[(place < 0 ? this.grid.current : place) + direction];
    if (next) this.open(next.id);
  }

  closed() {
    this.state.id = null;
    this.views.note(false);
    this.grid.focus(this.grid.current);
  }

  async select(event) {
    event.preventDefault();
    const name = this.name.value.trim();
    const done = await attempt(() => post("select", { name, rule: this.state.rule }));
    if (!done) return;
    toast(`Selection “${name}” saved: ${plural(done.kept, "candidate")} of ${plural(done.captions_kept, "caption")}`);
    await workspace.refresh();
  }
}

customElements.define("synth-curate", Curate);
