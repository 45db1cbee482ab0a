// What an import did, and the captions of one dataset, a page at a time.

import { attempt, get } from "../api.js";
import { el, options, refusal } from "../dom.js";
import { SynthElement } from "../element.js";
import { count, plural } from "../format.js";
import { workspace } from "../workspace.js";

const PAGE = 25;

class ImportReport extends SynthElement {
  build() { this.hidden = true; }

  // ``text``: the JSON of an import, or empty. Rows come from a stranger's file and are shown as text only.
  report(text) {
    this.hidden = !text;
    if (!text) return;
    const result = JSON.parse(text);
    if (result.error) { this.replaceChildren(refusal(result.error)); return; }
    const good = el("p", { class: "s-result" }, el("span", { class: "s-mark s-keep", text: "✓" }),
      el("span", { text: `${plural(result.imported, "caption")} ${result.did ?? "imported into"} “${result.dataset}”` }));
    this.replaceChildren(good);
    // What was just brought is what the reader wants to see and to curate.
    for (const shown of document.querySelectorAll("synth-datasets, synth-caption-rules")) shown.look(result.dataset);
    if (result.rejected) this.append(this.rejects(result));
    workspace.refresh();
  }

  rejects(result) {
    const reasons = Object.entries(result.reasons ?? {}).map(([rule, n]) => `${rule}: ${count(n)}`).join(" · ");
    const rows = result.rejected_rows ?? [];
    const more = result.rejected > rows.length && rows.length ? ` ${plural(rows.length, "row")} listed.` : "";
    return el("div", { class: "s-rejects" },
      el("p", {}, el("span", { class: "s-mark s-reject", text: "✗" }),
        el("span", { text: ` ${plural(result.rejected, "row")} not ${result.did ? "written" : "imported"}. ${reasons}.${more}` })),
      rows.length > 0 && rejectedTable(rows));
  }
}

// Which rows of a file (or which captions of a job) were left out, and why.
export function rejectedTable(rows) {
  const cells = rows.map((row) => el("tr", {}, el("td", { text: [row.file, row.line].filter(Boolean).join(":") }),
    el("td", { text: row.reason }), el("td", { class: "s-clip", text: row.excerpt ?? "" })));
  return el("div", { class: "s-scroll" }, el("table", { class: "s-table" },
    el("thead", {}, el("tr", {}, ["Line", "Reason", "Text"].map((text) => el("th", { text, scope: "col" })))),
    el("tbody", {}, cells)));
}

class Datasets extends SynthElement {
  offset = 0;
  chosen = null;
  wanted = null;

  build() {
    this.choice = el("select", { "aria-label": "Dataset", onchange: () => this.choose(this.choice.value) });
    this.facts = el("span", { class: "s-subdued" });
    this.body = el("tbody");
    this.table = el("div", { class: "s-scroll" }, el("table", { class: "s-table" },
      el("thead", {}, el("tr", {}, ["Caption", "Candidates", "Id"].map((text) => el("th", { text, scope: "col" })))),
      this.body));
    this.back = el("button", { type: "button", class: "s-button s-small", text: "Previous",
      onclick: () => this.turn(-PAGE) });
    this.next = el("button", { type: "button", class: "s-button s-small", text: "Next", onclick: () => this.turn(PAGE) });
    this.where = el("span", { class: "s-subdued", "aria-live": "polite" });
    this.pager = el("div", { class: "s-row" }, this.back, this.where, this.next);
    this.empty = el("p", { class: "s-empty", text: "No captions yet. Import a file or paste some lines; they appear here." });
    this.append(el("section", { class: "s-card" },
      el("div", { class: "s-row s-between" }, el("h2", { text: "In this workspace" }),
        el("div", { class: "s-row" }, this.choice, this.facts)),
      this.empty, this.table, this.pager));
  }

  enter(signal) { workspace.watch(() => this.show(), signal); }

  // Shows a dataset as soon as it is known, which may be now.
  look(name) {
    this.wanted = name;
    this.show();
  }

  show() {
    const names = workspace.datasets.map((set) => [set.name, set.name]);
    if (names.some(([name]) => name === this.wanted)) {
      if (this.wanted !== this.chosen) this.offset = 0;
      [this.chosen, this.wanted] = [this.wanted, null];
    }
    if (!names.some(([name]) => name === this.chosen)) this.chosen = names.at(-1)?.[0] ?? null;
    options(this.choice, names, this.chosen);
    const none = names.length === 0;
    for (const node of [this.choice, this.table, this.pager]) node.hidden = none;
    this.empty.hidden = !none;
    if (none) { this.facts.textContent = ""; return; }
    const set = workspace.datasets.find((one) => one.name === this.chosen);
    this.facts.textContent = `${plural(set.captions, "caption")} · ${plural(set.candidates, "candidate")}`
      + (set.failed ? ` · ${count(set.failed)} failed` : "");
    const key = JSON.stringify([set, this.offset]);
    if (key !== this.shown) { this.shown = key; this.load(); }
  }

  choose(name) {
    this.chosen = name;
    this.offset = 0;
    this.show();
  }

  turn(by) {
    this.offset = Math.max(0, this.offset + by);
    this.load();
  }

  async load() {
    const asked = this.asked = Symbol("load"); // an earlier page that comes late must not replace a later one
    const page = await attempt(() => get("captions", { dataset: this.chosen, offset: this.offset, limit: PAGE }));
    if (!page || asked !== this.asked) return;
    this.body.replaceChildren(...page.rows.map((row) => el("tr", {}, el("td", { class: "s-caption", text: row.caption }),
      el("td", { class: "s-right", text: count(row.candidates ?? 0) }), el("td", { class: "s-mono", text: row.id }))));
    const last = Math.min(page.total, this.offset + page.rows.length);
    this.where.textContent = page.total ? `${count(this.offset + 1)}–${count(last)} of ${count(page.total)}` : "none";
    this.back.disabled = this.offset === 0;
    this.next.disabled = last >= page.total;
    this.pager.hidden = page.total <= PAGE;
  }
}

customElements.define("synth-import-report", ImportReport);
customElements.define("synth-datasets", Datasets);
