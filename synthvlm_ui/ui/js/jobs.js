// The jobs of the workspace: a button that says what runs, and a drawer with progress, stop, resume and log.

import { attempt, get, post } from "./api.js";
import { el, icon } from "./dom.js";
import { SynthElement } from "./element.js";
import { count, duration, plural, when } from "./format.js";
import { progressBar } from "./progress_bar.js";
import { announce, toast } from "./toast.js";
import { isActive, workspace } from "./workspace.js";

const WORDS = { queued: "waiting", running: "running", paused: "paused", stopping: "stopping", stopped: "stopped",
  done: "done", failed: "failed", crashed: "crashed" };
const RESUMABLE = new Set(["stopped", "failed", "crashed", "paused"]);

class Jobs extends SynthElement {
  cards = new Map();
  states = new Map();

  build() {
    this.label = el("span", { text: "Jobs" });
    this.button = el("button", { type: "button", class: "s-button s-jobs-button", "aria-haspopup": "dialog",
      onclick: () => this.open() }, icon("jobs"), this.label);
    this.list = el("div", { class: "s-jobs-list" });
    this.empty = el("p", { class: "s-empty", text: "Nothing has run yet. Jobs you start appear here and go on when this "
      + "page is closed." });
    const close = el("button", { type: "button", class: "s-button s-small", text: "Close",
      onclick: () => this.drawer.close() });
    this.drawer = el("dialog", { class: "s-drawer", "aria-label": "Jobs" },
      el("div", { class: "s-drawer-head" }, el("h2", { text: "Jobs" }), close), this.empty, this.list);
    this.drawer.addEventListener("close", () => { workspace.attend(this, false); this.button.focus(); });
    this.drawer.addEventListener("click", (event) => { if (event.target === this.drawer) this.drawer.close(); });
    this.append(this.button, this.drawer);
  }

  enter(signal) { workspace.watch(() => this.show(), signal); }

  leave() { workspace.attend(this, false); }

  open() {
    this.drawer.showModal();
    workspace.attend(this, true);
  }

  // A job that breaks is told wherever the reader is.
  tell() {
    for (const job of workspace.jobs) {
      const before = this.states.get(job.id);
      this.states.set(job.id, job.state);
      if (isActive(before) && (job.state === "failed" || job.state === "crashed")) {
        toast(`${job.kind} ${WORDS[job.state]}: ${job.message}`, "error");
      }
    }
  }

  show() {
    this.tell();
    const active = workspace.activeJobs;
    const first = active[0];
    this.label.textContent = !first ? "Jobs"
      : `${active.length === 1 ? WORDS[first.state] : `${active.length} jobs`} · ${Math.floor(100 * first.progress)} %`
        + (first.eta_s !== null && first.state === "running" ? ` · ${duration(first.eta_s)} left` : "");
    this.button.classList.toggle("s-busy", active.length > 0);
    this.button.setAttribute("aria-label", `Jobs: ${first ? this.label.textContent : "nothing is running"}`);
    this.empty.hidden = workspace.jobs.length > 0;
    const wanted = workspace.jobs.map((job) => this.card(job));
    if (wanted.some((node, place) => this.list.children[place] !== node) || wanted.length !== this.list.children.length) {
      this.list.replaceChildren(...wanted);
    }
  }

  card(job) {
    let node = this.cards.get(job.id);
    if (!node) {
      node = new JobCard(job.id);
      this.cards.set(job.id, node);
    }
    node.show(job);
    return node.root;
  }
}

class JobCard {
  constructor(id) {
    this.id = id;
    this.name = el("strong");
    this.state = el("span", { class: "s-state" });
    this.bar = progressBar();
    this.line = el("p", { class: "s-hint" });
    this.log = el("pre", { class: "s-log", tabindex: "0", "aria-label": "Last lines of the log" });
    this.more = el("details", { ontoggle: () => this.readLog() }, el("summary", { text: "Log and settings" }), this.log);
    this.stop = el("button", { type: "button", class: "s-button s-small", onclick: () => this.act("stop", "Stopping") },
      icon("stop"), "Stop");
    this.resume = el("button", { type: "button", class: "s-button s-small",
      onclick: () => this.act("resume", "Resuming") }, icon("play"), "Resume");
    this.root = el("article", { class: "s-card s-job" },
      el("div", { class: "s-job-head" }, this.name, this.state, el("span", { class: "s-grow" }), this.stop, this.resume),
      this.bar, this.line, this.more);
  }

  show(job) {
    this.name.textContent = `${job.kind[0].toUpperCase()}${job.kind.slice(1)}`;
    this.state.textContent = WORDS[job.state] ?? job.state;
    this.root.dataset.state = job.state;
    this.bar.show(job.progress, `${job.kind}: ${WORDS[job.state]}`);
    this.bar.dataset.state = job.state;
    const parts = [`${count(job.done)} of ${count(job.total)}`];
    if (job.failed) parts.push(`${count(job.failed)} failed`);
    if (job.state === "running" && job.eta_s !== null) parts.push(`about ${duration(job.eta_s)} left`);
    const turn = workspace.state?.visitor?.turns?.[job.id];
    if (turn) parts.push(turnWords(turn));
    if (job.message) parts.push(job.message);
    if (!isActive(job.state)) parts.push(when(job.created));
    this.line.textContent = parts.join(" · ");
    this.stop.hidden = !(job.state === "running" || job.state === "queued" || job.state === "paused") || workspace.readOnly;
    this.resume.hidden = !RESUMABLE.has(job.state) || workspace.readOnly;
    if (this.more.open && isActive(job.state)) this.readLog();
  }

  async readLog() {
    if (!this.more.open) return;
    const shown = await attempt(() => get(`jobs/${this.id}`));
    if (!shown) return;
    const settings = Object.entries(shown.config ?? {}).map(([name, value]) =>
      `${name} = ${typeof value === "string" ? value : JSON.stringify(value)}`);
    const error = shown.error ? ["", shown.error] : [];
    this.log.textContent = [...settings, "", ...(shown.log ?? []), ...error].join("\n");
    this.log.scrollTop = this.log.scrollHeight;
  }

  async act(what, saying) {
    const done = await attempt(() => post(`jobs/${this.id}/${what}`));
    if (done) announce(saying);
    workspace.refresh();
  }
}

// How long a job waits for those of other visitors.
function turnWords({ place, wait_s: wait }) {
  const others = place > 1 ? `behind ${plural(place - 1, "job")}` : "next in turn";
  return wait >= 1 ? `${others}, about ${duration(wait)} to wait` : others;
}

// Whose workspace this is, on a public demo.
function visitorWords(visitor) {
  if (!visitor?.limits) return "";
  const { own, used, limits } = visitor;
  const kept = `kept until ${plural(limits.minutes, "minute")} after you leave`;
  if (own) {
    return `Your own copy of the demo, ${kept}: ${count(used.images)} of ${count(limits.images)} images, `
      + `${count(used.rows)} of ${count(limits.rows)} captions added.`;
  }
  return visitor.may_change ? `You look at the demo. What you change goes into a copy of your own, ${kept}.`
    : "You look at the demo. All copies are taken now, so nothing can be changed until somebody leaves.";
}

// A proxy's path that the server was not told of: Gradio's own events go past the proxy.
function pathWords() {
  const pathOf = (address) => new URL(address, window.location.href).pathname.replace(/\/$/, "");
  const here = pathOf(window.location.href);
  return here === pathOf(window.gradio_config?.root ?? here) ? ""
    : `The server does not know that it is reached under ${here}, and half of this page does not work: start it with --root-path ${here}`;
}

// A line in the header: how much there is, and that the server is read-only or gone.
class WorkspaceLine extends SynthElement {
  build() {
    this.append(this.line = el("span", { class: "s-subdued" }), this.alert = el("span", { class: "s-alert", role: "status" }),
      this.notice = el("p", { class: "s-hint s-notice", role: "note" }));
  }

  enter(signal) { workspace.watch(() => this.show(), signal); }

  show() {
    const sets = workspace.datasets;
    const sum = (key) => sets.reduce((total, set) => total + set[key], 0);
    const counts = sets.length ? [plural(sum("captions"), "caption"), plural(sum("candidates"), "candidate")] : [];
    this.line.textContent = [...counts, workspace.state?.hardware].filter(Boolean).join(" · ");
    this.notice.textContent = [pathWords(), visitorWords(workspace.state?.visitor), workspace.state?.notice].filter(Boolean).join(" ");
    const problems = workspace.state?.summary.problems ?? [];
    this.alert.textContent = workspace.error ? workspace.error.message : workspace.readOnly ? "read-only"
      : problems.length ? plural(problems.length, "problem") : "";
    this.alert.title = problems.join("\n");
  }
}

customElements.define("synth-workspace", WorkspaceLine);
customElements.define("synth-jobs", Jobs);
