// What the rule keeps, beside the thresholds all the time: candidates, captions with an image, decisions by hand, clusters,
// and below them each dataset of the rule.

import { el } from "../dom.js";
import { count, percent, plural } from "../format.js";

export class Yield {
  // ``people`` stands beside the decisions by hand.
  constructor({ people }) {
    this.kept = el("b");
    this.keptShare = el("span");
    this.captions = el("b");
    this.captionShare = el("span");
    this.byHand = el("b");
    this.byHandNote = el("span");
    this.bits = el("b");
    this.bitsNote = el("span");
    this.meter = el("div", { class: "s-meter" }, this.meterFill = el("div"));
    this.sizes = el("div", { class: "s-sizes", "aria-hidden": "true" });
    const cell = (title, ...parts) => el("div", { class: "s-count" }, el("span", { text: title }), parts);
    this.entropy = cell("Clusters, entropy", this.bits, this.bitsNote, this.sizes);
    this.entropy.hidden = true;
    this.counts = el("div", { class: "s-counts", role: "status", "aria-label": "What the rule keeps" },
      cell("Candidates kept", this.kept, this.keptShare, this.meter), cell("Captions with an image", this.captions, this.captionShare),
      cell("By hand", this.byHand, this.byHandNote, people), this.entropy);
    this.rows = el("tbody");
    this.datasets = el("details", { class: "s-fold s-datasets", hidden: true }, el("summary", { text: "Each dataset" }),
      el("div", { class: "s-scroll", tabindex: "0", role: "region", "aria-label": "Each dataset" }, el("table", { class: "s-table" },
        el("thead", {}, el("tr", {}, ["Dataset", "Kept", "of", "", "Captions kept", "of"].map((text) => el("th", { scope: "col", text })))),
        this.rows)));
  }

  show(counted) {
    this.kept.textContent = count(counted.kept);
    this.keptShare.textContent = `of ${count(counted.total)} · ${percent(counted.kept_share)}`;
    this.meterFill.style.width = `${100 * (counted.kept_share || 0)}%`;
    this.captions.textContent = count(counted.captions_kept);
    this.captionShare.textContent = `of ${count(counted.captions_total)} · `
      + percent(counted.captions_total ? counted.captions_kept / counted.captions_total : 0);
    this.byHand.textContent = `✓ ${count(counted.keep_verdicts)}  ✗ ${count(counted.reject_verdicts)}`;
    this.byHandNote.textContent = counted.overridden ? `${count(counted.overridden)} against the rule` : "none against the rule";
  }

  showEntropy(found) {
    this.entropy.hidden = !found;
    if (!found) return;
    this.bits.textContent = `${found.bits.toFixed(2)} bits`;
    this.bitsNote.textContent = `of ${found.max_bits.toFixed(2)} · like ${found.effective_clusters.toFixed(1)} of ${found.k} clusters`;
    const top = Math.max(1, ...found.sizes);
    while (this.sizes.children.length < found.sizes.length) this.sizes.append(el("i"));
    while (this.sizes.children.length > found.sizes.length) this.sizes.lastChild.remove();
    found.sizes.forEach((size, at) => { this.sizes.children[at].style.height = `${Math.max(4, (100 * size) / top)}%`; });
    this.sizes.title = `kept in each cluster: ${found.sizes.map((size) => count(size)).join(", ")}`;
  }

  showDatasets(found) {
    this.datasets.hidden = found.length < 2;
    this.datasets.firstChild.textContent = `Each of ${plural(found.length, "dataset")}`;
    this.rows.replaceChildren(...found.map((one) => el("tr", {}, el("td", { text: one.name }),
      el("td", { class: "s-right", text: count(one.kept) }), el("td", { class: "s-right", text: count(one.total) }),
      el("td", { class: "s-right", text: percent(one.kept_share) }), el("td", { class: "s-right", text: count(one.captions_kept) }),
      el("td", { class: "s-right", text: count(one.captions_total) }))));
  }
}
