// The exports and the saved selections, and what an export or a validation said.

import { address, attempt, get } from "./api.js";
import { el, icon, refusal } from "./dom.js";
import { SynthElement } from "./element.js";
import { count, percent, plural, when } from "./format.js";
import { openTab } from "./tabs.js";
import { workspace } from "./workspace.js";

class ExportReport extends SynthElement {
  build() { this.hidden = true; }

  // ``text``: the JSON of an export or a validation, or empty.
  report(text) {
    this.hidden = !text;
    if (!text) return;
    const result = JSON.parse(text);
    if ("written" in result) workspace.refresh(); // the export was a job that the page has not heard of
    this.replaceChildren(result.error ? refusal(result.error)
      : "written" in result ? written(result) : "repo_id" in result ? pushed(result) : validated(result));
  }
}

function written(result) {
  return el("section", { class: "s-card s-result-card" },
    el("p", { class: "s-result" }, el("span", { class: "s-mark s-keep", text: "✓" }),
      el("span", { text: `${plural(result.written, "pair")} written` })),
    el("dl", { class: "s-facts" },
      el("dt", { text: "Directory" }), el("dd", { class: "s-mono", text: result.out }),
      el("dt", { text: "Manifest SHA-256" }), el("dd", { class: "s-mono", text: result.manifest_sha256 })),
    result.archive ? el("div", { class: "s-row" }, download(result.archive)) : null);
}

// The export as one tar; the browser keeps what comes.
function download(name) {
  return el("a", { class: "s-button s-small s-download", href: address(`exports/${encodeURIComponent(name)}.tar`), download: `${name}.tar`,
    "aria-label": `Download ${name}.tar` }, icon("down"), "Download");
}

function pushed(result) {
  const size = `${plural(result.files, "file")}, ${(result.bytes / 2 ** 20).toFixed(1)} MiB`;
  const more = result.files - result.listing.length;
  return el("section", { class: "s-card s-result-card" },
    el("p", { class: "s-result" }, el("span", { class: "s-mark s-keep", text: result.dry_run ? "…" : "✓" }),
      el("span", { text: result.dry_run ? `${size} would be sent to ${result.repo_id}` : `${size} sent` })),
    result.url ? el("p", { class: "s-mono", text: result.url }) : null,
    el("ul", { class: "s-lines" }, result.listing.map((name) => el("li", { text: name })),
      more > 0 ? el("li", { text: `and ${count(more)} more` }) : null));
}

function validated(result) {
  const lines = (kind, entries) => entries.slice(0, 50).map((entry) => el("li", { text: `${kind}: ${entry}` }));
  return el("section", { class: "s-card s-result-card" },
    el("p", { class: "s-result" },
      el("span", { class: `s-mark ${result.ok ? "s-keep" : "s-reject"}`, text: result.ok ? "✓" : "✗" }),
      el("span", { text: result.ok ? "The export reads back as it should" : `${count(result.errors.length)} errors` })),
    el("ul", { class: "s-lines" }, lines("Error", result.errors ?? []), lines("Warning", result.warnings ?? [])));
}

class Exports extends SynthElement {
  build() {
    this.hidden = true;
    this.body = el("tbody");
    this.append(el("section", { class: "s-card" }, el("h2", { text: "Exports in this workspace" }),
      el("div", { class: "s-scroll" }, el("table", { class: "s-table" }, el("thead", {}, el("tr", {},
        ["Export", "Pairs", "Written", ""].map((text) => el("th", { text, scope: "col" })))), this.body))));
  }

  enter(signal) { workspace.watch(() => this.refresh(), signal); }

  // Exports come by jobs; those of a terminal are seen when the page is opened.
  async refresh() {
    const key = JSON.stringify(workspace.jobs.filter((job) => job.kind === "export").map((job) => [job.id, job.state]));
    if (key === this.known) return;
    this.known = key;
    const made = (await attempt(() => get("exports")))?.exports ?? [];
    if (key !== this.known) return;
    this.hidden = made.length === 0;
    this.body.replaceChildren(...made.map((one) => el("tr", {}, el("td", {}, el("strong", { text: one.name }), el("small", { text: one.format })),
      el("td", { text: count(one.written) }), el("td", { text: when(one.at) }), el("td", {}, download(one.name)))));
  }
}

class Selections extends SynthElement {
  build() {
    this.body = el("tbody");
    this.table = el("div", { class: "s-scroll" }, el("table", { class: "s-table" }, el("thead", {}, el("tr", {},
      ["Selection", "Dataset", "Kept", "Saved"].map((text) => el("th", { text, scope: "col" })))), this.body));
    this.empty = el("div", { class: "s-empty" }, el("p", { text: "No selection yet. Set thresholds in Curate and save what they keep." }),
      el("button", { type: "button", class: "s-button", text: "Go to Curate", onclick: () => openTab("curate") }));
    this.append(el("section", { class: "s-card" }, el("h2", { text: "Saved selections" }), this.empty, this.table));
  }

  enter(signal) { workspace.watch(() => this.show(), signal); }

  async show() {
    const key = JSON.stringify(workspace.state?.summary.selections);
    this.empty.hidden = workspace.selections.length > 0;
    this.table.hidden = !this.empty.hidden;
    if (key === this.shown) return;
    this.shown = key;
    const found = await attempt(() => get("selections"));
    this.body.replaceChildren(...(found?.selections ?? []).map((one) => el("tr", {}, el("td", {}, el("strong", { text: one.name })),
      el("td", { text: one.dataset }), el("td", { text: `${count(one.kept)} of ${count(one.total)} (${percent(one.kept / one.total)})` }),
      el("td", { text: when(one.created) }))));
  }
}

customElements.define("synth-exports", Exports);
customElements.define("synth-selections", Selections);
customElements.define("synth-export-report", ExportReport);
