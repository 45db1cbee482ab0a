// Blind preference: two pictures of one caption without names, four answers, and what all answers say.

import { actor } from "../actor.js";
import { attempt, get, image, post } from "../api.js";
import { el, field, isTyping, options, uniqueId } from "../dom.js";
import { count, percent, plural, unit } from "../format.js";
import { announce } from "../toast.js";
import { workspace } from "../workspace.js";
import { JobLine } from "./job_line.js";

const ANSWERS = [["1", "1", "The first"], ["2", "2", "The second"], ["tie", "T", "Tie"], ["skip", "S", "Skip"]];
const KEYS = { 1: "1", 2: "2", t: "tie", 0: "tie", "=": "tie", s: "skip" };
const SCORES = { clip_cosine: "CLIPScore", ssim: "SSIM", combined: "combined score" };

export class Rating {
  constructor({ active, onchange }) {
    Object.assign(this, { active, onchange, studies: [], trial: null, acts: Promise.resolve() });
    this.study = el("select", { onchange: () => this.open(false) });
    this.rater = el("input", { maxlength: "80", required: true, value: actor(), autocomplete: "off" });
    this.begin = el("button", { type: "button", class: "s-button s-primary", text: "Rate", onclick: () => this.open(true) });
    this.name = el("input", { maxlength: "64", placeholder: "study-1", pattern: "[A-Za-z0-9][A-Za-z0-9_.\\-]*", required: true });
    this.pairs = el("input", { type: "number", min: 1, max: 5000, value: 50, required: true });
    this.make = el("button", { type: "submit", class: "s-button", text: "Start a study" });
    this.form = el("form", { class: "s-card s-study-form", onsubmit: (event) => this.create(event) }, el("h2", { text: "New study" }),
      el("p", { class: "s-hint", text: "Fixes pairs of the chosen sets: captions and candidates at random. Each rater gets an own order "
        + "and own sides." }), el("div", { class: "s-row" }, field("Name of the study", this.name), field("Pairs", this.pairs), this.make));
    this.picker = el("div", { class: "s-card s-study-form" }, el("h2", { text: "Rate" }), el("div", { class: "s-row" },
      field("Study", this.study), field("Rater", this.rater), this.begin));
    this.buildJudge();
    this.buildStage();
    this.report = el("div", { class: "s-card s-study-report", hidden: true });
    this.command = el("synth-command");
    this.root = el("section", { class: "s-room", "aria-label": "Blind preference" },
      this.setup = el("div", { class: "s-study-setup" }, this.picker, this.form, this.judge), this.stage, this.report, this.command);
  }

  buildJudge() {
    this.writer = el("input", { list: uniqueId("judges"), autocomplete: "off", spellcheck: "false", required: true,
      placeholder: "Hub id, directory or openai:MODEL@URL" });
    this.limit = el("input", { type: "number", min: 1, max: 5000, placeholder: "all" });
    this.askModel = el("button", { type: "submit", class: "s-button", text: "Let it judge" });
    this.line = new JobLine({ label: "Judging", onend: (job) => this.judged(job) });
    this.judgement = el("p", { class: "s-hint", role: "status" });
    this.judge = el("form", { class: "s-card s-study-form", hidden: true, onsubmit: (event) => this.letJudge(event) },
      el("h2", { text: "A model as a rater" }), el("p", { class: "s-hint", text: "Any writer that sees images rates the chosen study. It sees "
        + "each pair twice, with either picture on the left; an answer that follows the side and not the picture is a tie." }),
      el("div", { class: "s-row" }, field("Model", this.writer), field("Pairs at most", this.limit), this.askModel),
      el("datalist", { id: this.writer.getAttribute("list") }, el("option", { value: "openai", label: "the server of SYNTHVLM_WRITER_URL" })),
      this.line.root, this.judgement);
  }

  async letJudge(event) {
    event.preventDefault();
    this.judgement.textContent = "";
    this.line.clear();
    try {
      const started = await post(`compare/study/${encodeURIComponent(this.study.value)}/judge`,
        { writer: this.writer.value.trim(), limit: Number(this.limit.value) || 0 });
      this.line.follow(started.job_id);
      this.command.show(started.command);
    } catch (error) { this.line.refuse(error.message); }
  }

  async judged({ result }) {
    this.judgement.textContent = `${plural(result.rated ?? 0, "pair")} rated as ${result.rater ?? "the model"}: ${count(result.consistent ?? 0)} alike `
      + `from both sides, ${count(result.failed ?? 0)} without an answer that could be read.`;
    await this.onchange();
    if (!this.trial) this.open(false);
  }

  buildStage() {
    this.question = el("h2");
    this.caption = el("p", { class: "s-pair-caption" });
    this.left = el("span", { class: "s-hint", role: "status" });
    this.fill = el("div");
    this.images = ["1", "2"].map((choice) => {
      const node = el("img", { alt: `Picture ${choice}`, class: "s-blind-image", draggable: "false" });
      node.addEventListener("load", () => node.classList.toggle("s-pixels", node.naturalWidth < 200));
      return node;
    });
    const answer = (place) => {
      const [choice, key, label] = ANSWERS[place];
      return el("button", { type: "button", class: "s-button s-large", "data-choice": choice, onclick: () => this.answer(choice) },
        el("kbd", { text: key }), label);
    };
    this.stage = el("div", { class: "s-card s-stage-blind", hidden: true },
      el("div", { class: "s-row s-between" }, this.question, el("div", { class: "s-row" }, this.left,
        el("button", { type: "button", class: "s-button s-small", text: "Back (B)", onclick: () => this.back() }),
        el("button", { type: "button", class: "s-button s-small", text: "Stop and see", onclick: () => this.open(false) }))),
      el("div", { class: "s-meter" }, this.fill), this.caption,
      el("div", { class: "s-blind" }, this.images.map((node, place) => el("div", { class: "s-blind-side" }, node, answer(place)))),
      el("div", { class: "s-row s-centred" }, answer(2), answer(3)));
  }

  show(on) { this.root.hidden = !on; }

  choose(real, synthetic, choices) {
    Object.assign(this, { real, synthetic });
    const before = this.study.value;
    this.studies = choices?.studies ?? [];
    options(this.study, this.studies.map((one) => [one.name, `${one.name} (${plural(one.pairs, "pair")}, ${plural(one.ratings, "rating")})`]), before);
    this.picker.hidden = this.judge.hidden = this.studies.length === 0;
    this.make.disabled = this.begin.disabled = this.askModel.disabled = workspace.readOnly;
    const judging = workspace.activeJobs.find((job) => job.kind === "judge");
    if (judging && !this.line.busy) this.line.follow(judging.id);
    if (!this.trial && this.studies.length && !this.opened) this.open(false);
  }

  async create(event) {
    event.preventDefault();
    const name = this.name.value.trim();
    const made = await attempt(() => post("compare/study", { name, real: this.real, synthetic: this.synthetic, pairs: Number(this.pairs.value) }));
    if (!made) return;
    await this.onchange();
    this.study.value = name;
    this.name.value = "";
    this.open(true);
  }

  async open(rating) {
    if (!this.study.value) return;
    this.opened = true;
    this.trial = null;
    if (rating && this.rater.reportValidity()) {
      this.next();
      return;
    }
    this.setup.hidden = false;
    this.stage.hidden = true;
    const report = await attempt(() => get(`compare/study/${encodeURIComponent(this.study.value)}`));
    if (report) this.showReport(report);
  }

  ask(which) {
    return attempt(() => get(`compare/study/${encodeURIComponent(this.study.value)}/${which}`, { rater: this.rater.value.trim() }));
  }

  async next() { this.showTrial(await this.ask("next")); }

  async back() {
    const shown = this.trial;
    this.trial = null; // so that a key pressed meanwhile answers neither pair
    this.showTrial((await this.acts.then(() => this.ask("back"))) ?? shown);
  }

  showTrial(trial) {
    if (!trial) return;
    if (trial.pair === null) {
      announce("All pairs are rated");
      this.open(false);
      this.onchange();
      return;
    }
    this.trial = trial;
    this.setup.hidden = this.report.hidden = true;
    this.stage.hidden = false;
    this.question.textContent = trial.question;
    this.caption.textContent = trial.caption;
    this.left.textContent = `${trial.done} of ${trial.total} rated by ${trial.rater}`;
    this.fill.style.width = `${(100 * trial.done) / trial.total}%`;
    this.images[0].src = image(trial.first);
    this.images[1].src = image(trial.second);
  }

  // Answers reach the journal in the order of the keys; a key pressed while the next pair is on its way is not counted.
  answer(choice) {
    const trial = this.trial;
    if (!trial) return;
    this.trial = null;
    this.acts = this.acts.then(async () => {
      const done = await attempt(() => post(`compare/study/${encodeURIComponent(trial.study)}/rate`,
        { pair: trial.pair, choice, rater: trial.rater }));
      if (done) await this.next();
      else this.trial = trial;
    });
  }

  showReport(report) {
    this.report.hidden = false;
    this.command.show(report.command);
    const interval = (one) => (one ? `95 % interval ${percent(one[0])} to ${percent(one[1])}` : "");
    const parts = [el("h2", { text: `Study ${report.study}` }), el("p", { class: "s-hint",
      text: `${report.sets.real} against ${report.sets.synthetic}, ${plural(report.pairs, "pair")}, ${plural(report.ratings, "rating")}` })];
    if (report.win_rate === null) parts.push(el("p", { text: "Nobody has preferred a picture yet." }));
    else {
      parts.push(el("p", { class: "s-win" }, el("b", { text: percent(report.win_rate) }), " prefer the synthetic picture"),
        this.bar(report), el("p", { class: "s-hint", text: `${interval(report.interval)} (${report.interval_by}); synthetic ${report.counts.synthetic}, `
          + `real ${report.counts.real}, tie ${report.counts.tie}, skipped ${report.counts.skip}` }));
    }
    parts.push(this.raters(report), this.agreement(report), this.scores(report));
    this.report.replaceChildren(...parts.filter(Boolean));
  }

  bar(report) {
    const [low, high] = report.interval;
    const bar = el("div", { class: "s-winbar", role: "img", "aria-label": `Synthetic preferred in ${percent(report.win_rate)}, `
      + `between ${percent(low)} and ${percent(high)}` }, el("i", { class: "s-half" }), el("i", { class: "s-range" }), el("i", { class: "s-point" }));
    bar.children[1].style.left = `${100 * low}%`;
    bar.children[1].style.width = `${100 * (high - low)}%`;
    bar.children[2].style.left = `${100 * report.win_rate}%`;
    return bar;
  }

  raters(report) {
    if (!report.raters.length) return null;
    const head = ["Rater", "Rated", "Synthetic", "Real", "Tie", "Skipped", "Prefers synthetic"];
    return el("div", { class: "s-scroll" }, el("table", { class: "s-table" }, el("thead", {}, el("tr", {}, head.map((text, place) =>
      el("th", { scope: "col", class: place ? "s-right" : "", text })))), el("tbody", {}, report.raters.map((one) => el("tr", {},
      el("th", { scope: "row", text: one.rater }), [one.done, one.synthetic, one.real, one.tie, one.skip, percent(one.win_rate)].map(
        (value) => el("td", { class: "s-right", text: String(value) })))))));
  }

  agreement(report) {
    const found = report.agreement;
    if (!found) return null;
    const number = (value) => (value === null ? "not defined" : unit(value, 2));
    return el("div", {}, el("h3", { text: "Agreement of the raters" }), el("ul", { class: "s-lines" },
      el("li", { text: `Krippendorff’s alpha ${number(found.krippendorff_alpha)}, Fleiss’ kappa ${number(found.fleiss_kappa)} over ${plural(found.rated_by_all, "pair")} rated by all` }),
      found.pairwise.map((row) => el("li", { text: `${row.raters.join(" and ")}: Cohen’s kappa ${number(row.kappa)}, the same answer in ${percent(row.share_equal)} of ${plural(row.n, "pair")}` }))));
  }

  scores(report) {
    const rows = Object.entries(report.scores).filter(([name, one]) => one.n && SCORES[name]);
    if (!rows.length) return null;
    return el("div", {}, el("h3", { text: "Do the scores see what the raters see?" }), el("ul", { class: "s-lines" }, rows.map(([name, one]) =>
      el("li", { text: `the picture with the higher ${SCORES[name]} was preferred in ${percent(one.share)} (${percent(one.interval[0])} to ${percent(one.interval[1])}, `
        + `${plural(one.n, "rating")}); 50 % is chance` }))));
  }

  pressed(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || !this.active()
      || this.stage.hidden || document.querySelector("dialog[open]")) return;
    const key = event.key.toLowerCase();
    if (key === "b") this.back();
    else if (KEYS[key]) this.answer(KEYS[key]);
    else return;
    event.preventDefault();
  }
}
