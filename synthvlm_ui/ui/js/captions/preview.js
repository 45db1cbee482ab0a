// How a caption file would be read: format, columns, the first rows, and what would be left out with its line.

import { el, refusal } from "../dom.js";
import { SynthElement } from "../element.js";
import { rejectedTable } from "./tab.js";

class ImportPreview extends SynthElement {
  build() { this.hidden = true; }

  // ``text``: the JSON of a preview, or empty. Rows come from a stranger's file and are shown as text only.
  report(text) {
    this.hidden = !text;
    if (!text) return;
    const shown = JSON.parse(text);
    if (shown.error) { this.replaceChildren(refusal(shown.error)); return; }
    const images = shown.rows.some((row) => row.image);
    const heads = ["Caption", images && "Image", "Id"].filter(Boolean);
    const rows = shown.rows.slice(0, 8).map((row) => el("tr", {}, el("td", { class: "s-caption-preview", text: row.caption }),
      images && el("td", { class: "s-mono", text: row.image ?? "" }), el("td", { class: "s-mono", text: row.id })));
    const columns = Object.entries(shown.columns).map(([role, name]) => `${role} from “${name}”`).join(", ");
    this.replaceChildren(
      el("p", { class: "s-hint", text: [`Read as ${shown.format}`, shown.encoding, columns].filter(Boolean).join(" · ") }),
      ...shown.notes.filter((note) => !note.startsWith("columns: ")).map((note) => el("p", { class: "s-hint", text: note })),
      el("div", { class: "s-scroll" }, el("table", { class: "s-table", "aria-label": "Preview" },
        el("thead", {}, el("tr", {}, heads.map((head) => el("th", { text: head, scope: "col" })))),
        el("tbody", {}, rows))));
    if (shown.rejected_rows.length) {
      this.append(el("p", { class: "s-hint", text: "Would be left out among the first rows:" }), rejectedTable(shown.rejected_rows));
    }
  }
}

customElements.define("synth-import-preview", ImportPreview);
