// The findings tab: the papers' claims, what came out here, and a run that measures what is missing.

import { attempt, get, post } from "../api.js";
import { el } from "../dom.js";
import { SynthElement } from "../element.js";
import { plural } from "../format.js";
import { isActive, workspace } from "../workspace.js";
import { curves } from "./curves.js";

const VERDICTS = { true: ["holds", "s-held"], false: ["does not hold", "s-not-held"], null: ["not measured", ""] };
const SEEDS = [["full", "Three seeds, with standard deviations", "about 25 minutes of one free core"],
  ["quick", "A quick look: one seed", "about 13 minutes of one free core; three seeds later go on from it"]];

class Findings extends SynthElement {
  build() {
    this.choice = SEEDS.map(([value, text, hint], place) => el("label", { class: "s-option s-claim-seeds" },
      el("input", { type: "radio", name: "findings-seeds", value, checked: place === 0, onchange: () => this.showCommand() }),
      el("span", {}, text, el("br"), el("small", { class: "s-hint", text: hint }))));
    this.button = el("button", { type: "submit", class: "s-button s-primary", text: "Run the claims here" });
    this.command = el("synth-command");
    this.doing = el("p", { class: "s-hint", "aria-live": "polite" });
    this.bar = el("div", { class: "s-progress-fill" });
    this.stop = el("button", { type: "button", class: "s-button s-small", text: "Stop",
      onclick: () => attempt(() => post(`jobs/${this.job}/stop`)) });
    this.working = el("div", { class: "s-claim-working", hidden: true },
      el("div", { class: "s-row s-between" }, this.doing, this.stop),
      el("div", { class: "s-progress", role: "progressbar", "aria-label": "Progress of the findings" }, this.bar));
    this.source = el("p", { class: "s-claim-source" });
    this.list = el("ul", { class: "s-claim-list" });
    this.append(el("div", { class: "s-findings" },
      el("form", { class: "s-card s-form", onsubmit: (event) => { event.preventDefault(); this.start(); } },
        el("h2", { text: "The papers' claims, run again" }),
        el("p", { class: "s-hint", text: "Small models are trained in the small world, where everything is under control: the generator and the part "
          + "that looks have seen one corpus only, and every model is judged on compositions that nothing has shown it. "
          + "When a claim counts as holding was written down before the run." }),
        el("fieldset", { class: "s-plain-set" }, el("legend", { text: "How often" }), this.choice),
        this.button, el("p", { class: "s-hint", text: "Each result is kept at once: a stopped run goes on where it was." }),
        this.working, this.command),
      el("div", { class: "s-main" }, this.source, this.list)));
  }

  enter(signal) {
    workspace.watch(() => this.follow(), signal);
    this.load();
  }

  async load() {
    const found = await attempt(() => get("findings/table"));
    if (!found) return;
    this.commands = found.commands;
    this.showCommand();
    this.source.textContent = found.source === "workspace" ? `Measured in this workspace, ${plural(found.seeds, "seed")}.`
      : found.source === "shipped" ? `These numbers come with the app: ${plural(found.seeds, "seed")}, ${found.machine}, ${found.date}. Run the claims to replace them with your own.`
        : "Nothing is measured yet.";
    this.list.replaceChildren(...found.findings.map((finding) => this.card(finding)));
  }

  card(finding) {
    const [word, style] = VERDICTS[finding.holds];
    const points = finding.rows.filter((row) => row.point);
    return el("li", { class: "s-card s-claim", "data-finding": finding.id },
      el("div", { class: "s-claim-head" }, el("h3", { text: `${finding.id.split("-")[0]} · ${finding.title}` }),
        el("span", { class: `s-claim-verdict ${style}`, text: word })),
      el("p", { text: finding.claim }),
      el("dl", { class: "s-claim-facts" }, el("dt", { text: "Paper" }), el("dd", { text: finding.paper }),
        el("dt", { text: "Here" }), el("dd", {}, this.ours(finding.ours))),
      points.length ? curves(points) : null,
      el("details", {}, el("summary", { text: "All numbers, and when the claim holds" }),
        el("p", { class: "s-hint", text: `Holds when: ${finding.criterion}` }),
        finding.rows.length ? el("div", { class: "s-scroll" }, this.rows(finding.rows)) : null));
  }

  ours(ours) {
    if (!ours) return "not measured";
    return [el("strong", { text: `${mean(ours)} ${shownUnit(ours)}`.trim() }), ` ${ours.name}`, seeds(ours)];
  }

  rows(rows) {
    const head = ["Quantity", "Paper", `Here (n = ${rows[0].n})`, "Unit"];
    return el("table", { class: "s-table" },
      el("thead", {}, el("tr", {}, head.map((text) => el("th", { text, scope: "col" })))),
      el("tbody", {}, rows.map((row) => el("tr", {}, el("td", { text: row.name }), el("td", { text: row.paper }),
        el("td", { class: "s-claim-number", text: mean(row) }), el("td", { class: "s-claim-number", text: shownUnit(row) })))));
  }

  showCommand() {
    if (this.commands) this.command.show(this.commands[this.chosen()]);
  }

  chosen() { return this.querySelector("[name=findings-seeds]:checked").value; }

  async start() {
    const started = await attempt(() => post("findings/start", { quick: this.chosen() === "quick" }));
    if (started) workspace.refresh();
  }

  // Progress of the newest run; the table is read again as results come in and when it ends.
  follow() {
    const job = workspace.jobs.find((each) => each.kind === "findings" && isActive(each.state));
    this.button.disabled = workspace.readOnly || Boolean(job);
    this.working.hidden = !job;
    if (job) {
      this.doing.textContent = job.state === "queued" ? "waiting for its turn" : `${job.done} of ${job.total} · ${job.message}`;
      this.bar.style.width = `${100 * job.progress}%`;
    }
    const now = job ? `${job.id} ${job.done}` : "";
    if (now !== this.seen && (this.seen || job)) this.load();
    this.seen = now;
    this.job = job?.id;
  }
}

const digits = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 0.1 ? value.toPrecision(3) : value.toFixed(3));
const mean = (row) => digits(row.mean) + (!row.sd ? "" : ` ± ${row.sd >= 0.1 ? row.sd.toPrecision(2) : row.sd.toFixed(3)}`);
const seeds = (row) => ` (n = ${row.n})`;
const shownUnit = (row) => (row.unit === "1" ? "" : row.unit);

customElements.define("synth-findings", Findings);
