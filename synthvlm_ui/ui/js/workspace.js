// What the whole page knows of the workspace: datasets, selections, jobs. Asks once a second while something runs or
// somebody watches, and otherwise only when the page becomes visible or an action has changed something.

import { get } from "./api.js";

const ACTIVE = new Set(["queued", "running", "paused", "stopping"]);
const EVERY_MS = 1000;
const VISITOR_MS = 5000; // a visitor's copy is kept while its page is looked at, and what is left of it is shown

class Workspace extends EventTarget {
  state = null;
  error = null;
  watchers = new Set();
  wantedDataset = null; // what Curate should show next
  #timer = 0;
  #asking = null;
  #again = null;

  constructor() {
    super();
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.refresh(); });
    window.addEventListener("focus", () => this.refresh());
  }

  get datasets() { return this.state?.summary.datasets ?? []; }
  get selections() { return this.state?.summary.selections ?? []; }
  get jobs() { return this.state?.jobs ?? []; }
  get activeJobs() { return this.jobs.filter((job) => ACTIVE.has(job.state)); }
  get readOnly() { return Boolean(this.state?.read_only); }
  get isEmpty() { return this.state !== null && this.datasets.length === 0; }

  // Who asks while an answer is under way wants to know of something newer than that answer: it is asked once more.
  refresh() {
    if (this.#asking) {
      this.#again ??= this.#asking.then(() => { this.#again = null; return this.refresh(); });
      return this.#again;
    }
    this.#asking = this.#ask().finally(() => { this.#asking = null; });
    return this.#asking;
  }

  // Calls back at once when the state is known, and after every change until the element leaves the page.
  watch(listener, signal) {
    this.addEventListener("change", listener, { signal });
    if (this.state) listener();
    else this.refresh();
  }

  attend(who, on) {
    if (on) this.watchers.add(who); else this.watchers.delete(who);
    if (on) this.refresh();
  }

  async #ask() {
    clearTimeout(this.#timer);
    const before = JSON.stringify(this.state);
    try {
      this.state = await get("state");
      this.error = null;
    } catch (error) {
      this.error = error;
    }
    if (this.error || before !== JSON.stringify(this.state)) this.dispatchEvent(new Event("change"));
    const soon = this.activeJobs.length > 0 || this.watchers.size > 0 || this.error;
    const wait = this.error ? 3000 : soon ? EVERY_MS : this.state?.visitor?.limits ? VISITOR_MS : 0;
    if (wait && !document.hidden) this.#timer = setTimeout(() => this.refresh(), wait);
  }
}

export const isActive = (state) => ACTIVE.has(state);
export const workspace = new Workspace();
