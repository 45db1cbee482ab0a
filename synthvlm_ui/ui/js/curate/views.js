// Saved views, the link that opens exactly this view again, and the address bar that always holds it.

import { attempt, get, post } from "../api.js";
import { el, field, options } from "../dom.js";
import { toast } from "../toast.js";
import { isHeld } from "./asking.js";
import { openedTab } from "../tabs.js";

const WAIT_MS = 350;

// ``state()`` is what is looked at now; ``onopen(state)`` shows another.
export class Views {
  constructor({ state, onopen }) {
    Object.assign(this, { state, onopen, saved: [], timer: 0, push: false, query: null });
    this.list = el("select", { "aria-label": "Saved views", onchange: () => this.choose() });
    this.name = el("input", { maxlength: "80", required: true, placeholder: "borderline reds" });
    this.removals = el("ul", { class: "s-view-list" });
    this.dialog = el("dialog", { class: "s-dialog s-views", "aria-label": "Saved views" }, el("div", { class: "s-drawer-head" },
      el("h2", { text: "Saved views" }), el("button", { type: "button", class: "s-button s-small", text: "Close", onclick: () => this.dialog.close() })),
      el("form", { class: "s-row s-save-view", onsubmit: (event) => { event.preventDefault(); this.save(); } },
        field("Save the present view as", this.name), el("button", { type: "submit", class: "s-button s-primary", text: "Save view" })),
      this.removals);
    this.root = el("div", { class: "s-row s-views-bar" }, this.list, el("button", { type: "button", class: "s-button s-small",
      text: "Save view", onclick: () => { this.dialog.showModal(); this.name.focus(); } }), el("button", { type: "button",
      class: "s-button s-small", text: "Copy link", onclick: () => this.copy() }));
    this.fill();
  }

  listen(signal) {
    window.addEventListener("popstate", () => this.reopen(), { signal });
    this.refresh();
  }

  async refresh() {
    try { this.saved = (await get("views")).views; } catch { this.saved = []; }
    this.fill();
  }

  fill() {
    options(this.list, [["", this.saved.length ? "Saved views" : "No saved view"], ...this.saved.map(({ name }) => [name, name])], "");
    this.list.disabled = this.saved.length === 0;
    this.removals.replaceChildren(...this.saved.map((one) => el("li", {}, el("span", { text: one.name }), el("small", { class: "s-subdued",
      text: `by ${one.actor}` }), el("button", { type: "button", class: "s-button s-small", "aria-label": `Delete the view ${one.name}`,
      text: "Delete", onclick: () => this.remove(one.name) }))));
  }

  choose() {
    const found = this.saved.find(({ name }) => name === this.list.value);
    this.list.value = "";
    if (found) this.onopen(found.state, true);
  }

  async save() {
    const name = this.name.value.trim();
    const done = await attempt(() => post("views", { name, state: this.state() }));
    if (!done) return;
    this.name.value = "";
    this.dialog.close();
    toast(`View “${name}” saved`);
    await this.refresh();
  }

  async remove(name) {
    if (await attempt(() => post("views/delete", { name }))) await this.refresh();
  }

  // The address follows the view: a step can be gone back from, what moves under a finger only replaces it.
  note(push) {
    this.push ||= push;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.write(), WAIT_MS);
  }

  async write() {
    if (isHeld()) { this.note(false); return; }
    if (openedTab() !== "curate") return;
    const push = this.push;
    this.push = false;
    const query = await this.link();
    if (query === null || openedTab() !== "curate") return;
    const wanted = `#curate?${query}`;
    if (location.hash === wanted) return;
    this.query = query;
    history[push && location.hash.includes("?") ? "pushState" : "replaceState"](null, "", wanted);
  }

  async link() {
    try { return (await post("curate/link", { state: this.state() })).query; } catch { return null; }
  }

  get queryOfAddress() {
    const at = location.hash.indexOf("?");
    return openedTab() === "curate" && at >= 0 ? location.hash.slice(at + 1) : "";
  }

  // What the address asks for, at the start or after the back button; null when it asks for nothing or nothing readable.
  async wanted() {
    const query = this.queryOfAddress;
    if (!query) return null;
    this.query = query;
    const answer = await attempt(() => post("curate/open", { query }));
    return answer?.state ?? null;
  }

  async reopen() {
    clearTimeout(this.timer);
    if (this.queryOfAddress === this.query) return;
    const state = await this.wanted();
    if (state) this.onopen(state, false);
  }

  async copy() {
    const query = await this.link();
    const link = new URL(location.href);
    link.hash = query === null ? location.hash : `#curate?${query}`;
    try {
      await navigator.clipboard.writeText(link.href);
      toast("Link copied: it opens exactly this view.");
    } catch {
      history.replaceState(null, "", link);
      toast("The browser does not allow copying here; the address bar holds the link.");
    }
  }
}
