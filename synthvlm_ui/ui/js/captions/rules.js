// The panel that curates captions: rules with their limits on histograms, survivors per rule in order, and examples of
// what each rule minds, which can be brought back by hand. What a caption says is shown as text only.

import { Latest, attempt, get, post } from "../api.js";
import { RuleRow } from "./rule_row.js";
import { el, options, refusal, uniqueId } from "../dom.js";
import { SynthElement } from "../element.js";
import { count, percent, plural } from "../format.js";
import { announce, toast } from "../toast.js";
import { isActive, workspace } from "../workspace.js";

const PAGE = 8;
const SHOWN = [["rejected", "Rejected"], ["kept", "Kept"], ["by_hand", "Decided by hand"]];
const ABOUT = { synthvlm: "the paper's table", plain: "without the floor of special characters" };

class CaptionRules extends SynthElement {
  dataset = null;
  wanted = null;
  settings = null;
  offset = 0;
  rows = new Map();

  build() {
    this.views = new Latest((body) => post("captions/rules/view", body), (found) => this.show(found), (error) => this.refuse(error));
    this.choice = el("select", { "aria-label": "Dataset to curate", onchange: () => this.choose(this.choice.value) });
    this.standing = el("p", { class: "s-subdued", role: "status" });
    this.problem = el("div");
    this.buildRules();
    this.buildSteps();
    this.buildExamples();
    this.command = el("synth-command");
    this.body = el("div", { class: "s-curation" },
      el("div", { class: "s-curation-rules" }, this.presets, this.list, this.calibration),
      el("div", { class: "s-curation-report" }, this.steps, this.examples));
    this.start = el("button", { type: "button", class: "s-button s-primary", text: "Curate", onclick: () => this.curate() });
    this.progress = el("span", { class: "s-subdued", role: "status" });
    this.card = el("section", { class: "s-card", "aria-label": "Curate captions", hidden: true },
      el("div", { class: "s-row s-between" }, el("h2", { text: "Curate captions" }), this.choice),
      this.standing, this.problem, this.body,
      el("div", { class: "s-row s-curation-foot" }, this.start, this.progress), this.command);
    this.append(this.card);
  }

  buildRules() {
    this.presets = el("fieldset", { class: "s-plain-set" }, el("legend", { text: "Begin with a preset" }),
      this.presetRow = el("div", { class: "s-chips" }));
    this.list = el("div", { class: "s-rule-list" });
    this.low = el("input", { type: "number", min: 0, max: 100, step: "any", value: 1, "aria-label": "Lower percentile" });
    this.high = el("input", { type: "number", min: 0, max: 100, step: "any", value: 99, "aria-label": "Upper percentile" });
    this.calibration = el("div", { class: "s-calibrate" }, el("span", { text: "Limits at percentiles of these captions:" }),
      this.low, el("span", { text: "to" }), this.high,
      el("button", { type: "button", class: "s-button s-small", text: "Calibrate", onclick: () => this.calibrate() }));
  }

  buildSteps() {
    this.stepBody = el("tbody");
    this.kept = el("p", { class: "s-curation-kept", "aria-live": "polite" });
    this.skills = el("p", { class: "s-hint" });
    this.steps = el("div", {}, this.kept, el("div", { class: "s-scroll" }, el("table", { class: "s-table s-steps-table" },
      el("caption", { class: "s-unseen", text: "Survivors per rule, in order" }),
      el("thead", {}, el("tr", {}, ["Rule", "Rejects", "Left"].map((text) => el("th", { text, scope: "col" })))),
      this.stepBody)), this.skills);
  }

  buildExamples() {
    this.ruleChoice = el("select", { "aria-label": "Examples of rule", onchange: () => this.look() });
    this.shown = el("select", { "aria-label": "Which captions to show", onchange: () => this.look() });
    options(this.shown, SHOWN, "rejected");
    this.items = el("ul", { class: "s-examples" });
    this.back = el("button", { type: "button", class: "s-button s-small", text: "Previous", onclick: () => this.turn(-PAGE) });
    this.next = el("button", { type: "button", class: "s-button s-small", text: "Next", onclick: () => this.turn(PAGE) });
    this.where = el("span", { class: "s-subdued", "aria-live": "polite" });
    this.pager = el("div", { class: "s-row" }, this.back, this.where, this.next);
    this.examples = el("div", { class: "s-examples-part" }, el("div", { class: "s-row s-between" },
      el("h3", { id: uniqueId("examples"), text: "Examples" }), el("div", { class: "s-row" }, this.shown, this.ruleChoice)),
      this.items, this.pager);
  }

  enter(signal) { workspace.watch(() => this.refresh(), signal); }

  // Shows a dataset as soon as it is known, which may be now.
  look(name) {
    this.wanted = name;
    this.refresh();
  }

  refresh() {
    const sets = workspace.datasets.filter((set) => set.captions > 0);
    this.card.hidden = sets.length === 0;
    if (sets.some((set) => set.name === this.wanted)) {
      if (this.wanted !== this.dataset && this.job === undefined) [this.dataset, this.settings, this.known] = [this.wanted, null, null];
      this.wanted = null;
    }
    if (!sets.some((set) => set.name === this.dataset)) this.dataset = sets.at(-1)?.name ?? null;
    options(this.choice, sets.map((set) => [set.name, `${set.name} (${plural(set.captions, "caption")})`]), this.dataset);
    this.start.disabled = workspace.readOnly || this.job !== undefined;
    const set = sets.find((one) => one.name === this.dataset);
    const key = JSON.stringify([this.dataset, set?.captions]);
    if (set && key !== this.known) { this.known = key; this.settings = null; this.ask(); }
    this.followJob();
  }

  choose(name) {
    this.dataset = name;
    this.settings = null;
    this.refresh();
  }

  // ``parts``: while a limit is dragged only the counts are asked for; the rest follows when it rests.
  ask(parts = null) {
    clearTimeout(this.resting);
    this.views.ask({ dataset: this.dataset, settings: this.settings, ...(parts ? { parts } : {}) });
    if (parts) this.resting = setTimeout(() => this.ask(), 350);
  }

  refuse(error) { this.problem.replaceChildren(refusal(error.message)); }

  show(found) {
    if (found.dataset !== this.dataset) return;
    this.problem.replaceChildren();
    this.settings = found.settings;
    this.command.show(found.command);
    this.showStanding(found.standing);
    this.body.hidden = !found.measured;
    if (!found.measured) {
      this.progress.textContent = "These captions are not measured yet: curate once, then every limit can be tried.";
      return;
    }
    if (this.job === undefined) this.progress.textContent = "";
    this.showSteps(found);
    if (found.presets) this.showPresets(found);
    if (found.rules) this.showRules(found);
    if (found.rules) this.look();
  }

  showStanding(one) {
    const hand = one.kept_by_hand + one.rejected_by_hand;
    const parts = one.curated || hand
      ? [`${count(one.kept)} of ${count(one.captions)} captions kept (${percent(one.kept / (one.captions || 1))})`,
        hand && `${count(one.kept_by_hand)} kept and ${count(one.rejected_by_hand)} rejected by hand`,
        one.uncurated && `${count(one.uncurated)} imported since: curate again`]
      : [`Not curated yet: all ${count(one.captions)} captions are drawn.`];
    this.standing.textContent = parts.filter(Boolean).join(" · ");
  }

  showPresets(found) {
    this.presetRow.replaceChildren(...Object.entries(found.presets).map(([name, one]) => el("button", {
      type: "button", class: "s-chip", title: one.about, "aria-pressed": String(found.settings.preset === name),
      onclick: () => this.usePreset(name) }, `${name} `, el("small", { text: `keeps ${count(one.kept)}: ${ABOUT[name] ?? one.about}` }))));
    const weak = found.skills.filter((one) => one.captions > 0).map((one) => `${one.skill} ${count(one.captions)}`
      + (one.sdxl_geneval === null ? "" : ` (SDXL ${one.sdxl_geneval})`));
    this.skills.textContent = weak.length ? `Hard to draw, by skill, with SDXL's GenEval score: ${weak.join(" · ")}` : "";
  }

  showSteps(found) {
    this.kept.replaceChildren(el("b", { text: count(found.kept) }),
      ` of ${count(found.total)} captions would survive these rules (${percent(found.kept / (found.total || 1))})`);
    this.stepBody.replaceChildren(...found.steps.map((step) => {
      const share = found.total ? step.left / found.total : 0;
      const bar = el("div", { class: "s-meter", "aria-hidden": "true" }, el("div"));
      bar.firstChild.style.width = `${100 * share}%`;
      return step.unavailable
        ? el("tr", { class: "s-not-applied" }, el("td", { text: step.title }),
          el("td", { colspan: 2, text: `not applied: ${step.unavailable}` }))
        : el("tr", {}, el("td", {}, el("button", { type: "button", class: "s-link", text: step.title,
          "aria-label": `Examples of ${step.title}`, onclick: () => this.lookAt(step.rule) })),
        el("td", { class: "s-right", text: count(step.rejected), title: `${count(step.alone)} if it stood alone` }),
        el("td", { class: "s-right" }, count(step.left), bar));
    }));
  }

  showRules(found) {
    const known = found.rules.map((rule) => rule.name).join();
    if (known !== this.listed) {
      this.listed = known;
      this.rows = new Map(found.rules.map((rule) => [rule.name, new RuleRow(rule, (values, part) => this.changed(rule.name, values, part))]));
      this.list.replaceChildren(...[...this.rows.values()].map((row) => row.root));
    }
    for (const rule of found.rules) this.rows.get(rule.name).show(rule, found.histograms?.[rule.name]);
    options(this.ruleChoice, [["", "any rule"], ...found.rules.filter((rule) => rule.on).map((rule) => [rule.name, rule.title])],
      this.ruleChoice.value);
  }

  // ``values``: the rule's settings, or null when it is off; ``part``: what was set in person.
  changed(name, values, part) {
    const rules = { ...this.settings.rules };
    if (values === null) delete rules[name]; else rules[name] = values;
    const given = new Set(this.settings.given);
    if (part) given.add(`${name}.${part}`);
    this.settings = { ...this.settings, rules, given: [...given] };
    this.ask(part === "min" || part === "max" ? ["steps"] : null);
  }

  async usePreset(name) {
    const found = await attempt(() => post("captions/rules/view", { dataset: this.dataset, preset: name }));
    if (found) { this.show(found); announce(`Preset ${name}`); }
  }

  async calibrate() {
    const found = await attempt(() => post("captions/rules/calibrate", { dataset: this.dataset, settings: this.settings,
      low: this.low.valueAsNumber, high: this.high.valueAsNumber }));
    if (!found) return;
    this.settings = found.settings;
    this.ask();
    announce("Limits set to the percentiles");
  }

  async curate() {
    this.start.disabled = true;
    const done = await attempt(() => post("captions/rules/curate", { dataset: this.dataset, settings: this.settings ?? {} }));
    this.start.disabled = workspace.readOnly;
    if (!done) return;
    if (done.job_id) { this.job = done.job_id; this.followJob(); workspace.refresh(); return; }
    this.finished();
  }

  async followJob() {
    if (this.job === undefined) return;
    const job = workspace.jobs.find((one) => one.id === this.job);
    if (!job || isActive(job.state)) {
      this.progress.textContent = job ? `${job.message || "Curating"}: ${percent(job.progress)}` : "Curating";
      workspace.attend(this, true);
      return;
    }
    workspace.attend(this, false);
    this.job = undefined;
    this.progress.textContent = job.state === "done" ? "" : `The job is ${job.state}. ${job.message}`;
    this.start.disabled = workspace.readOnly;
    this.finished(job.state === "done");
  }

  finished(good = true) {
    this.ask();
    if (good) toast("Curated. Generation draws the kept captions.");
    workspace.refresh();
  }

  lookAt(rule) {
    this.ruleChoice.value = rule;
    this.shown.value = "rejected";
    this.look();
    this.examples.scrollIntoView({ block: "nearest" });
  }

  turn(by) {
    this.offset = Math.max(0, this.offset + by);
    this.look(true);
  }

  async look(keep = false) {
    if (!keep) this.offset = 0;
    const asked = this.asked = Symbol("examples");
    const found = await attempt(() => post("captions/rules/examples", { dataset: this.dataset, settings: this.settings,
      rule: this.ruleChoice.value, show: this.shown.value, offset: this.offset, limit: PAGE }));
    if (!found || asked !== this.asked) return;
    this.items.replaceChildren(...found.items.map((item) => this.example(item)));
    if (!found.items.length) this.items.append(el("li", { class: "s-empty", text: "No such caption." }));
    const last = Math.min(found.total, this.offset + found.items.length);
    this.where.textContent = found.total ? `${count(this.offset + 1)}–${count(last)} of ${count(found.total)}` : "";
    this.back.disabled = this.offset === 0;
    this.next.disabled = last >= found.total;
    this.pager.hidden = found.total <= PAGE;
  }

  example(item) {
    const row = this.rows.get(item.rejected_by);
    const why = item.rejected_by ? `${row?.title ?? item.rejected_by}${item.value === null ? "" : ` ${row?.printed(item.value) ?? item.value}`}` : "kept";
    const verdict = (name, text) => el("button", { type: "button", class: "s-button s-small", text, disabled: workspace.readOnly,
      "aria-pressed": String(item.verdict === name), onclick: () => this.decide(item, item.verdict === name ? "clear" : name) });
    return el("li", { class: "s-example", "data-id": item.id, "data-verdict": item.verdict ?? "" },
      el("p", { class: "s-example-text" }, marked(item.caption, item.marks)),
      item.other && el("p", { class: "s-hint", text: `like: ${item.other.caption}` }),
      el("div", { class: "s-row s-between" }, el("span", { class: "s-subdued", text: [why, item.note,
        item.verdict && `${item.verdict === "keep" ? "✓ kept" : "✗ rejected"} by hand`].filter(Boolean).join(" · ") }),
      el("div", { class: "s-row" }, verdict("keep", "Keep"), verdict("reject", "Reject"))));
  }

  async decide(item, verdict) {
    const done = await attempt(() => post("captions/rules/verdict", { dataset: this.dataset, ids: [item.id], verdict }));
    if (!done) return;
    this.showStanding(done);
    announce(verdict === "clear" ? "Left to the rules again" : verdict === "keep" ? "Kept by hand" : "Rejected by hand");
    await this.look(true);
    this.items.querySelector(`[data-id="${CSS.escape(item.id)}"] button`)?.focus();
    workspace.refresh();
  }
}

// Places count characters, which are not always one unit of a script's strings.
function marked(text, marks) {
  const letters = Array.from(text);
  const parts = [];
  let last = 0;
  for (const [start, end] of marks) {
    parts.push(letters.slice(last, start).join(""), el("mark", { text: letters.slice(start, end).join("") }));
    last = end;
  }
  return [...parts, letters.slice(last).join("")];
}

customElements.define("synth-caption-rules", CaptionRules);
