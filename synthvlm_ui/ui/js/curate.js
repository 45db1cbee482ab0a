// The curate tab: a rule, what it keeps, and the candidates to look at. Every change asks for one view; while one is
// under way only the newest next one is remembered.

import { Latest, attempt, post } from "./api.js";
import { Detail } from "./detail.js";
import { el, field, icon, options } from "./dom.js";
import { SynthElement } from "./element.js";
import { count, onScale, percent, plural } from "./format.js";
import { Grid } from "./grid.js";
import { Keys } from "./keys.js";
import { RulePanel, freshRule } from "./rule.js";
import { openTab } from "./tabs.js";
import { announce, toast } from "./toast.js";
import { workspace } from "./workspace.js";

const SHOWN = [["kept", "Kept"], ["dropped", "Dropped"], ["all", "All"], ["undecided", "Without verdict"],
  ["keep", "✓ Kept by hand"], ["reject", "✗ Rejected by hand"], ["failed", "Failed"]];
const ORDERS = [["combined", "Best combined"], ["clip_cosine", "Best CLIPScore"], ["ssim", "Best SSIM"], ["newest", "Newest"],
  ["caption", "Caption"]];
const SIZES = [24, 48, 96, 200, 500];
const SAID = { keep: "Kept", reject: "Rejected", clear: "Verdict cleared" };
const PARTS = ["yield", "histograms", "page", "command"];

class Curate extends SynthElement {
  page = { offset: 0, limit: 48, show: "all", order: "combined" };
  total = 0;
  acts = Promise.resolve();

  build() {
    this.views = new Latest((body) => post("curate/view", body), (view, asked) => this.receive(view, asked),
      (error) => toast(error.message, "error"));
    this.panel = new RulePanel({ onchange: () => { this.page.offset = 0; this.ask(); } });
    this.grid = new Grid({ onverdict: (id, verdict) => this.verdict(id, verdict, false), onopen: (id) => this.open(id),
      onturn: (direction) => this.turn(direction) });
    this.detail = new Detail({ onverdict: (id, verdict) => this.verdict(id, verdict, false),
      onstep: (direction) => this.step(direction), onclose: (id) => this.closed(id) });
    this.keys = new Keys({ handle: (key, target) => this.key(key, target), active: () => this.offsetParent !== null });
    this.command = el("synth-command");
    this.buildYield();
    this.buildTools();
    this.none = el("div", { class: "s-card s-empty s-tall" },
      el("p", { text: "There is nothing to curate yet. Generate some candidates, or make the demo." }),
      el("button", { type: "button", class: "s-button s-primary", text: "Go to Generate", onclick: () => openTab("generate") }));
    this.unscored = el("div", { class: "s-notice", hidden: true }, this.unscoredText = el("span"), el("button", { type: "button",
      class: "s-button s-small", text: "Score them", onclick: () => this.score() }));
    this.nothing = el("p", { class: "s-empty s-tall", hidden: true });
    this.side = el("details", { class: "s-side", open: window.innerWidth > 820 },
      el("summary", { text: "Rule and thresholds" }), this.panel.root);
    this.body = el("div", { class: "s-curate" }, this.side,
      el("div", { class: "s-main" }, this.counts, this.unscored, this.tools, this.nothing, this.grid.root, this.pager, this.saving, this.command));
    this.append(this.none, this.body, this.detail.root, this.keys.root);
  }

  enter(signal) {
    this.keys.listen(signal);
    onScale(() => { this.panel.rescale(); this.grid.rescale(); }, signal);
    workspace.watch(() => this.show(), signal);
    window.matchMedia("(min-width: 821px)").addEventListener("change", (event) => { this.side.open = event.matches; }, { signal });
  }

  buildYield() {
    this.kept = el("b");
    this.keptShare = el("span");
    this.captions = el("b");
    this.captionShare = el("span");
    this.byHand = el("b");
    this.byHandNote = el("span");
    this.meter = el("div", { class: "s-meter" }, this.meterFill = el("div"));
    const cell = (title, number, note, more = null) => el("div", { class: "s-count" }, el("span", { text: title }), number, note, more);
    this.counts = el("div", { class: "s-counts", role: "status", "aria-label": "What the rule keeps" },
      cell("Candidates kept", this.kept, this.keptShare, this.meter), cell("Captions with an image", this.captions, this.captionShare),
      cell("By hand", this.byHand, this.byHandNote));
  }

  buildTools() {
    const select = (entries, key) => {
      const node = el("select", { onchange: () => { this.page[key] = node.value; this.page.offset = 0; this.ask(); } });
      options(node, entries, String(this.page[key]));
      return node;
    };
    const button = (name, label, act, attributes = {}) => el("button", { type: "button", class: "s-button s-small", title: label,
      "aria-label": label, onclick: act, ...attributes }, icon(name));
    this.undo = button("undo", "Undo (Z)", () => this.back("undo"));
    this.redo = button("redo", "Redo (Shift + Z)", () => this.back("redo"));
    this.tools = el("div", { class: "s-tools" }, field("Show", this.shown = select(SHOWN, "show")), field("Order", select(ORDERS, "order")),
      field("Per page", select(SIZES.map((n) => [String(n), String(n)]), "limit")), el("span", { class: "s-grow" }),
      el("div", { class: "s-row" }, this.undo, this.redo, el("button", { type: "button", class: "s-button s-small",
        "aria-label": "Keys", title: "Keys (?)", text: "? Keys", onclick: () => this.keys.root.showModal() })));
    this.where = el("span", { class: "s-where", "aria-live": "polite" });
    this.first = button("left", "Previous page (Page Up)", () => this.turn(-1));
    this.last = button("right", "Next page (Page Down)", () => this.turn(1));
    this.pager = el("nav", { class: "s-pager", "aria-label": "Pages" }, this.first, this.where, this.last);
    this.name = el("input", { maxlength: "80", placeholder: "best", pattern: "[A-Za-z0-9][A-Za-z0-9_.\\-]*", required: true,
      oninput: () => this.ask() });
    this.save = el("button", { type: "submit", class: "s-button s-primary", text: "Save selection" });
    this.saving = el("form", { class: "s-card s-save", onsubmit: (event) => this.select(event) },
      field("Name of the selection", this.name), this.save, this.saved = el("p", { class: "s-hint" }));
  }

  show() {
    const sets = workspace.datasets.filter((set) => set.candidates > 0);
    this.none.hidden = sets.length > 0;
    this.body.hidden = sets.length === 0;
    if (!sets.length) return;
    this.takeWanted(sets);
    options(this.panel.dataset, sets.map((set) => [set.name, set.name]), this.panel.rule.dataset);
    if (!sets.some((set) => set.name === this.panel.rule.dataset)) {
      this.panel.rule = freshRule(sets[0].name);
      this.panel.place();
    }
    for (const node of [this.save, this.undo, this.redo]) node.disabled = workspace.readOnly;
    this.saved.textContent = workspace.selections.length
      ? `Saved: ${workspace.selections.join(", ")}` : "";
    this.showUnscored(sets.find((set) => set.name === this.panel.rule.dataset));
    const version = JSON.stringify([workspace.state.summary.version, sets]);
    if (version !== this.version) { this.version = version; this.ask(); }
  }

  takeWanted(sets) {
    const wanted = workspace.wantedDataset;
    if (!sets.some((set) => set.name === wanted)) return;
    workspace.wantedDataset = null;
    this.page.show = this.shown.value = "all";
    this.version = null;
    if (wanted === this.panel.rule.dataset) return;
    this.panel.rule = freshRule(wanted);
    this.panel.place();
    this.page.offset = 0;
  }

  showUnscored(set) {
    const missing = set.candidates - set.failed - set.scored;
    const working = workspace.activeJobs.length > 0;
    this.unscored.hidden = missing <= 0 || working || workspace.readOnly;
    this.unscoredText.textContent = `${plural(missing, "candidate")} without scores.`;
  }

  async score() {
    const started = await attempt(() => post("score", { dataset: this.panel.rule.dataset }));
    if (started) announce("Scoring started");
    workspace.refresh();
  }

  ask(extra = {}) {
    if (!this.panel.rule.dataset) return;
    this.views.ask({ rule: this.panel.rule, page: { ...this.page, limit: Number(this.page.limit) }, parts: PARTS,
      name: this.name.value.trim(), ...extra });
  }

  receive(view, asked) {
    this.panel.show(view);
    this.showYield(view.yield);
    this.command.show(view.command);
    this.total = view.page.total;
    if (this.page.offset >= this.total && this.page.offset > 0) {
      this.page.offset = Math.max(0, Math.floor((this.total - 1) / this.page.limit) * this.page.limit);
      this.ask();
      return;
    }
    this.grid.show(view.page.items, { focus: asked.focusGrid });
    if (asked.focusPlace === "last") this.grid.focus(view.page.items.length - 1);
    this.nothing.hidden = this.total > 0;
    this.nothing.textContent = this.page.show === "kept" ? "Nothing passes this rule. Lower a threshold, or reset the rule."
      : "No candidate here.";
    this.pager.hidden = this.total === 0;
    const last = Math.min(this.total, this.page.offset + view.page.items.length);
    this.where.textContent = `${count(this.page.offset + 1)}–${count(last)} of ${count(this.total)}`;
    this.first.disabled = this.page.offset === 0;
    this.last.disabled = last >= this.total;
  }

  showYield(counted) {
    this.kept.textContent = count(counted.kept);
    this.keptShare.textContent = `of ${count(counted.total)} · ${percent(counted.kept_share)}`;
    this.meterFill.style.width = `${100 * (counted.kept_share || 0)}%`;
    this.captions.textContent = count(counted.captions_kept);
    this.captionShare.textContent = `of ${count(counted.captions_total)} · `
      + percent(counted.captions_total ? counted.captions_kept / counted.captions_total : 0);
    this.byHand.textContent = `✓ ${count(counted.keep_verdicts)}  ✗ ${count(counted.reject_verdicts)}`;
    this.byHandNote.textContent = counted.overridden ? `${count(counted.overridden)} against the rule` : "none against the rule";
  }

  turn(direction) {
    const to = this.page.offset + direction * Number(this.page.limit);
    if (to < 0 || to >= this.total) return;
    this.page.offset = to;
    const inGrid = this.grid.root.contains(document.activeElement);
    this.grid.current = 0;
    this.grid.wanted = "";
    this.ask({ focusGrid: inGrid });
  }

  key(key, target) {
    if (this.detail.open) {
      if (key === "ArrowLeft" || key === "ArrowRight") { this.step(key === "ArrowRight" ? 1 : -1); return true; }
    } else {
      const elsewhere = target !== document.body && !this.grid.root.contains(target);
      if (elsewhere && (key.startsWith("Arrow") || key === "Enter" || key === "Home" || key === "End")) return false;
      if (this.grid.move(key)) return true;
      if (key === "Enter" && this.grid.id) { this.open(this.grid.id); return true; }
    }
    const verdict = { k: "keep", r: "reject", u: "clear" }[key];
    const id = this.detail.open ? this.detail.id : this.grid.id;
    if (verdict && id) this.verdict(id, verdict, !this.detail.open);
    else if (key === "z") this.back("undo");
    else if (key === "Z") this.back("redo");
    else return false;
    return true;
  }

  // Decisions reach the journal in the order of the keys, however fast they are: undo takes back the latest.
  inTurn(act) {
    this.acts = this.acts.then(() => attempt(act));
    return this.acts;
  }

  async verdict(id, verdict, advance) {
    if (workspace.readOnly) { toast("This server only shows the workspace.", "error"); return; }
    const item = this.grid.items.find((one) => one.id === id);
    if (item) {
      item.verdict = { keep: 1, reject: -1, clear: 0 }[verdict];
      this.grid.tiles.get(id).show(item);
    }
    if (advance) this.grid.advance();
    const done = await this.inTurn(() => post("verdict", { ids: [id], verdict }));
    if (done) announce(SAID[verdict]);
    this.afterDecision();
  }

  async back(which) {
    const result = await this.inTurn(() => post(which));
    const what = result?.[which === "undo" ? "undone" : "redone"];
    if (result) toast(what ? `${which === "undo" ? "Undone" : "Redone"}: ${what}` : `Nothing to ${which}`);
    this.afterDecision();
  }

  afterDecision() {
    this.ask();
    if (this.detail.open) this.detail.show(this.detail.id);
  }

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

  closed() { this.grid.focus(this.grid.current); }

  async select(event) {
    event.preventDefault();
    const name = this.name.value.trim();
    const done = await attempt(() => post("select", { name, rule: this.panel.rule }));
    if (!done) return;
    toast(`Selection “${name}” saved: ${plural(done.kept, "candidate")} of ${plural(done.captions_kept, "caption")}`);
    await workspace.refresh();
  }
}

customElements.define("synth-curate", Curate);
